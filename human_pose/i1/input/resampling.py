"""The pixels of placed pictures: cubic scaling, cubic rotation, crop with gray border.

Both steps interpolate with the cubic kernel of a = -0.75 and round to whole grey levels
in between, as OpenCV's `resize` and `warpAffine` do, whose pictures the original's
networks were trained on. Scaling separates: lines are stretched, then the lines across
them. Rotation does not separate and gathers 4 x 4 neighbours.

The arithmetic is compiled by XLA, which vectorises a loop only if it knows at least
eight numbers side by side. So pixels have four channels, rotation gathers them in
pairs, and its weights come from a table of the 32 x 32 places within a pixel. The steps
are compiled apart, because XLA would compute one step anew for each use in the next.
"""

from functools import cache
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.i1.config import CROP_SIZE_PX
from human_pose.i1.input.placement import LARGEST_SIDE_PX, Placement

# Pictures best cropped together: their pixels stay in the cache from step to step.
GROUP: Final = 4
# Of a pixel; three are wanted, four make whole vectors.
CHANNELS: Final = 4

# The cubic kernel's slope at distance 1; OpenCV's value.
_CUBIC_A: Final = -0.75
_TAPS: Final = 4
# OpenCV rounds the source position of a rotated pixel to 1 / 32 of a pixel.
_SUBPIXEL_BITS: Final = 5
_SUBPIXELS: Final = 1 << _SUBPIXEL_BITS
GRAY: Final = 128
# A gray frame wide enough that 4 x 4 neighbours clipped to it are all gray; and room
# for the largest scaled picture with that frame.
_FRAME: Final = 4
_ROOM: Final = LARGEST_SIDE_PX + 2 * _FRAME
# Parts of a grey level that are kept between the two directions of scaling.
_PARTS: Final = 64.0


def crop_published(images: tf.Tensor, placement: Placement) -> tf.Tensor:
    """The crops of pictures as the original makes them.

    Args:
      images: uint8 `[B, 224, 224, 3]`, red first; a fourth channel does not count.
      placement: of each, `[B]`.

    Returns:
      uint8 `[B, 256, 256, 3]`, blue first, gray outside the picture.
    """
    shape = [-1, _ROOM, IMAGE_SIZE_PX, CHANNELS]
    if images.shape[-1] != CHANNELS:
        images = compiled(_of_four_channels)(images)
    rows = compiled(_stretched_rows)(images, placement.scale, placement.side)
    # A pixel of four 16 bit numbers moves as one.
    pixels = tf.bitcast(tf.reshape(rows, shape), tf.int64)
    columns = tf.bitcast(compiled(_transposed)(pixels), tf.int16)
    scaled = compiled(_stretched_columns)(columns, placement.scale, placement.side)
    pixels = tf.bitcast(tf.reshape(scaled, [-1, CHANNELS]), tf.int32)
    pairs, corner, subpixel = compiled(_neighbourhoods)(pixels, placement)
    pairs = tf.bitcast(pairs, tf.uint8)
    sums = compiled(_weighted_pairs)(pairs, corner, subpixel)
    return compiled(_finished)(sums)


def network_input(crops: tf.Tensor, size: int) -> tf.Tensor:
    """What the network takes of crops.

    Args:
      crops: uint8 `[B, 256, 256, 3]`.
      size: S, a divisor of 256: blocks of 256 / S pixels are averaged.

    Returns:
      float32 `[B, S, S, 3]`, (grey level - 128) / 256.
    """
    inputs = compiled(_centred)(crops)
    factor = CROP_SIZE_PX // size
    return tf.nn.avg_pool2d(inputs, factor, factor, "VALID") if factor > 1 else inputs


@cache
def compiled(function: Any) -> Any:
    """A function compiled by XLA once for each size, whatever pipeline uses it."""
    return tf.function(function, jit_compile=True, autograph=False)


