"""Pictures of a session over time: reprojection by view, lengths of bones."""

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from human_pose.calibrated.evaluation import detections, motion_measures
from human_pose.exchange.poses import Poses
from human_pose.geometry.skeleton import Skeleton
from human_pose.runs import drawing

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS: Final = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#000000", "#8C8C00"),
)
_LINES: Final = ("solid", "dashed", "dotted", "dashdot")
_MOST_POINTS: Final = 2000  # of a curve; more are not seen


def reprojection_figure(poses: Poses) -> Figure:
    """Median reprojection error of each view over time; swaps as bars below."""
    figure, axes, time = _axes(poses, "median reprojection error (px)")
    errors = detections.medians_px(poses)[_shown(poses)]
    top = float(errors[np.isfinite(errors)].max(initial=1.0))
    for v, name in enumerate(poses.view_names):
        style: dict[str, Any] = {
            "color": COLOURS[v % len(COLOURS)],
            "linestyle": _LINES[v // len(COLOURS) % len(_LINES)],
            "linewidth": 1.2,
        }
        axes.plot(time, errors[:, v], label=drawing.plain(name), **style)
        swapped = np.asarray(poses.swapped[:, v].any(axis=-1))[_shown(poses)]
        level = -0.03 * (v + 1) * top
        axes.plot(time, np.where(swapped, level, np.nan), **style | {"linewidth": 3})
    axes.axhline(0, color=drawing.FRAME_COLOUR, linewidth=0.6)
    _legend(axes)
    return figure


def bones_figure(
    poses: Poses, others: dict[str, np.ndarray], skeleton: Skeleton
) -> Figure:
    """Lengths of the long bones over time, ours dark and one other's pale.

    Args:
      poses: ours.
      others: joints `[F, J, 3]`, mm, of at most one other method, by its name.
      skeleton: of the others' joints.
    """
    figure, axes, time = _axes(poses, "length (mm)")
    names = [*motion_measures.LONG_BONES]
    pale = {"alpha": 0.35, "linewidth": 0.7}
    for joints in others.values():
        bones = motion_measures.long_bones(skeleton)
        _draw(axes, time, joints[_shown(poses)], names, bones, pale)
    ours = motion_measures.long_bones(poses.skeleton)
    joints = poses.joints_3d_mm[_shown(poses)]
    _draw(axes, time, joints, names, ours, {"linewidth": 1.6})
    for name in ours:
        axes.plot([], [], color=COLOURS[names.index(name)], label=name)
    _limit(axes, poses, ours)
    _legend(axes)
    return figure


def _draw(
    axes: Axes,
    time: np.ndarray,
    joints_mm: np.ndarray,
    names: list[str],
    bones: dict[str, list[tuple[int, int]]],
    style: dict[str, Any],
) -> None:
    for name, ends in bones.items():
        lengths = motion_measures.lengths_mm(joints_mm, ends)
        for side, length in enumerate(lengths.T):
            colour = COLOURS[names.index(name)]
            line = _LINES[0 if "alpha" in style else side]
            axes.plot(time, length, color=colour, linestyle=line, **style)


def _axes(poses: Poses, label: str) -> tuple[Figure, Axes, np.ndarray]:
    figure = Figure(figsize=(9, 3.4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    one = len(np.unique(poses.sequence)) <= 1
    time = poses.frames if one else np.arange(len(poses))
    axes.set_xlabel("frame" if one else "frame, all takes in a row")
    axes.set_ylabel(label)
    axes.grid(color=drawing.GRID_COLOUR, linewidth=0.6)
    axes.spines[:].set_color(drawing.FRAME_COLOUR)
    return figure, axes, time[_shown(poses)]


def _legend(axes: Axes) -> None:
    """Above the axes, where no curve is."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1)}
    axes.legend(frameon=False, ncols=6, fontsize="small", **place)


def _limit(axes: Axes, poses: Poses, bones: dict[str, list[tuple[int, int]]]) -> None:
    """Room for our curves; others' outliers may leave it."""
    ends = [end for pairs in bones.values() for end in pairs]
    lengths = motion_measures.lengths_mm(poses.joints_3d_mm, ends)
    known = lengths[np.isfinite(lengths)]
    if known.size:
        axes.set_ylim(0.75 * known.min(), 1.35 * known.max())


def _shown(poses: Poses) -> slice:
    return slice(None, None, -(-len(poses) // _MOST_POINTS) or 1)
