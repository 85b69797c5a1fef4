"""From a camera's frame, or a stored picture, to the 224 px picture of a person.

A picture's square from corner to corner shows the person. (0, 0) is the middle of a
first pixel, and the middle of the 224 px picture's pixel u lies at `x1 + u (x2 - x1) /
224`: joints (`to_picture`) and pixels (`cropped`, `cutting.cut`) are mapped by the same
rule, and a crop of a crop is where one crop of both would be.
"""

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from human_pose.datasets.images.picture_file import (
    IMAGE_SIZE_PX,
    PictureFile,
    check_image,
)
from human_pose.files.errors import InputError
from human_pose.geometry.limits import MIN_BOX_PX
from human_pose.media.pictures import BACKGROUND

# Side of the box over the larger extent of the joints: in the original's example a
# standing person's joints take 86 % of the box.
_MARGIN: Final = 1.16
# A box so many times as large as the frame is of joints that are not in it.
_MOST_FRAMES: Final = 4.0
# The square of a picture of 224 px that is shown whole.
WHOLE: Final = (0.0, 0.0, float(IMAGE_SIZE_PX), float(IMAGE_SIZE_PX))


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
    _check_square("the joints' box", box, np.array([width_px, height_px]))
    return box


def check_shown(path: str | os.PathLike[str], square_px: np.ndarray) -> PictureFile:
    """Checks a stored picture, and that a square shows some of it.

    Args:
      path: the picture's.
      square_px: `[4]`, x1 y1 x2 y2, px of the picture.

    Raises:
      InputError: naming the file and the rule.
    """
    picture = check_image(path)
    what = f"{path}: the square of center_x, center_y and scale"
    _check_square(what, square_px, np.array(picture.size_px))
    return picture


def check_as_kept(path: str | os.PathLike[str], size_px: Sequence[int]) -> None:
    """Checks a stored picture whose square was chosen when it had a certain size.

    Args:
      path: the picture's.
      size_px: its width and height then.

    Raises:
      InputError: naming the file and the rule.
    """
    picture = check_image(path)
    if picture.size_px != tuple(size_px):
        width_px, height_px = size_px
        raise InputError(
            f"{path}: must be {width_px} x {height_px} px, as when the index was kept; "
            f"received {picture.width_px} x {picture.height_px}"
        )


def is_whole(picture: PictureFile, square_px: np.ndarray) -> bool:
    """Whether a stored picture is the 224 px one itself."""
    return picture.is_of_size and np.array_equal(square_px, WHOLE)


def _check_square(what: str, box: np.ndarray, size_px: np.ndarray) -> None:
    """Refuses a square that shows nothing, by a line that begins with `what`."""
    side = (box[2:] - box[:2]).max()
    most = _MOST_FRAMES * size_px.max()
    if not MIN_BOX_PX <= side <= most:
        raise InputError(
            f"{what} must have a side from {MIN_BOX_PX:g} to {most:g} px; "
            f"it has {side:g}"
        )
    if not inside(box, size_px).any(axis=-1).all():
        width_px, height_px = size_px
        raise InputError(
            f"{what} must show some of the {width_px} x {height_px} px frame; "
            f"it is {' '.join(f'{value:g}' for value in box)}"
        )


def inside(square_px: np.ndarray, size_px: np.ndarray) -> np.ndarray:
    """Which columns and rows of the 224 px picture lie in the one it is made of.

    Args:
      square_px: `[4]`, x1 y1 x2 y2, px of that picture.
      size_px: `[2]`, its width and height.

    Returns:
      bool `[2, 224]`, x first: where pixels have their middles. `cutting` goes by the
      same rule.
    """
    low, high = square_px.astype(np.float64).reshape(2, 2)
    step = (high - low) / IMAGE_SIZE_PX
    middles = low[:, None] + np.arange(IMAGE_SIZE_PX) * step[:, None]
    within: np.ndarray = (middles >= -0.5) & (middles < size_px[:, None])
    return within


def to_picture(points_px: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """Points of a camera's frame `[..., 2]` in the 224 px pictures of `[..., 4]`.

    Or of stored pictures, whose squares are the boxes then.
    """
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
