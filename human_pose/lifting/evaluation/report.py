"""An evaluation in words: the table a command prints, and `report.md`."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from human_pose.datasets.pose_files import action_file_names
from human_pose.datasets.protocol import ACTIONS
from human_pose.lifting.config import METRICS, LifterConfig
from human_pose.lifting.evaluation.frames import ActionFrames
from human_pose.lifting.evaluation.scores import Scores
from human_pose.runs import tables

_METRIC_NAMES: Final = tuple(f"metric {metric}" for metric in METRICS)


_MEANING: Final = """\
- Truth: the frame's 3D joints, centred at the mean of all 17.
- Reconstruction: the lifted pose, given the true pose's size (the norm over the edges
  of the normalisation tree) and not centred, as in the original; sizes are not
  estimated. No camera of the test files is used.
- Joints: 17, of which joint 9 (neck) is never detected. Metric 0 is over the 14 joints
  other than hip, spine and neck; metrics 1 and 2 are over all 17.
- Alignment: metric 2 none; metrics 0 and 1 by the best rotation, scale and translation
  (Procrustes) of each frame over all 17 joints.
- Common measures: truth and reconstruction centred at the hip, which counts as a joint
  (without error, unless Procrustes moves it). MPJPE: no further
  alignment; PA-MPJPE: Procrustes over the joints measured; N-MPJPE: best scale;
  PCK@150: share of joints nearer than 150 mm; AUC: mean of such shares for
  0, 5, ..., 150 mm (a perfect pose has 30/31).
- Means: over frames, every frame counts alike (the last number of `tabled_res.npy`);
  over actions, every action that has files counts alike.
- Subjects: those in the test files, which do not name them. By the convention of this
  layout, kept by Human3.6M and by the embedded data, they are S9 and S11, and training
  is on S1, S5, S6, S7 and S8.\
"""


_WEIGHED_BY: Final = {
    "published": "their scores (as published)",
    "full": "their full evidence",
}


def describe(config: LifterConfig) -> dict[str, str]:
    """What a lifter was made from, in words, for the report's protocol."""
    check_path = config.check_path
    loaded = (
        "none; the default parameters"
        if check_path is None
        else tables.short(check_path)
    )
    if check_path is not None and config.as_published:
        loaded += ", hl_params and ir_reg left at 1 (as published)"
    return {
        "Checkpoint": loaded,
        "Mixture": f"{tables.short(config.mixture_path)}, {config.models} models",
        "Cameras": f"{tables.short(config.cameras_path)} (averages)",
        "Solver": f"{config.solver}, {config.dtype}",
        "Models weigh by": _WEIGHED_BY[config.evidence],
    }


def table(scores: Scores, metric: int) -> str:
    """The table of metrics 0, 1 and 2 by action, in mm, as plain text.

    Args:
      scores: of every frame.
      metric: the one to mark, whose errors are stored.
    """
    width = max(map(len, (*ACTIONS, tables.ACTION_MEAN)))
    names = [f"{n}{'*' if k == metric else ''}" for k, n in enumerate(_METRIC_NAMES)]
    lines = [f"{'mm':{width}}  frames" + "".join(f"{name:>11}" for name in names)]
    for label, frames, means in tables.rows(
        scores.actions, scores.training_errors_mm, ACTIONS
    ):
        cells = [f"{cell:>11}" for cell in tables.cells(means)]
        lines.append(f"{label:{width}}  {frames:>6}" + "".join(cells))
    return "\n".join(lines)


def missing_files(frames: ActionFrames) -> str:
    """Names the actions and files that are not there, or says that all are."""
    if frames.prepared:
        lacks = ", ".join(frames.missing)
        said = f"No samples, left out of every mean: {lacks}."
        return said if lacks else "All actions are there."
    if not frames.missing:
        return "All files are there."
    missing = set(frames.missing)
    absent = [a for a in ACTIONS if missing.issuperset(action_file_names(a))]
    missing.difference_update(*map(action_file_names, absent))
    sentences = []
    if absent:
        sentences.append(f"No files, left out of every mean: {', '.join(absent)}.")
    if missing:
        lone = ", ".join(name for name in frames.missing if name in missing)
        sentences.append(f"Missing, the action's other take evaluated alone: {lone}.")
    return " ".join(sentences)


def markdown(
    frames: ActionFrames,
    scores: Scores,
    *,
    metric: int,
    subsample: int,
    lifter: Mapping[str, str],
    pictures: Mapping[str, int],
) -> str:
    """The whole report, Markdown.

    Args:
      frames: the frames evaluated.
      scores: of those frames.
      metric: 0, 1 or 2, the one whose errors are stored.
      subsample: every how many frames of each file, or take, one was used.
      lifter: what the lifter was made from, by headword.
      pictures: for "best", "median" and so on the number of the frame shown in
        `images/<name>.png`.
    """
    every = f"frames [::{subsample}]" if subsample > 1 else "all frames"
    protocol = [
        f"- {word}: {text}"
        for word, text in {
            "Frames": f"{len(frames)}, {every} of each {_whole(frames)}. "
            f"{missing_files(frames)}",
            "Stored in `errors.npy` and `tabled_res.npy`": f"metric {metric}",
            **lifter,
        }.items()
    ]
    sections = {
        "Training errors by action (mm, 17 joints)": tables.markdown_table(
            scores.actions, scores.training_errors_mm, _METRIC_NAMES, ACTIONS
        ),
        "Common measures by action (16 joints, without joint 9)": tables.markdown_table(
            scores.actions, scores.common_16, tables.COMMON_NAMES, ACTIONS
        ),
        "Common measures by action (all 17 joints)": tables.markdown_table(
            scores.actions, scores.common_17, tables.COMMON_NAMES, ACTIONS
        ),
        "Protocol": "\n".join([*protocol, _MEANING]),
        f"Frames of note (by metric {metric})": "\n\n".join(
            _picture(name, frames.source(number), scores.training_errors_mm[number])
            for name, number in pictures.items()
        ),
    }
    return "# Evaluation\n" + "".join(
        f"\n## {title}\n\n{text}\n" for title, text in sections.items()
    )


def _whole(frames: ActionFrames) -> str:
    """What frames were chosen of, in words that follow "each"."""
    if frames.prepared:
        return f"take in the test part of {frames.files[0]}"
    return f"of {len(frames.files)} files in `testing/`"


def _picture(name: str, source: str, errors_mm: np.ndarray) -> str:
    errors = ", ".join(
        f"{metric} {error:.2f} mm"
        for metric, error in zip(_METRIC_NAMES, errors_mm, strict=True)
    )
    return f"{name.capitalize()}: {source}; {errors}\n\n![{name}](../images/{name}.png)"
