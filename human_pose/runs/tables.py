"""Tables of means by action, in words."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.files.paths import PROJECT_ROOT
from human_pose.runs.measures import (
    COMMON_MEASURES,
    action_means,
    mean_over_actions,
    mean_over_frames,
)

FRAME_MEAN: Final = "mean over frames"
ACTION_MEAN: Final = "mean over actions"
_NO_FRAMES: Final = "-"
COMMON_NAMES: Final = tuple(f"{m.name} ({m.unit})" for m in COMMON_MEASURES)


def markdown_table(
    actions: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    labels: Sequence[str],
) -> str:
    """A table of means by action, then over frames and over actions.

    Args:
      actions: int `[F]`, index into `labels`.
      values: `[F, K]`.
      names: of the K columns.
      labels: of the actions.
    """
    lines = [
        [label, str(frames), *cells(means)]
        for label, frames, means in rows(actions, values, labels)
    ]
    return markdown(["action", "frames", *names], lines)


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown: the first column of words, the others of numbers.

    Args:
      head: of the columns.
      lines: the cells of each; a `|` within one stays one cell.
    """
    under = ["---"] + ["---:"] * (len(head) - 1)
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in (head, *lines)]
    written = [escaped[0], under, *escaped[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in written)


def rows(
    actions: np.ndarray, values: np.ndarray, labels: Sequence[str]
) -> list[tuple[str, int, np.ndarray]]:
    """Label, number of frames and means of each action and of both overall means."""
    counts = np.bincount(actions, minlength=len(labels)).tolist()
    rows = list(zip(labels, counts, action_means(actions, values, labels), strict=True))
    rows.append((FRAME_MEAN, len(values), mean_over_frames(values)))
    rows.append((ACTION_MEAN, len(values), mean_over_actions(actions, values)))
    return rows


def cells(means: np.ndarray) -> list[str]:
    """Means in words; NaN, the mean of nothing, is a dash."""
    return [_NO_FRAMES if np.isnan(mean) else f"{mean:.2f}" for mean in means]


def short(path: str | os.PathLike[str]) -> str:
    """The path from the project's root, where it lies there."""
    path = Path(path)
    if path.is_relative_to(PROJECT_ROOT):
        path = path.relative_to(PROJECT_ROOT)
    return f"`{path}`"
