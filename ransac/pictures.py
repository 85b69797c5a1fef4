"""Pictures of the toy: energies with their estimates, and curves of learning.

One look everywhere: the implicit variant vermilion, the trust region blue, the truth
green and dashed. Only Matplotlib's object interface is used: nothing needs a display.
"""

import os
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from human_pose.files.paths import atomic
from ransac.learning import Record, Variant
from ransac.problems import Problems

# Okabe and Ito's colours, told apart by colour-blind readers too.
VARIANT_COLOURS: Final = ("#D55E00", "#0072B2")
_TRUTH_COLOUR: Final = "#009E73"
_OUTLIER_COLOUR: Final = "#808080"
_DOTS_PER_INCH: Final = 120
_DOTS: Final = {
    "linestyle": "",
    "marker": "o",
    "markersize": 1.2,
    "markeredgewidth": 0,
    "alpha": 0.5,
}
# Steps that the running loss is averaged over.
RUNNING: Final = 500


class View(NamedTuple):
    """One energy to draw.

    Attributes:
      time: when in the run.
      sigma: then.
      x: where the energy was evaluated, `[S]`.
      energy: there, `[S]`.
      estimate: of the mean.
    """

    time: str
    sigma: float
    x: np.ndarray
    energy: np.ndarray
    estimate: float


def draw_energies(
    path: str | os.PathLike[str],
    problem: Problems,
    variants: Sequence[Variant],
    rows: Sequence[Sequence[View]],
) -> None:
    """Draws energies with the problem's points, the estimates and the truth.

    Args:
      path: the picture.
      problem: one, `[A]` inliers and `[B]` outliers.
      variants: of the rows.
      rows: a row for each variant, of views at different times.
    """
    figure = Figure(figsize=(5 * len(rows[0]), 3 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False, sharex=True)
    legend: dict[str, Any] = {}
    for row, (variant, views) in enumerate(zip(variants, rows, strict=True)):
        for axes, view in zip(grid[row], views, strict=True):
            axes.set_title(f"{variant.name}, {view.time}: sigma = {view.sigma:.3g}")
            _draw_energy(axes, problem, view)
            axes.axvline(
                view.estimate,
                color=VARIANT_COLOURS[row],
                label=f"{variant.name} estimate",
            )
            handles, labels = axes.get_legend_handles_labels()
            legend.update(zip(labels, handles, strict=True))
    for axes in grid[-1]:
        axes.set_xlabel("x")
    for axes in grid[:, 0]:
        axes.set_ylabel("energy")
    figure.legend(
        legend.values(), legend.keys(), loc="outside lower center", ncols=len(legend)
    )
    _save(figure, path)


def draw_learning(
    path: str | os.PathLike[str], variants: Sequence[Variant], record: Record
) -> None:
    """Draws σ², |gradient| and the running loss over steps.

    Args:
      path: the picture.
      variants: of the record.
      record: of one stream, `[T, 1, V]`.
    """
    figure = Figure(figsize=(9, 9), layout="constrained")
    width, slope, loss = figure.subplots(3, sharex=True)
    steps = np.arange(len(record.loss))
    for column, variant in enumerate(variants):
        look: dict[str, Any] = {
            "color": VARIANT_COLOURS[column],
            "label": variant.name,
            "linewidth": 0.9,
        }
        # Opaque lines of one variant would hide the other.
        width.semilogy(steps, record.sigma[:, 0, column] ** 2, alpha=0.8, **look)
        gradient = np.abs(record.grad[:, 0, column])
        positive = np.where(gradient > 0, gradient, np.nan)
        slope.semilogy(steps, positive, **{**look, **_DOTS})
        loss.plot(steps, running_mean(record.loss[:, 0, column], RUNNING), **look)
    width.set_ylabel("sigma²")
    slope.set_ylabel("|gradient|")
    loss.set_ylabel(f"loss, mean of {RUNNING} steps")
    loss.set_xlabel("step")
    for axes in (width, slope, loss):
        axes.grid(color="#DDDDDD", linewidth=0.6)
        axes.legend(loc="upper right", markerscale=4)
    _save(figure, path)


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of the last `window` values, of fewer at the start; `[T]`.

    Each is of its own values: a huge one, or NaN, changes no mean that is not of it.
    """
    window = min(window, len(values))
    filled = np.concatenate([np.zeros(window - 1), values])
    sums = np.lib.stride_tricks.sliding_window_view(filled, window).sum(axis=-1)
    means: np.ndarray = sums / np.minimum(np.arange(1, len(values) + 1), window)
    return means


def _draw_energy(axes: Axes, problem: Problems, view: View) -> None:
    axes.plot(view.x, view.energy, color="black", linewidth=1, label="energy")
    floor, ceiling = np.min(view.energy), np.max(view.energy)
    room = 0.08 * max(ceiling - floor, np.finfo(float).tiny)
    # Points lie in two rows below the energy, where they hide nothing.
    for level, points, color, label in (
        (1, problem.outliers, _OUTLIER_COLOUR, "outliers"),
        (2, problem.inliers, _TRUTH_COLOUR, "inliers"),
    ):
        height = np.full(len(points), floor - level * room)
        axes.plot(points, height, "|", color=color, markersize=7, label=label)
    truth = np.mean(problem.inliers)
    axes.axvline(truth, color=_TRUTH_COLOUR, linestyle="--", label="truth")


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    FigureCanvasAgg(figure)
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=_DOTS_PER_INCH)
