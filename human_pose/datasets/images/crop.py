"""From a camera's frame to the 224 px picture of a person."""

from typing import Final

import numpy as np
from PIL import Image

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.files.errors import InputError
from human_pose.geometry.limits import MIN_BOX_PX
from human_pose.media.pictures import BACKGROUND

# Side of the box over the larger extent of the joints: in the original's example a
# standing person's joints take 86 % of the box.
_MARGIN: Final = 1.16
# A box so many times as large as the frame is of joints that are not in it.
_MOST_FRAMES: Final = 4.0


def box_of(joints_px: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """The square about a person, whole pixels, which may reach beyond the frame.

    Args:
      joints_px: `[J, 2]`, px of the frame.
      width_px: of the frame.
      height_px: of the frame.

    Returns:
      float64 `[4]`, x1 y1 x2 y2.

    Raises:
      InputError: if it would have no size, or lies outside of the frame.
    """
    low, high = joints_px.min(axis=0), joints_px.max(axis=0)
    side = np.rint(_MARGIN * (high - low).max())
    corner = np.rint((low + high) / 2 - side / 2)
    box: np.ndarray = np.concatenate([corner, corner + side])
    size = np.array([width_px, height_px])
    if not MIN_BOX_PX <= side <= _MOST_FRAMES * size.max():
        raise InputError(
            f"the joints' box must have a side from {MIN_BOX_PX:g} to "
            f"{_MOST_FRAMES * size.max():g} px; it has {side:g}"
        )
    if np.any(corner >= size) or np.any(corner + side <= 0):
        raise InputError(
            f"the joints' box must show some of the {width_px} x {height_px} px frame; "
            f"it is {' '.join(f'{value:g}' for value in box)}"
        )
    return box


def to_picture(points_px: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """Points of a camera's frame `[..., 2]` in the 224 px pictures of `[..., 4]`."""
    corner = box_px[..., :2]
    return (points_px - corner) * IMAGE_SIZE_PX / (box_px[..., 2:] - corner)


def cropped(frame: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """A square of a frame at 224 px.

    The middle of the picture's pixel u is the frame's `x1 + u (x2 - x1) / 224`, as in
    the layout's joints; grey is what lies outside of the frame.

    Args:
      frame: uint8 `[H, W, 3]`.
      box_px: `[4]`, x1 y1 x2 y2, of whole pixels; `box_of` makes it.

    Returns:
      uint8 `[224, 224, 3]`.
    """
    x1, y1, x2, _ = (int(value) for value in box_px)
    scale = (x2 - x1) / IMAGE_SIZE_PX
    # A pixel's middle is half a pixel from its edge, in the frame and in the picture.
    shift = 0.5 - 0.5 * scale
    pad = int(np.ceil(abs(shift))) + 1
    side = x2 - x1 + 2 * pad
    canvas = np.full((side, side, 3), BACKGROUND, np.uint8)
    left, top = x1 - pad, y1 - pad
    height, width = frame.shape[:2]
    rows = slice(max(top, 0), min(top + side, height))
    columns = slice(max(left, 0), min(left + side, width))
    canvas[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ] = frame[rows, columns]
    start = pad + shift
    region = (start, start, start + x2 - x1, start + x2 - x1)
    picture = Image.fromarray(canvas).resize(
        (IMAGE_SIZE_PX, IMAGE_SIZE_PX), Image.Resampling.BICUBIC, region
    )
    return np.asarray(picture)
