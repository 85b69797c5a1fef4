"""An evaluation in words: the table a command prints, and `report.md`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.config import METRICS, LifterConfig
from human_pose.datasets.pose_files import ACTIONS, action_file_names
from human_pose.evaluation_data import ActionFrames
from human_pose.files import PROJECT_ROOT
from human_pose.scores import (
    COMMON_MEASURES,
    Scores,
    action_means,
    mean_over_actions,
    mean_over_frames,
)

FRAME_MEAN: Final = "mean over frames"
ACTION_MEAN: Final = "mean over actions"
_NO_FRAMES: Final = "-"

_METRIC_NAMES: Final = tuple(f"metric {metric}" for metric in METRICS)

COMMON_NAMES: Final = tuple(f"{m.name} ({m.unit})" for m in COMMON_MEASURES)

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


def describe(config: LifterConfig) -> dict[str, str]:
    """What a lifter was made from, in words, for the report's protocol."""
    check_path = config.check_path
    loaded = (
        "none; the default parameters" if check_path is None else _short(check_path)
    )
    if check_path is not None and config.as_published:
        loaded += ", hl_params and ir_reg left at 1 (as published)"
    return {
        "Checkpoint": loaded,
        "Mixture": f"{_short(config.mixture_path)}, {config.models} models",
        "Cameras": f"{_short(config.cameras_path)} (averages)",
        "Solver": f"{config.solver}, {config.dtype}",
    }


def table(scores: Scores, metric: int) -> str:
    """The table of metrics 0, 1 and 2 by action, in mm, as plain text.

    Args:
      scores: of every frame.
      metric: the one to mark, whose errors are stored.
    """
    width = max(map(len, (*ACTIONS, ACTION_MEAN)))
    names = [f"{n}{'*' if k == metric else ''}" for k, n in enumerate(_METRIC_NAMES)]
    lines = [f"{'mm':{width}}  frames" + "".join(f"{name:>11}" for name in names)]
    for label, frames, means in _rows(scores.actions, scores.training_errors_mm):
        cells = [f"{cell:>11}" for cell in _cells(means)]
        lines.append(f"{label:{width}}  {frames:>6}" + "".join(cells))
    return "\n".join(lines)


def missing_files(frames: ActionFrames) -> str:
    """Names the actions and files that are not there, or says that all are."""
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
      subsample: every how many frames of each file one was used.
      lifter: what the lifter was made from, by headword.
      pictures: for "best", "median" and so on the number of the frame shown in
        `images/<name>.png`.
    """
    every = f"frames [::{subsample}]" if subsample > 1 else "all frames"
    protocol = [
        f"- {word}: {text}"
        for word, text in {
            "Frames": f"{len(frames)}, {every} of each of {len(frames.files)} files in "
            f"`testing/`. {missing_files(frames)}",
            "Stored in `errors.npy` and `tabled_res.npy`": f"metric {metric}",
            **lifter,
        }.items()
    ]
    sections = {
        "Training errors by action (mm, 17 joints)": markdown_table(
            scores.actions, scores.training_errors_mm, _METRIC_NAMES
        ),
        "Common measures by action (16 joints, without joint 9)": markdown_table(
            scores.actions, scores.common_16, COMMON_NAMES
        ),
        "Common measures by action (all 17 joints)": markdown_table(
            scores.actions, scores.common_17, COMMON_NAMES
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


def markdown_table(
    actions: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str] = ACTIONS,
) -> str:
    """A table of means by action, then over frames and over actions.

    Args:
      actions: int `[F]`, index into `labels`.
      values: `[F, K]`.
      names: of the K columns.
      labels: of the 15 actions.
    """
    lines = [["action", "frames", *names], ["---"] + ["---:"] * (1 + len(names))]
    for label, frames, means in _rows(actions, values, labels):
        lines.append([label, str(frames), *_cells(means)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _rows(
    actions: np.ndarray, values: np.ndarray, labels: Sequence[str] = ACTIONS
) -> list[tuple[str, int, np.ndarray]]:
    """Label, number of frames and means of each action and of both overall means."""
    counts = np.bincount(actions, minlength=len(labels)).tolist()
    rows = list(zip(labels, counts, action_means(actions, values), strict=True))
    rows.append((FRAME_MEAN, len(values), mean_over_frames(values)))
    rows.append((ACTION_MEAN, len(values), mean_over_actions(actions, values)))
    return rows


def _cells(means: np.ndarray) -> list[str]:
    return [_NO_FRAMES if np.isnan(mean) else f"{mean:.2f}" for mean in means]


def _picture(name: str, source: str, errors_mm: np.ndarray) -> str:
    errors = ", ".join(
        f"{metric} {error:.2f} mm"
        for metric, error in zip(_METRIC_NAMES, errors_mm, strict=True)
    )
    return f"{name.capitalize()}: {source}; {errors}\n\n![{name}](../images/{name}.png)"


def _short(path: Path) -> str:
    """The path from the project's root, where it lies there."""
    if path.is_relative_to(PROJECT_ROOT):
        path = path.relative_to(PROJECT_ROOT)
    return f"`{path}`"