def _of_four_channels(images: tf.Tensor) -> tf.Tensor:
    return tf.pad(images, ((0, 0), (0, 0), (0, 0), (0, CHANNELS - images.shape[-1])))


def _stretched_rows(images: tf.Tensor, scale: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Pictures scaled in y: int16 `[B, 268, 224 * 4]`, parts of grey levels."""
    lines = tf.reshape(images, [-1, IMAGE_SIZE_PX * CHANNELS])
    parts = _stretched(lines, scale, side, unit=_PARTS, gray=_PARTS * GRAY)
    return tf.cast(tf.round(parts), tf.int16)


def _transposed(pixels: tf.Tensor) -> tf.Tensor:
    return tf.transpose(pixels, [0, 2, 1])


def _stretched_columns(
    columns: tf.Tensor, scale: tf.Tensor, side: tf.Tensor
) -> tf.Tensor:
    """`[B, 224, 268, 4]` scaled in x too: framed grey levels, column by column.

    Returns:
      uint8 `[B, 268, 268 * 4]`.
    """
    lines = tf.reshape(columns, [-1, _ROOM * CHANNELS])
    levels = _stretched(lines, scale, side, unit=1 / _PARTS, gray=GRAY)
    return tf.cast(_whole_levels(levels), tf.uint8)


def _stretched(
    lines: tf.Tensor, scale: tf.Tensor, side: tf.Tensor, *, unit: float, gray: float
) -> tf.Tensor:
    """Lines of B pictures, `[B * 224, M]`, times `unit`: float32 `[B, 268, M]`.

    Pixels are areas, so line i's centre is at (i + 0.5) / scale - 0.5; beyond an end
    the end line continues. Lines outside the scaled picture are `gray`.
    """
    line = tf.range(_ROOM, dtype=tf.float32) - _FRAME
    source = (line + 0.5) / tf.cast(scale, tf.float32)[:, None] - 0.5
    first = tf.floor(source)
    inside = _within(line, side)
    total = tf.where(inside, 0.0, float(gray))[..., None]
    picture = tf.range(tf.shape(scale)[0])[:, None] * IMAGE_SIZE_PX
    for tap, weight in enumerate(_cubic_weights(source - first)):
        weight = tf.where(inside, weight * unit, 0.0)[..., None]
        neighbour = tf.cast(first, tf.int32) + (tap - 1)
        neighbour = tf.clip_by_value(neighbour, 0, IMAGE_SIZE_PX - 1)
        total += weight * tf.cast(tf.gather(lines, picture + neighbour), tf.float32)
    return total


def _neighbourhoods(
    pixels: tf.Tensor, placement: Placement
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What each pixel of the crops is made of.

    Args:
      pixels: of the scaled pictures, int32 `[B * 268 * 268]`, four channels in one.
      placement: `[B]`.

    Returns:
      Every pixel but the last with its next, int64 `[B * 268 * 268 - 1]`; and
      `[B, 256, 256]` each, the number of the pair at the first corner of the 4 x 4
      neighbours, and the number of the place within a pixel.
    """
    pair = tf.cast(tf.bitcast(pixels, tf.uint32), tf.int64)
    pairs = tf.bitwise.bitwise_or(
        pair[:-1], tf.bitwise.left_shift(pair[1:], tf.constant(32, tf.int64))
    )
    columns, rows = _crop_grid(placement)
    x, y = _unrotated(columns, rows, placement)
    # Clipped neighbourhoods lie in the gray frame, as those they stand for do.
    column, row = (
        tf.clip_by_value(
            tf.bitwise.right_shift(v, _SUBPIXEL_BITS) + (_FRAME - 1), 0, _ROOM - _TAPS
        )
        for v in (x, y)
    )
    inside = _within(columns, placement.rotated_side)[:, None, :]
    inside &= _within(rows, placement.rotated_side)[:, :, None]
    corner = tf.where(inside, column * _ROOM + row, 0)  # the frame's corner is gray
    corner += tf.range(tf.shape(columns)[0])[:, None, None] * _ROOM**2
    x, y = (tf.bitwise.bitwise_and(v, _SUBPIXELS - 1) for v in (x, y))
    return pairs, corner, x * _SUBPIXELS + y


def _crop_grid(placement: Placement) -> tuple[tf.Tensor, tf.Tensor]:
    """Columns and rows of the crops, `[B, 256]` px of the rotated pictures."""
    line = tf.range(CROP_SIZE_PX, dtype=tf.float32)
    mirrored = CROP_SIZE_PX - 1.0 - line
    columns = tf.where(placement.flipped[:, None], mirrored, line)
    corner = tf.cast(placement.corner, tf.float32)
    return columns + corner[:, :1], line + corner[:, 1:]


def _unrotated(
    columns: tf.Tensor, rows: tf.Tensor, placement: Placement
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the rotated pictures' pixels come from, `[B, 256, 256]`, 1 / 32 px."""
    cos, sin = (
        tf.cast(v, tf.float32)[:, None, None] for v in (placement.cos, placement.sin)
    )
    shift = tf.cast(placement.shift, tf.float32)
    x = (columns - shift[:, :1])[:, None, :]
    y = (rows - shift[:, 1:])[:, :, None]
    return tuple(
        tf.cast(tf.round(v * _SUBPIXELS), tf.int32)
        for v in (cos * x - sin * y, sin * x + cos * y)
    )


def _weighted_pairs(
    pairs: tf.Tensor, corner: tf.Tensor, subpixel: tf.Tensor
) -> tf.Tensor:
    """The weighted neighbours of each pixel, `[B, 256, 256, 8]`.

    The sum of both halves is the pixel; it is formed elsewhere, lest XLA computes every
    element of this twice.
    """
    total = tf.zeros([2 * CHANNELS])
    for (column, row), weights in _pair_weights().items():
        pair = tf.gather(pairs, corner + (column * _ROOM + row))
        total += tf.gather(weights, subpixel) * tf.cast(pair, tf.float32)
    return total


def _pair_weights() -> dict[tuple[int, int], np.ndarray]:
    """Weights of the pair that begins at a column and row of the 4 x 4 neighbours.

    Each is float32 `[32 * 32, 8]`: by the place within a pixel, for every channel.
    """
    fraction = np.arange(_SUBPIXELS, dtype=np.float32) / _SUBPIXELS
    line = np.stack(_cubic_weights(fraction), axis=-1)
    weights = (line[:, None, :, None] * line[:, None, :]).reshape(-1, _TAPS, _TAPS)
    return {
        (column, row): np.repeat(weights[:, column, row : row + 2], CHANNELS, axis=-1)
        for column in range(_TAPS)
        for row in range(0, _TAPS, 2)
    }


def _finished(sums: tf.Tensor) -> tf.Tensor:
    """Halves added and rounded; blue first, as the network wants it."""
    first, second = (sums[..., half : half + 3] for half in (0, CHANNELS))
    levels = _whole_levels(tf.reverse(first + second, [-1]))
    return tf.cast(levels, tf.uint8)


def _centred(crops: tf.Tensor) -> tf.Tensor:
    return (tf.cast(crops, tf.float32) - float(GRAY)) / 256.0


def _cubic_weights(fraction: Any) -> list[Any]:
    """Of the pixels at -1, 0, 1 and 2 for a place `fraction` past pixel 0."""
    a = _CUBIC_A

    def near(d: Any) -> Any:
        return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0

    def far(d: Any) -> Any:
        return ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a

    return [
        far(1.0 + fraction),
        near(fraction),
        near(1 - fraction),
        far(2.0 - fraction),
    ]


def _whole_levels(pixels: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.round(pixels), 0.0, 255.0)


def _within(position: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Whether positions `[N]` or `[B, N]` px lie in a side, `[B]`: `[B, N]`."""
    return (position >= 0.0) & (position < tf.cast(side, tf.float32)[:, None])
