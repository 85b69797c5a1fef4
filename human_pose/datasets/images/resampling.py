"""The pixels of a placed picture: cubic scaling, cubic rotation, crop with gray border.

Both steps interpolate with the cubic kernel of a = -0.75 and round to whole grey levels
in between, as OpenCV's `resize` and `warpAffine` do, whose pictures the original's
networks were trained on. Scaling separates: whole rows are gathered, weighted and
summed, then whole columns. Rotation does not separate and gathers 4 x 4 neighbours.

The arithmetic is compiled by XLA, which makes it loops without temporaries, seven times
as fast on a CPU as the separate operations. Gathering rows is left out of that: outside
it is a copy of memory, inside it would be an index calculation for each number.
"""

from functools import cache
from typing import Any, Final

import tensorflow as tf

from human_pose.datasets.images.layout import IMAGE_SIZE_PX
from human_pose.datasets.images.placement import CROP_SIZE_PX, Placement

# The cubic kernel's slope at distance 1; OpenCV's value.
_CUBIC_A: Final = -0.75
_TAPS: Final = 4
# OpenCV rounds the source position of a rotated pixel to this part of a pixel.
_SUBPIXELS: Final = 32
GRAY: Final = 128
# A gray frame wide enough that 4 x 4 neighbours clipped to it are all gray; and room
# for the largest scaled picture (260 px at scale 1.3) with that frame.
_FRAME: Final = 4
_ROOM: Final = 268


def crop_published(image: tf.Tensor, placement: Placement, size: int) -> tf.Tensor:
    """The crop of one picture as the original makes it.

    Args:
      image: uint8 `[224, 224, 3]`.
      placement: of this picture, `[]`.
      size: S, a divisor of 256: the crop's blocks of 256 / S pixels are averaged.

    Returns:
      float32 `[S, S, 3]`, (grey level - 128) / 256, 0 outside the picture.
    """
    pixels, weights = _compiled(_taps)(placement.scale)
    rows = tf.reshape(image, [IMAGE_SIZE_PX, IMAGE_SIZE_PX * 3])
    lines = _compiled(_sum_of_rows)(tf.gather(rows, pixels), weights)
    crop = _compiled(_crop)(tf.gather(lines, pixels), weights, placement)
    factor = CROP_SIZE_PX // size
    if factor > 1:
        crop = tf.nn.avg_pool2d(crop[None], factor, factor, "VALID")[0]
    return crop


@cache
def _compiled(function: Any) -> Any:
    """A function compiled by XLA once, whatever pipeline uses it."""
    return tf.function(function, jit_compile=True)


