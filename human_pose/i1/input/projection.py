"""The pixels of placed pictures in one pass, bilinear and free of aliasing.

The original's three passes (`resampling`) are for its own networks. Here each crop is
read from the picture once, between its four pixels around, and small crops never see
the full size: a picture is first averaged to about two pixels for one of the crop along
each axis, which bilinear interpolation then averages too. XLA compiles the arithmetic.
"""

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Final

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.i1.config import CROP_SIZE_PX
from human_pose.i1.input.colours import Change, apply
from human_pose.i1.input.placement import Placement
from human_pose.i1.input.resampling import CHANNELS, GRAY, compiled

# Pixels that bilinear interpolation averages along each axis.
_TAPS: Final = 2
# Of gray around a picture, px.
_FRAME: Final = 1
# The largest reduction by powers of two that 224 px allow.
_MOST_REDUCED: Final = 32


def reduction(size: int) -> int:
    """How many pixels of a picture, along each axis, `reduced` averages for a crop.

    Args:
      size: S of the crop, a divisor of 256.
    """
    return min(max(CROP_SIZE_PX // (_TAPS * size), 1), _MOST_REDUCED)


def reduced(images: tf.Tensor, size: int) -> tf.Tensor:
    """Pictures as small as crops of a size need them.

    Args:
      images: uint8 `[B, 224, 224, 3]`, or what this function made of them.
      size: S of the crop.

    Returns:
      uint8 `[B, 224 / k, 224 / k, 3]`, k = `reduction(size)`.
    """
    factor = reduction(size)
    if images.shape[1] != IMAGE_SIZE_PX or factor == 1:
        return images
    return compiled(_means)(images, factor)


def crop(
    images: tf.Tensor, placement: Placement, colours: Change, size: int
) -> tf.Tensor:
    """The crops of a batch of pictures.

    Args:
      images: uint8 `[B, 224 / k, 224 / k, 3]`, red first, from `reduced`.
      placement: of each, `[B]`.
      colours: of each, `[B, 3]`, blue first.
      size: S, a divisor of 256.

    Returns:
      float32 `[B, S, S, 3]`, blue first, (grey level - 128) / 256, 0 outside the
      picture but for the colours.
    """
    # Four numbers of 8 bits move as one. See `resampling` for why in these steps.
    pixels = tf.bitcast(compiled(_framed)(images), tf.int32)
    maps = _to_picture(placement, size, reduction(size))
    pairs, corner, place = compiled(_neighbours)(pixels, maps, size)
    pairs = tf.bitcast(pairs, tf.uint8)
    rows = compiled(_weighted)(pairs, corner, place, pixels.shape[1])
    return compiled(_coloured)(rows, colours)


def _means(images: tf.Tensor, factor: int) -> tf.Tensor:
    """Whole grey levels; sums of whole numbers are exact in any order."""
    side = IMAGE_SIZE_PX // factor
    blocks = tf.reshape(images, [-1, IMAGE_SIZE_PX, side, factor, 3])
    across = _sum(tf.cast(blocks[..., i, :], tf.float32) for i in range(factor))
    blocks = tf.reshape(across, [-1, side, factor, side, 3])
    total = _sum(blocks[:, :, i] for i in range(factor))
    return tf.cast(tf.round(total / factor**2), tf.uint8)


def _sum(parts: Iterable[tf.Tensor]) -> tf.Tensor:
    return reduce(operator.add, parts)


def _framed(images: tf.Tensor) -> tf.Tensor:
    """With a gray frame, and a fourth channel that does not count."""
    frame = ((0, 0), (_FRAME, _FRAME), (_FRAME, _FRAME), (0, CHANNELS - 3))
    return tf.pad(images, frame, constant_values=tf.constant(GRAY, tf.uint8))


def _neighbours(
    pixels: tf.Tensor, maps: tf.Tensor, size: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What each pixel of the crops is made of.

    Args:
      pixels: framed, four channels in one, int32 `[B, n, n]`.
      maps: from `_to_picture`.
      size: S.

    Returns:
      Every pixel but the last with its next, int64 `[B n n - 1]`; the number of the
      pair at the upper left of each pixel's neighbours, int32 `[B, S, S]`; and the
      place between them, float32 `[B, S, S, 2]`, x and y in [0, 1].
    """
    framed = pixels.shape[1]
    single = tf.cast(tf.bitcast(tf.reshape(pixels, [-1]), tf.uint32), tf.int64)
    pairs = tf.bitwise.bitwise_or(
        single[:-1], tf.bitwise.left_shift(single[1:], tf.constant(32, tf.int64))
    )
    line = tf.range(size, dtype=tf.float32)
    a = maps[:, None, None, :]
    column, row = line[None, None, :], line[None, :, None]
    xy = tf.stack(
        [
            a[..., 0] * column + a[..., 1] * row + a[..., 2],
            a[..., 3] * column + a[..., 4] * row + a[..., 5],
        ],
        axis=-1,
    )
    # Beyond the frame all is as on it.
    xy = tf.clip_by_value(xy + _FRAME, 0.0, framed - 1.0)
    first = tf.minimum(tf.floor(xy), framed - 2.0)
    whole = tf.cast(first, tf.int32)
    picture = tf.range(tf.shape(maps)[0])[:, None, None] * framed**2
    return pairs, picture + whole[..., 1] * framed + whole[..., 0], xy - first


def _weighted(
    pairs: tf.Tensor, corner: tf.Tensor, place: tf.Tensor, framed: int
) -> tf.Tensor:
    """The weighted neighbours of each pixel, `[B, S, S, 8]`; both halves add up."""
    second = np.repeat(np.array([0, 1], np.float32), CHANNELS)
    x, y = place[..., :1], place[..., 1:]
    across = (1 - second) * (1 - x) + second * x
    upper, lower = (
        tf.cast(tf.gather(pairs, corner + row * framed), tf.float32) for row in (0, 1)
    )
    return across * ((1 - y) * upper + y * lower)


def _coloured(rows: tf.Tensor, colours: Change) -> tf.Tensor:
    levels = rows[..., :3] + rows[..., CHANNELS : CHANNELS + 3]
    inputs = (levels[..., ::-1] - float(GRAY)) / 256.0
    return apply(inputs, Change(*(change[:, None, None, :] for change in colours)))


def _to_picture(placement: Placement, size: int, factor: int) -> tf.Tensor:
    """Maps of a crop's pixels to those of reduced pictures, `[B, 8]`, of three points.

    A crop's or reduced pixel i of n stands for the middle (i + 0.5) n - 0.5 of the n
    full pixels that it covers.
    """
    step = CROP_SIZE_PX / size
    corner = tf.constant([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], tf.float64)
    crop_px = (corner + 0.5) * step - 0.5
    mirrored = tf.stack([CROP_SIZE_PX - 1.0 - crop_px[:, 0], crop_px[:, 1]], -1)
    crop_px = tf.where(placement.flipped[:, None, None], mirrored, crop_px)
    rotated = crop_px + (placement.corner - placement.shift)[:, None, :]
    cos, sin = placement.cos[:, None], placement.sin[:, None]
    scaled = tf.stack(
        [
            cos * rotated[..., 0] - sin * rotated[..., 1],
            sin * rotated[..., 0] + cos * rotated[..., 1],
        ],
        axis=-1,
    )
    picture = (scaled / placement.scale[:, None, None] + 0.5) / factor - 0.5
    origin, right, down = tf.unstack(picture, axis=1)
    rows = tf.stack([right - origin, down - origin, origin], axis=-1)  # [B, 2, 3]
    flat = tf.concat([tf.reshape(rows, [-1, 6]), tf.zeros_like(origin)], axis=-1)
    return tf.cast(flat, tf.float32)
