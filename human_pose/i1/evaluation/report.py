"""An evaluation of the image network in words: its table, and `report.md`."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Final

import numpy as np

from human_pose.datasets.images import ACTIONS, Skipped
from human_pose.geometry.skeletons import JOINT_NAMES_16
from human_pose.runs import results
from human_pose.runs.measures import mean_over_frames
from human_pose.runs.tables import markdown_table

# Lists all samples left out, beside the report.
_SKIPPED: Final = PurePath(results.SKIPPED).name
_LISTED: Final = 20

_MEANING: Final = f"""\
- Standard protocol: crop positions are mapped to the frame by the exact inverse of the
  test transform, depths decoded by the bounds that encoded them; prediction and truth
  (the stored camera-frame joints) are centred at the root, which counts as a joint.
  MPJPE: no further alignment; PA-MPJPE: Procrustes; N-MPJPE: best scale; PCK@150: share
  of joints nearer than 150 mm; AUC: mean of such shares for 0, 5, ..., 150 mm.
- As published: absolute camera frame, no alignment; the crop is taken for the box, so
  that people shrink to 200/256 in x and y; depths are decoded by other bounds than they
  were encoded by (54.55 - 142.86 depth mm off); the target is the label mapped the same
  way. Not comparable with the standard protocol. The original normalised by the
  statistics of each batch of two neighbouring frames.
- Both: the depth of the root, the box and the camera are the truth's.
- Readouts: integral, the mean of softmax(30 heatmap) over the volume's bin centres;
  argmax, the centre of the highest voxel.
- Joints: {", ".join(JOINT_NAMES_16)} (joint 0, {JOINT_NAMES_16[0]}, is the root).
- Means: over frames, every frame counts alike; over actions, every action that has
  frames counts alike.\
"""


def table(
    names: Sequence[str], actions: np.ndarray, values: np.ndarray, stored: str
) -> str:
    """Means over all frames, one line for each of K measures `[F, K]`."""
    means = mean_over_frames(values)
    width = max(map(len, names))
    lines = [
        f"{name:{width}}  {mean:9.2f}" for name, mean in zip(names, means, strict=True)
    ]
    return "\n".join([f"{len(actions)} frames", *lines, f"stored: {stored}"])


def markdown(
    actions: np.ndarray,
    tables: Mapping[str, tuple[Sequence[str], np.ndarray]],
    *,
    description: Mapping[str, str],
    skipped: Sequence[Skipped],
    pictures: Mapping[str, str],
) -> str:
    """The whole report, Markdown.

    Args:
      actions: int `[F]`, index into the image data's `ACTIONS`.
      tables: names and values `[F, K]` by title.
      description: what was evaluated, by headword.
      skipped: samples left out; of many only the first are listed here.
      pictures: captions of `images/<name>.png` by name.
    """
    protocol = [f"- {word}: {text}" for word, text in description.items()]
    sections = {
        title: markdown_table(actions, values, names, ACTIONS)
        for title, (names, values) in tables.items()
    }
    sections["Protocols"] = "\n".join([*protocol, _MEANING])
    if skipped:
        more = len(skipped) - _LISTED
        lines = [f"- {bad.reason}" for bad in skipped[:_LISTED]]
        lines += (
            [f"- and {more} more; all: [{_SKIPPED}]({_SKIPPED})"] if more > 0 else []
        )
        sections[f"Samples left out ({len(skipped)})"] = "\n".join(lines)
    sections["Samples of note"] = "\n\n".join(
        f"{name.capitalize()}: {caption}\n\n![{name}](../images/{name}.png)"
        for name, caption in pictures.items()
    )
    return "# Evaluation\n" + "".join(
        f"\n## {title}\n\n{text}\n" for title, text in sections.items()
    )
