"""Pictures of one moment: what was found in each view, and the pose in the world."""

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1.evaluation.pictures import draw_on_image, places_in
from human_pose.runs import drawing


def moment_figure(
    images: Any,
    joints_2d: Any,
    covariance: Any,
    reprojected: Any,
    pose_mm: Any,
    truth_mm: Any,
    title: str,
) -> Figure:
    """Draws one moment.

    Args:
      images: `[V, S, S, 3]`, as the network takes them.
      joints_2d: `[V, J, 2]`, detections, [0, 1] across the images.
      covariance: `[V, J, 2, 2]`, of their errors in that unit, drawn as ellipses.
      reprojected: `[V, J, 2]`, images of the pose, likewise, drawn as crosses.
      pose_mm: `[J, 3]`, world, z up.
      truth_mm: likewise.
      title: above everything.
    """
    views = len(images)
    figure = Figure(figsize=(13, 7.5), dpi=110)
    grid = figure.add_gridspec(2, 1, height_ratios=(1, 1.25))
    above = grid[0].subgridspec(1, views, wspace=0.1)
    below = grid[1].subgridspec(1, len(drawing.AZIMUTHS_DEG), wspace=0.1)
    for view in range(views):
        axes = figure.add_subplot(above[view])
        draw_on_image(axes, images[view], joints_2d[view])
        _draw_doubt(axes, joints_2d[view], covariance[view], len(images[view]))
        places = places_in(reprojected[view], len(images[view]))
        axes.plot(*places.T, "+", color="white", markersize=5, markeredgewidth=1.2)
        axes.set(xlim=(-0.5, len(images[view]) - 0.5))
        axes.set(ylim=(len(images[view]) - 0.5, -0.5))
        axes.set_title(f"view {view + 1}", fontsize="small")
    for column, azimuth_deg in enumerate(drawing.AZIMUTHS_DEG):
        with rc_context(drawing.ROOM_LOOK):
            room = figure.add_subplot(below[column], projection="3d")
        poses = (np.asarray(pose_mm), np.asarray(truth_mm))
        drawing.draw_poses(room, *poses, skeleton=IMAGE_16, azimuth_deg=azimuth_deg)
    figure.suptitle(drawing.plain(title), fontsize="medium")
    _explain(figure)
    return figure


def _explain(figure: Figure) -> None:
    """Says in one line what is drawn."""
    line, grey = "#404040", "#808080"
    marks = {"color": grey, "linestyle": "none"}
    looks: dict[str, dict[str, Any]] = {
        "detections": {"color": line, "marker": "o", "markersize": 4},
        "one deviation": {**marks, "marker": "o", "fillstyle": "none", "markersize": 9},
        "the pose in the view": {**marks, "marker": "+", "markersize": 8},
        "pose": {"color": line, "linewidth": 2.5},
        "truth": {"color": line, "linestyle": "dashed"},
    }
    handles = [Line2D([], [], label=name, **look) for name, look in looks.items()]
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.96),
        ncols=len(handles),
        frameon=False,
        fontsize="small",
    )


def _draw_doubt(axes: Axes, joints_2d: Any, covariance: Any, size: int) -> None:
    """Ellipses of one deviation about detections."""
    values, vectors = np.linalg.eigh(np.asarray(covariance))
    across, along = 2 * size * np.sqrt(values.T)
    axes.add_collection(
        EllipseCollection(
            along,
            across,
            np.degrees(np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1])),
            units="xy",
            offsets=places_in(joints_2d, size),
            transOffset=axes.transData,
            facecolors="none",
            edgecolors="white",
            linewidths=0.6,
            alpha=0.8,
        )
    )
