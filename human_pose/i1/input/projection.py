"""The pixels of placed pictures in one pass, bilinear and free of aliasing.

The original's three passes (`resampling`) are for its own networks. Here each crop is
read from the picture once, by TensorFlow's projective resampler, and small crops never
see the full size: a picture is first averaged to about two pixels for one of the crop
along each axis, which bilinear interpolation then averages too.
"""

from typing import Final

import tensorflow as tf

from human_pose.i1.config import CROP_SIZE_PX
from human_pose.i1.input.colours import Change, apply
from human_pose.i1.input.placement import Placement

# Pixels that bilinear interpolation averages along each axis.
_TAPS: Final = 2
# The largest reduction by powers of two that 224 px allow.
_MOST_REDUCED: Final = 32


def reduction(size: int) -> int:
    """How many pixels of a picture, along each axis, `reduced` averages for a crop.

    Args:
      size: S of the crop, a divisor of 256.
    """
    return min(max(CROP_SIZE_PX // (_TAPS * size), 1), _MOST_REDUCED)


def reduced(image: tf.Tensor, size: int) -> tf.Tensor:
    """A picture as small as crops of a size need it.

    Args:
      image: uint8 `[224, 224, 3]`.
      size: S of the crop.

    Returns:
      uint8 `[224 / k, 224 / k, 3]`, k = `reduction(size)`.
    """
    factor = reduction(size)
    if factor == 1:
        return image
    means = tf.nn.avg_pool2d(tf.cast(image, tf.float32)[None], factor, factor, "VALID")
    return tf.cast(tf.round(means[0]), tf.uint8)


def crop(
    images: tf.Tensor, placement: Placement, colours: Change, size: int
) -> tf.Tensor:
    """The crops of a batch of pictures.

    Args:
      images: uint8 `[B, 224 / k, 224 / k, 3]`, from `reduced`.
      placement: of each, `[B]`.
      colours: of each, `[B, 3]`.
      size: S, a divisor of 256.

    Returns:
      float32 `[B, S, S, 3]`, (grey level - 128) / 256, 0 outside the picture but for
      the colours.
    """
    levels = (tf.cast(images, tf.float32) - 128.0) / 256.0
    crops = tf.raw_ops.ImageProjectiveTransformV3(
        images=levels,
        transforms=_to_picture(placement, size, reduction(size)),
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return apply(crops, Change(*(change[:, None, None, :] for change in colours)))


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
