"""Any picture of a person, cut out as the network takes it."""

import math
import os
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.files.errors import InputError
from human_pose.geometry.limits import MIN_BOX_PX
from human_pose.i1.input import placement, resampling
from human_pose.media.pictures import read_picture

# A file, or uint8 `[H, W, 3]`, red first.
Picture = str | os.PathLike[str] | np.ndarray
Four = tuple[float, float, float, float]


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
      uint8 `[224, 224, 3]`, red first.
    """
    return _cut_out(picture, np.array(box, np.int32))


def network_inputs(cut_outs: Sequence[tf.Tensor], size: int) -> tf.Tensor:
    """What the network takes of pictures, as at test time.

    Args:
      cut_outs: B of `cut_out`.
      size: S, a divisor of 256.

    Returns:
      float32 `[B, S, S, 3]`, blue first, (grey level - 128) / 256.
    """
    opaque = tf.pad(tf.stack(cut_outs), [[0, 0], [0, 0], [0, 0], [0, 1]])
    crops = resampling.crop_published(opaque, placement.at_test([len(cut_outs)]))
    return resampling.network_input(crops, size)


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, 3], tf.uint8),
        tf.TensorSpec([4], tf.int32),
    ],
    autograph=False,
)
def _cut_out(picture: tf.Tensor, box: tf.Tensor) -> tf.Tensor:
    """See `cut_out`; one graph for all sizes, which spares half of the time."""
    x1, y1, x2, y2 = tf.unstack(box)
    # One axis after the other: the whole box is never there at its full size.
    across = _resized(picture, x1, x2, axis=1)
    resized = _resized(across, y1, y2, axis=0)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def _resized(picture: Any, first: Any, end: Any, axis: int) -> tf.Tensor:
    """A part of a picture's rows or columns, resized to the number of a stored one."""
    sides = tf.shape(picture)
    places = tf.clip_by_value(tf.range(first, end), 0, sides[axis] - 1)
    taken = tf.cast(tf.gather(picture, places, axis=axis), tf.float32)
    shape = [IMAGE_SIZE_PX if line == axis else sides[line] for line in (0, 1)]
    return tf.image.resize(taken, shape, "bicubic", antialias=True)


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
