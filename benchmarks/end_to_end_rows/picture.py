"""All outcomes of a folder in one picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from end_to_end_rows.arm import Outcome
from human_pose.runs import drawing

_WAYS = {"joint": drawing.LEFT_COLOUR, "apart": drawing.RIGHT_COLOUR}
# By setting, and by how it was trained.
_Rows = dict[str, dict[str, list[Outcome]]]


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draws errors before and after, a dot for each seed and a line for the mean.

    Args:
      outcomes: of any arms.
      path: of the picture.
    """
    pairs: _Rows = {}
    others: _Rows = {}
    for outcome in outcomes:
        way, _, setting = outcome.arm.partition(", ")
        if way in _WAYS:
            rows, name = pairs, setting or "as it is"
        else:
            rows, name, way = others, outcome.arm, "after"
        rows.setdefault(name, {}).setdefault(way, []).append(outcome)
    panels = [
        (rows, title)
        for rows, title in (
            (pairs, "Joint against apart"),
            (others, "Other ways to train"),
        )
        if rows
    ]
    lines = [len(rows) for rows, _ in panels]
    figure = Figure(figsize=(8, 1.2 * len(panels) + 0.36 * sum(lines)), dpi=110)
    figure.set_layout_engine("constrained")
    grid = figure.add_gridspec(len(panels), 1, height_ratios=[n + 1 for n in lines])
    for number, (rows, title) in enumerate(panels):
        axes = figure.add_subplot(grid[number])
        axes.set_title(title, loc="left", fontsize="medium")
        _draw_rows(axes, rows)
    figure.savefig(path)


def _draw_rows(axes: Axes, rows: _Rows) -> None:
    """One line for each setting, the first on top."""
    labels: dict[str, object] = {}
    for height, ways in enumerate(rows.values()):
        before_mm = next(iter(ways.values()))[0].before_mm
        labels["before"] = axes.scatter(
            before_mm, height, marker="|", s=90, color=drawing.TEXT_COLOUR
        )
        for way, found in ways.items():
            after = [outcome.after_mm for outcome in found]
            colour = _WAYS.get(way, drawing.MIDDLE_COLOUR)
            labels[f"{way}, each seed"] = axes.scatter(
                after, [height] * len(after), s=22, color=colour, alpha=0.6
            )
            mean = np.mean([each for each in after if np.isfinite(each)] or np.nan)
            axes.plot([mean] * 2, [height - 0.32, height + 0.32], color=colour)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("MPJPE of the test subjects about the hip, mm")
    axes.grid(axis="x", color=drawing.GRID_COLOUR)
    axes.set_axisbelow(True)
    axes.legend(
        list(labels.values()), list(labels), loc="lower right", bbox_to_anchor=(1, 1),
        ncols=len(labels), frameon=False, fontsize="small", handletextpad=0.2,
    )  # fmt: skip