def _taps(scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What each pixel of a scaled line is made of: pixels and weights, `[4, 268]`.

    Pixels are areas, so pixel i's centre is at (i + 0.5) / scale - 0.5; beyond an end
    the end pixel continues.
    """
    source = (_line() + 0.5) / tf.cast(scale, tf.float32) - 0.5
    first = tf.floor(source)
    pixels = tf.cast(first, tf.int32)[None, :] + tf.range(-1, _TAPS - 1)[:, None]
    pixels = tf.clip_by_value(pixels, 0, IMAGE_SIZE_PX - 1)
    return pixels, tf.stack(_cubic_weights(source - first))


def _line() -> tf.Tensor:
    """Positions along a scaled line with its frame, `[268]`."""
    return tf.range(_ROOM, dtype=tf.float32) - _FRAME


def _sum_of_rows(rows: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """`[4, 268, 224 * 3]` rows to columns scaled in y, `[224, 268 * 3]`."""
    total = _weighted(tf.unstack(tf.cast(rows, tf.float32)), weights)
    total = tf.reshape(total, [_ROOM, IMAGE_SIZE_PX, 3])
    return tf.reshape(tf.transpose(total, [1, 0, 2]), [IMAGE_SIZE_PX, _ROOM * 3])


def _weighted(lines: list[tf.Tensor], weights: tf.Tensor) -> tf.Tensor:
    # Not reduce_sum: unrolled, the compiler sees four streams side by side.
    total = lines[0] * weights[0][:, None]
    for tap in range(1, _TAPS):
        total += lines[tap] * weights[tap][:, None]
    return total


def _crop(columns: tf.Tensor, weights: tf.Tensor, placement: Placement) -> tf.Tensor:
    """`[4, 268, 268 * 3]` columns to the finished crop."""
    total = _whole_levels(_weighted(tf.unstack(columns), weights))
    inside = _within(_line(), placement.side)
    inside = (inside[:, None] & inside[None, :])[..., None]
    scaled = tf.where(inside, tf.reshape(total, [_ROOM, _ROOM, 3]), float(GRAY))
    return (_rotated_crop(scaled, placement) - float(GRAY)) / 256.0


def _rotated_crop(scaled: tf.Tensor, placement: Placement) -> tf.Tensor:
    """Grey levels `[256, 256, 3]` of the framed scaled picture, column-major."""
    columns, rows = _crop_grid(placement)
    inside = _within(columns, placement.rotated_side)[None, :]
    inside &= _within(rows, placement.rotated_side)[:, None]
    crop = _gather_cubic(scaled, *_unrotated(columns, rows, placement))
    return tf.where(inside[..., None], crop, float(GRAY))


def _crop_grid(placement: Placement) -> tuple[tf.Tensor, tf.Tensor]:
    """Columns and rows of the crop, `[256]` px of the rotated picture."""
    line = tf.range(CROP_SIZE_PX, dtype=tf.float32)
    mirrored = tf.where(placement.flipped, CROP_SIZE_PX - 1.0 - line, line)
    corner = tf.cast(placement.corner, tf.float32)
    return mirrored + corner[0], line + corner[1]


def _unrotated(
    columns: tf.Tensor, rows: tf.Tensor, placement: Placement
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the rotated picture's pixels come from, `[256, 256]` px each."""
    cos, sin = tf.cast(placement.cos, tf.float32), tf.cast(placement.sin, tf.float32)
    shift = tf.cast(placement.shift, tf.float32)
    x = (columns - shift[0])[None, :]
    y = (rows - shift[1])[:, None]
    return tuple(
        tf.round(value * _SUBPIXELS) / _SUBPIXELS
        for value in (cos * x - sin * y, sin * x + cos * y)
    )


def _gather_cubic(pixels: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Cubic interpolation of a framed, column-major picture at `[256, 256]` places."""
    flat = tf.reshape(pixels, [_ROOM * _ROOM, 3])
    column, row = tf.floor(x), tf.floor(y)
    weights_x, weights_y = _cubic_weights(x - column), _cubic_weights(y - row)
    # Clipped neighbourhoods lie in the gray frame, as those they stand for do.
    column, row = (
        tf.clip_by_value(tf.cast(v, tf.int32) + _FRAME - 1, 0, _ROOM - _TAPS)
        for v in (column, row)
    )
    corner = column * _ROOM + row
    result = tf.zeros([CROP_SIZE_PX, CROP_SIZE_PX, 3])
    for right, weight_x in enumerate(weights_x):
        total = tf.zeros_like(result)
        for down, weight_y in enumerate(weights_y):
            neighbour = tf.gather(flat, corner + (right * _ROOM + down))
            total += weight_y[..., None] * neighbour
        result += weight_x[..., None] * total
    return _whole_levels(result)


def _cubic_weights(fraction: tf.Tensor) -> list[tf.Tensor]:
    """Of the pixels at -1, 0, 1 and 2 for a place `fraction` past pixel 0."""
    a = _CUBIC_A

    def near(d: tf.Tensor) -> tf.Tensor:
        return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0

    def far(d: tf.Tensor) -> tf.Tensor:
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
    return (position >= 0.0) & (position < tf.cast(side, tf.float32))
