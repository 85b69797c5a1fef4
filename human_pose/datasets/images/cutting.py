"""Stored pictures, in a graph of TensorFlow, as the 224 px pictures of a person.

`crop.cropped` does the same to the frames of videos, by Pillow, for squares of whole
pixels. Pictures are read at each visit, on all cores, where Python would hold one up
for the other. Grey is what lies outside of the picture in both; here a pixel whose
middle is in the picture is made of the picture alone, because the edge of a stored
crop is not that of the camera's frame: grey must not shine in along it.

A picture of W px is the square from 0 to W, though its last pixel ends at W - 1/2 as
coordinates are of middles: the last half pixel is its edge, continued.
"""

from typing import Final

import tensorflow as tf

from human_pose.datasets.images.crop import WHOLE
from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.media.pictures import BACKGROUND

_CHANNELS: Final = 3
# libjpeg's exact method, which other readers of pictures use too.
_DCT_METHOD: Final = "INTEGER_ACCURATE"
# Catmull and Rom's, as Pillow's bicubic; stretched where pictures become smaller.
_KERNEL: Final = "keyscubic"
_KERNEL_RADIUS: Final = 2.0


def decoded(content: tf.Tensor) -> tf.Tensor:
    """A PNG or JPEG file's content, string `[]`: uint8 `[H, W, 3]`, red first.

    What does not show of a PNG picture is left out.
    """
    # The name is misleading: it tells by the content what the picture is.
    return tf.io.decode_jpeg(content, channels=_CHANNELS, dct_method=_DCT_METHOD)


def shown(picture: tf.Tensor, square_px: tf.Tensor) -> tf.Tensor:
    """The square of a stored picture that shows the person.

    Args:
      picture: uint8 `[H, W, 3]`, red first.
      square_px: float32 `[4]`, x1 y1 x2 y2, px of the picture, which it may leave.

    Returns:
      uint8 `[224, 224, 3]`: the picture itself, if that is what the square is.
    """
    size = [IMAGE_SIZE_PX, IMAGE_SIZE_PX, _CHANNELS]
    is_whole = tf.reduce_all(tf.shape(picture) == size) & tf.reduce_all(
        square_px == tf.constant(WHOLE, square_px.dtype)
    )
    return tf.ensure_shape(
        tf.cond(is_whole, lambda: picture, lambda: cut(picture, square_px)), size
    )


def cut(picture: tf.Tensor, square_px: tf.Tensor) -> tf.Tensor:
    """A square of a picture, resized to 224 px.

    The middle of the result's pixel u is the picture's `x1 + u (x2 - x1) / 224`, as of
    `crop.to_picture`.

    Args:
      picture: uint8 `[H, W, 3]`, red first.
      square_px: float `[4]`, x1 y1 x2 y2, px of the picture, which it may leave.

    Returns:
      uint8 `[224, 224, 3]`.
    """
    square_px = tf.cast(square_px, tf.float64)
    step = (square_px[2:] - square_px[:2]) / IMAGE_SIZE_PX
    # From here on from the picture's edge, half a pixel before its first middle.
    start = square_px[:2] + 0.5 - 0.5 * step
    reach = _KERNEL_RADIUS * tf.maximum(step, 1.0) + 1.0
    part, first = _part(picture, start - reach, start + IMAGE_SIZE_PX * step + reach)
    # The kernel stops at the picture's edges: one more pixel for the last half.
    first -= 1.0
    resized = tf.raw_ops.ScaleAndTranslate(
        images=_with_a_rim(part)[None],
        size=[IMAGE_SIZE_PX, IMAGE_SIZE_PX],
        scale=_rows_first(1.0 / step),
        translation=_rows_first((first - start) / step),
        kernel_type=_KERNEL,
        antialias=True,
    )
    whole = tf.cast(tf.clip_by_value(tf.round(resized[0]), 0.0, 255.0), tf.uint8)
    across, down = tf.unstack(_inside(square_px[:2], step, _size(picture)))
    grey = tf.constant(BACKGROUND, tf.uint8)
    return tf.where((down[:, None] & across)[..., None], whole, grey)


def _part(
    picture: tf.Tensor, low: tf.Tensor, high: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """What there is from `low` to `high`, float64 `[2]` x y, and where it begins.

    A frame is many times as large as the person in it.
    """
    size = _size(picture)
    first = tf.clip_by_value(tf.floor(low), 0.0, size)
    end = tf.clip_by_value(tf.math.ceil(high), 0.0, size)
    left, top = tf.unstack(tf.cast(first, tf.int32))
    right, bottom = tf.unstack(tf.cast(end, tf.int32))
    return picture[top:bottom, left:right], first


def _with_a_rim(picture: tf.Tensor) -> tf.Tensor:
    """One pixel more on every side; `tf.pad` would take as long as the resizing."""
    rows = tf.concat([picture[:1], picture, picture[-1:]], axis=0)
    return tf.concat([rows[:, :1], rows, rows[:, -1:]], axis=1)


def _inside(corner_px: tf.Tensor, step: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Which columns and rows of 224 lie in a picture: bool `[2, 224]`, x first."""
    place = tf.range(IMAGE_SIZE_PX, dtype=tf.float64)
    middles = corner_px[:, None] + place * step[:, None]
    return (middles >= -0.5) & (middles < size[:, None])


def _size(picture: tf.Tensor) -> tf.Tensor:
    """Width and height, float64 `[2]`."""
    return tf.cast(tf.shape(picture)[1::-1], tf.float64)


def _rows_first(x_y: tf.Tensor) -> tf.Tensor:
    return tf.cast(x_y[::-1], tf.float32)
