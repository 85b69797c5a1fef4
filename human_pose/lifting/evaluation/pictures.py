"""Pictures of one frame: its detections in four views, and the 3D poses beside them."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mpl_toolkits.mplot3d import Axes3D

from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17
from human_pose.runs import drawing

_GRID_PX: Final = 100
_POSES_MIDDLE: Final = 0.76  # of the figure's width
_DOTS_PER_INCH: Final = 120


def frame_figure(
    joints_2d_px: Any,
    reconstruction_mm: Any,
    truth_mm: Any = None,
    *,
    title: str = "",
    skeleton: Skeleton = LIFTER_17,
    figure: Figure | None = None,
) -> Figure:
    """Draws one frame: its detections in every view, and the 3D poses beside them.

    Args:
      joints_2d_px: `[V, J, 2]`, pixels, y down; undetected joints are not drawn.
      reconstruction_mm: `[J, 3]`, mm, z up.
      truth_mm: `[J, 3]`, mm, in the same frame, or None.
      title: above the 3D poses, for example their error in mm; any characters.
      skeleton: of J joints.
      figure: an empty figure to draw into, for example a window's.

    Returns:
      The figure.
    """
    figure = figure or Figure()
    figure.set_size_inches(13, 6)
    figure.set_dpi(_DOTS_PER_INCH)
    views, rooms = _layout(figure, len(joints_2d_px))
    draw_views(views, joints_2d_px, skeleton=skeleton)
    poses = (reconstruction_mm, truth_mm)
    for room, azimuth_deg in zip(rooms, drawing.AZIMUTHS_DEG, strict=True):
        drawing.draw_poses(room, *poses, skeleton=skeleton, azimuth_deg=azimuth_deg)
    title = drawing.plain(title)
    figure.text(_POSES_MIDDLE, 0.955, title, ha="center", va="top", fontsize="large")
    figure.legend(
        handles=_legend(truth_mm is not None),
        loc="lower center",
        bbox_to_anchor=(_POSES_MIDDLE, 0.02),
        ncols=4,
        frameon=False,
        title=f"grid {drawing.GRID_MM} mm",
        title_fontsize="small",
    )
    return figure


def draw_views(
    views: Sequence[Axes],
    joints_2d_px: Any,
    visibility: Any = None,
    *,
    skeleton: Skeleton = LIFTER_17,
) -> None:
    """Draws the detections of one frame, each view in its axes, all at one scale.

    Args:
      views: one axes per view.
      joints_2d_px: `[V, J, 2]`, pixels, y down.
      visibility: `[V, J]`, zero where a joint is not drawn; default: at undetected
        joints, and those at (0, 0).
      skeleton: of J joints.
    """
    joints_2d_px = np.asarray(joints_2d_px, dtype=np.float64)
    visible = np.zeros(joints_2d_px.shape[:-1], dtype=bool)
    visible[:, skeleton.detected] = True
    visible &= (joints_2d_px != 0).any(axis=-1)
    if visibility is not None:
        visible = np.asarray(visibility) != 0
    seen = [joints[shown] for joints, shown in zip(joints_2d_px, visible, strict=True)]
    extent = max(drawing.extents_of(joints).max() for joints in seen)
    for number, (axes, joints) in enumerate(zip(views, seen, strict=True), start=1):
        drawing.draw_skeleton(
            axes,
            joints_2d_px[number - 1],
            drawing.DETECTION,
            visible[number - 1],
            skeleton=skeleton,
        )
        if len(joints):
            (left, right), (top, bottom) = drawing.limits_of(joints, extent)
            axes.set(xlim=(left, right), ylim=(bottom, top))  # y down
        axes.text(0.04, 0.95, f"view {number}", va="top", transform=axes.transAxes)
        axes.set_aspect("equal")
        axes.tick_params(labelsize="x-small", colors=drawing.TEXT_COLOUR, length=0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(drawing.grid_locator(_GRID_PX, extent))
        axes.grid(color=drawing.GRID_COLOUR, linewidth=0.6)
        axes.spines[:].set_color(drawing.FRAME_COLOUR)


def _layout(figure: Figure, count: int) -> tuple[list[Axes], list[Axes3D]]:
    """Axes of the views, four two by two, and of the 3D poses to their right."""
    columns = math.isqrt(count - 1) + 1
    halves = figure.add_gridspec(1, 2, width_ratios=(0.92, 1.08), wspace=0.02)
    halves.update(left=0.035, right=1, bottom=0.05, top=0.95)
    grid = halves[0].subgridspec(
        -(-count // columns), columns, wspace=0.16, hspace=0.12
    )
    views = [figure.add_subplot(grid[k]) for k in range(count)]
    grid = halves[1].subgridspec(1, len(drawing.AZIMUTHS_DEG), wspace=0)
    with rc_context(drawing.ROOM_LOOK):
        rooms = [
            figure.add_subplot(grid[k], projection="3d")
            for k in range(len(drawing.AZIMUTHS_DEG))
        ]
    return views, rooms


def _legend(with_truth: bool) -> list[Line2D]:
    kinds = {"reconstruction": drawing.RECONSTRUCTION}
    if with_truth:
        kinds["truth"] = drawing.TRUTH
    lines = [
        Line2D(
            [],
            [],
            color=drawing.MIDDLE_COLOUR,
            label=name,
            **drawing.line_options(style),
        )
        for name, style in kinds.items()
    ]
    sides = {"left side": drawing.LEFT_COLOUR, "right side": drawing.RIGHT_COLOUR}
    return lines + [
        Line2D(
            [],
            [],
            color=colour,
            label=name,
            **drawing.line_options(drawing.RECONSTRUCTION),
        )
        for name, colour in sides.items()
    ]
