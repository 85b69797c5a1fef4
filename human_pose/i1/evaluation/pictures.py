"""Pictures of a network's work: joints over the image, heatmaps, and the pose in 3D."""

from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1.config import CROP_SIZE_PX
from human_pose.i1.sample import Sample
from human_pose.runs import drawing

# Of what the network takes, (grey level - 128) / 256.
_MIDDLE: Final = 128.0
_RANGE: Final = 256.0
_WHITE: Final = 255


def sample_figure(sample: Sample, title: str, figure: Figure | None = None) -> Figure:
    """Draws what was found in a picture; see `pose_figure`."""
    return pose_figure(
        sample.image,
        sample.joints_2d,
        sample.relative_mm,
        heatmap=sample.heatmap,
        heatmap2=sample.heatmap2,
        title=title,
        figure=figure,
    )


def pose_figure(
    image: Any,
    joints_2d: Any,
    pose_mm: Any,
    truth_mm: Any = None,
    *,
    heatmap: Any = None,
    heatmap2: Any = None,
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """Draws one sample.

    Args:
      image: `[S, S, 3]`, as the network takes it: blue first, (grey - 128) / 256.
      joints_2d: `[16, 2]`, [0, 1] across the image.
      pose_mm: `[16, 3]`, camera frame, mm.
      truth_mm: likewise, or None.
      heatmap: `[H, W, 16]` of the first stage, or None.
      heatmap2: `[H, W, 16, D]` of the second, or None.
      title: above everything; any characters.
      figure: an empty figure to draw into, for example a window's.

    Returns:
      The figure.
    """
    figure = figure or Figure()
    maps = [] if heatmap is None else [_highest(heatmap)]
    if heatmap2 is not None:
        volume = np.asarray(heatmap2)
        maps.append(volume.max(axis=(2, 3)))
        maps.append(volume.max(axis=(0, 2)).T)  # depth down, columns across
    figure.set_size_inches(13, 4.6 if not maps else 7.2)
    grid = figure.add_gridspec(
        2 if maps else 1, 3, height_ratios=(1.7, 1)[: 2 if maps else 1], wspace=0.08
    )
    picture = figure.add_subplot(grid[0, 0])
    draw_on_image(picture, image, joints_2d)
    poses = [_upright(pose_mm), None if truth_mm is None else _upright(truth_mm)]
    for column, azimuth_deg in enumerate(drawing.AZIMUTHS_DEG, start=1):
        with rc_context(drawing.ROOM_LOOK):
            room = figure.add_subplot(grid[0, column], projection="3d")
        drawing.draw_poses(room, *poses, skeleton=IMAGE_16, azimuth_deg=azimuth_deg)
    names = ("stage 1: highest of all joints", "volume from the front", "from above")
    for column, (name, values) in enumerate(zip(names, maps, strict=False)):
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(values, cmap="magma", aspect="auto" if column == 2 else "equal")
        axes.set_title(name, fontsize="small")
        axes.set(xticks=[], yticks=[])
    figure.suptitle(drawing.plain(title), fontsize="medium")
    return figure


def draw_on_image(axes: Axes, image: Any, joints_2d: Any) -> None:
    """Draws joints `[16, 2]`, [0, 1], over an image `[S, S, 3]` of the network's."""
    grey = np.asarray(image, np.float32)[..., ::-1] * _RANGE + _MIDDLE
    axes.imshow(np.clip(grey, 0, _WHITE).astype(np.uint8))
    joints_px = places_in(joints_2d, len(grey))
    drawing.draw_skeleton(axes, joints_px, drawing.DETECTION, skeleton=IMAGE_16)
    axes.set(xticks=[], yticks=[])


def places_in(joints_2d: Any, size: int) -> np.ndarray:
    """Where joints are in an image of the network's, whose pixels' middles are whole.

    Args:
      joints_2d: `[..., 2]`, [0, 1] across the image: 0 is the middle of the first pixel
        of the crop.
      size: S, px of the image; its pixels are means over those of the crop.

    Returns:
      float `[..., 2]`, px.
    """
    crop_px = np.asarray(joints_2d) * CROP_SIZE_PX
    places: np.ndarray = (crop_px + 0.5) * size / CROP_SIZE_PX - 0.5
    return places


def _highest(heatmap: Any) -> np.ndarray:
    return np.asarray(heatmap).max(axis=-1)


def _upright(pose_mm: Any) -> np.ndarray:
    """From the camera's axes, y down and z away, to drawing's, z up."""
    x, y, z = np.moveaxis(np.asarray(pose_mm, np.float64), -1, 0)
    return np.stack([x, z, -y], axis=-1)
