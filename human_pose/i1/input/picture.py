"""Any picture of a person, cut out as the network takes it."""

import math
import os
from collections.abc import Sequence
from typing import Any, Final, TypeGuard

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.files.errors import InputError
from human_pose.geometry.limits import MIN_BOX_PX
from human_pose.i1.config import CROP_SIZE_PX
from human_pose.i1.input import placement, resampling
from human_pose.media.pictures import read_picture

# A file, or uint8 `[H, W, 3]`, red first.
Picture = str | os.PathLike[str] | np.ndarray
Four = tuple[float, float, float, float]

# Of a box: 200 megabytes in single precision.
_MOST_AT_ONCE: Final = 1 << 24


def is_path(picture: Any) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a picture is given as a file."""
    return isinstance(picture, str | os.PathLike)


def pixels_of(picture: Picture) -> np.ndarray:
    """The pixels of a file or an array, uint8 `[H, W, 3]`, red first.

    Raises:
      InputError: naming the file, or the argument, and the rule.
    """
    if is_path(picture):
        return read_picture(picture)
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise InputError(
            "picture",
            "must be a file or uint8 [H, W, 3], red first; received "
            f"{picture.dtype} {list(picture.shape)}",
        )
    if not picture.size:
        raise InputError("picture", f"must have pixels; it is {list(picture.shape)}")
    return picture


def cut_out(picture: np.ndarray, box: tuple[int, int, int, int]) -> tf.Tensor:
    """A box of a picture, resized to the size of a stored one.

    Args:
      picture: uint8 `[H, W, 3]`, red first.
      box: x1, y1, x2, y2, px; may leave the picture, whose edge then continues.

    Returns:
      uint8 `[224, 224, 3]`, red first; its pixels are mapped by `joints_box`.
    """
    x1, y1, x2, y2 = box
    side = IMAGE_SIZE_PX
    if (x2 - x1) * (y2 - y1) <= _MOST_AT_ONCE:
        across = _part(picture, x1, x2, axis=1)
        resized = _resized(_part(across, y1, y2, axis=0), (side, side))
    else:
        # One axis after the other: the whole box is never there at its full size.
        rows = _resized(_part(picture, x1, x2, axis=1), (len(picture), side))
        resized = _resized(_part(rows.numpy(), y1, y2, axis=0), (side, side))
    return _whole_levels(resized)


def joints_box(box: tuple[int, int, int, int]) -> Four:
    """By which joints in a cut-out box are mapped to the picture, as `codec` does.

    A box's sides are edges of pixels here, but the joints are coordinates of pixels'
    middles: the middle of the first of 224 is not that of the box's first pixel.

    Args:
      box: as of `cut_out`.

    Returns:
      x1, y1, x2, y2, px, such that the middle of `cut_out`'s pixel u is the picture's
      `x1 + u (x2 - x1) / 224`.
    """
    x1, y1, x2, y2 = box
    right, down = ((n / IMAGE_SIZE_PX - 1) / 2 for n in (x2 - x1, y2 - y1))
    return x1 + right, y1 + down, x2 + right, y2 + down


def network_inputs(cut_outs: Sequence[tf.Tensor], size: int) -> tf.Tensor:
    """What the network takes of pictures, as at test time.

    Args:
      cut_outs: B of `cut_out`.
      size: S, a divisor of 256.

    Returns:
      float32 `[B, S, S, 3]`, blue first, (grey level - 128) / 256.

    Raises:
      InputError: for another size, which networks may have but crops cannot.
    """
    if CROP_SIZE_PX % size:
        rule = f"must be a divisor of {CROP_SIZE_PX}, to find people in pictures"
        raise InputError("input_size", rule, size)
    # In groups of one size, because each size is compiled, but for that of one alone.
    group = resampling.GROUP if len(cut_outs) > 1 else 1
    filled = [*cut_outs, *[cut_outs[-1]] * (-len(cut_outs) % group)]
    where = placement.at_test([group])
    inputs = []
    for first in range(0, len(filled), group):
        pictures = tf.stack(filled[first : first + group])
        inputs.append(
            resampling.network_input(resampling.crop_published(pictures, where), size)
        )
    return tf.concat(inputs, axis=0)[: len(cut_outs)]


def _part(picture: np.ndarray, first: int, end: int, axis: int) -> np.ndarray:
    """A part of a picture's rows or columns; beyond its edges these continue."""
    length = picture.shape[axis]
    inside = picture[(slice(None),) * axis + (slice(max(first, 0), min(end, length)),)]
    beyond = [(0, 0)] * picture.ndim
    beyond[axis] = (max(-first, 0), max(end - length, 0))
    return np.pad(inside, beyond, mode="edge") if any(beyond[axis]) else inside


def _resized(picture: np.ndarray, shape: tuple[int, int]) -> tf.Tensor:
    return tf.image.resize(picture, shape, "bicubic", antialias=True)


def _whole_levels(picture: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(tf.round(picture), 0, 255), tf.uint8)


def square_about(width: int, height: int) -> Four:
    """The square about the whole picture."""
    side = max(width, height)
    x1, y1 = (width - side) / 2, (height - side) / 2
    return x1, y1, x1 + side, y1 + side


def whole_box(box: Four, width: int, height: int) -> tuple[int, int, int, int]:
    """The least box of whole pixels about a box that may be used.

    Joints are mapped by it, too: by its own fractions they would be off the picture
    that the network sees.

    Raises:
      InputError: if it is empty, beside the picture, or reaches far beyond it.
    """
    x1, y1, x2, y2 = box
    if not (x2 - x1 >= MIN_BOX_PX and y2 - y1 >= MIN_BOX_PX):
        rule = f"must have x1 < x2 and y1 < y2, at least {MIN_BOX_PX:.0f} px apart"
        raise InputError("box", rule, box)
    if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        raise InputError("box", f"must meet the picture of {width}x{height} px", box)
    side = max(width, height)
    if min(x1, y1) < -side or x2 > width + side or y2 > height + side:
        rule = (
            f"must not leave the picture of {width}x{height} px by more than {side} px"
        )
        raise InputError("box", rule, box)
    return math.floor(x1), math.floor(y1), math.ceil(x2), math.ceil(y2)
