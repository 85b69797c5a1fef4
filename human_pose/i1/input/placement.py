"""Where a sample's 224 px picture lands in the 256 px crop: scale, rotation, flip.

The original makes three pictures one after the other, and each step has its own
rounding, which this module reproduces (spec facts, checked against its OpenCV code):

    scale    by s = m / 1.12 about the origin, m in [0.7, 1.3]; the side is rounded
    rotate   about the middle of the scaled picture, into a bounding square whose side
             is one more than needed; hence the test transform's shift by half a pixel
    crop     256 x 256 about the picture's centre, its coordinates cut to whole pixels
    flip     x -> 255 - x

At test time (m = 1, no rotation, no flip) this is u256 = u224 / 1.12 + 28.5.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import tensorflow as tf

from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.i1.codec import SCALE_OF_PICTURE
from human_pose.i1.config import CROP_SIZE_PX

# The largest scaled picture that `resampling` has room for: the original's, at 1.3.
LARGEST_SIDE_PX: Final = 260
# Uniform numbers per sample, in the order in which the original draws them: whether to
# scale (always), the scale, the rotation, two shifts (always 0) and the flip.
DRAWS: Final = 6
_SCALE_DRAW, _ROTATION_DRAW, _FLIP_DRAW = 1, 2, 5


@dataclass(frozen=True)
class Ranges:
    """What is drawn; the original's numbers.

    Attributes:
      scale: the smallest and largest multiple of the test scale.
      rotation_deg: the largest rotation either way.
      rotation_probability: of rotating at all.
      flip_probability: below this draw, the crop is mirrored.
      scale_of_picture: 0.005 times the sample's `scale` of 224.

    Raises:
      ValueError: for a scale by which pictures would exceed `LARGEST_SIDE_PX`.
    """

    scale: tuple[float, float] = (0.7, 1.3)
    rotation_deg: float = 40.0
    rotation_probability: float = 1.0
    flip_probability: float = 0.5
    scale_of_picture: float = SCALE_OF_PICTURE

    def __post_init__(self) -> None:
        side = round(IMAGE_SIZE_PX * max(self.scale) / self.scale_of_picture)
        if side > LARGEST_SIDE_PX:
            raise ValueError(
                f"`scale` must keep pictures within {LARGEST_SIDE_PX} px; received "
                f"{self.scale}, up to {side} px"
            )


# Milder than the original's: upright people, as at test time, stay among the turned.
MODERN: Final = Ranges((0.85, 1.15), rotation_deg=15.0, rotation_probability=0.6)
# For trainings too short to learn what turned and mirrored people have in common.
MILD: Final = Ranges(
    (0.93, 1.07), rotation_deg=7.0, rotation_probability=0.6, flip_probability=0.0
)


class Placement(NamedTuple):
    """How pictures are placed; float64 tensors `[...]` unless said otherwise.

    Attributes:
      scale: px of the scaled picture per px of the 224 px one.
      cos: of the rotation, positive turning counter-clockwise as seen; sin.
      sin: see `cos`.
      side: the scaled picture's width and height, whole px.
      rotated_side: the rotated picture's, whole px.
      shift: `[..., 2]`, px: rotated = rotation (scaled) + shift.
      corner: `[..., 2]`, px: crop = rotated - corner.
      flipped: bool.
    """

    scale: tf.Tensor
    cos: tf.Tensor
    sin: tf.Tensor
    side: tf.Tensor
    rotated_side: tf.Tensor
    shift: tf.Tensor
    corner: tf.Tensor
    flipped: tf.Tensor


def from_draws(draws: tf.Tensor, ranges: Ranges | None = None) -> Placement:
    """The placement that six uniform draws mean.

    Args:
      draws: float `[..., 6]` in [0, 1], in the original's order.
      ranges: what they span.
    """
    ranges = ranges or Ranges()
    draws = tf.cast(draws, tf.float64)
    low, high = ranges.scale
    # The middle of the draws does not rotate, the rest spans all angles.
    still = 1.0 - ranges.rotation_probability
    turn = 2.0 * draws[..., _ROTATION_DRAW] - 1.0
    part = tf.maximum(tf.abs(turn) - still, 0.0) / ranges.rotation_probability
    degrees = ranges.rotation_deg * tf.sign(turn) * part
    return _place(
        (low + (high - low) * draws[..., _SCALE_DRAW]) / ranges.scale_of_picture,
        degrees * (math.pi / 180.0),
        draws[..., _FLIP_DRAW] < ranges.flip_probability,
    )


def at_test(batch_shape: Any = ()) -> Placement:
    """The placement of test time, the same for every sample."""
    zeros = tf.zeros(batch_shape, tf.float64)
    scale = zeros + 1.0 / Ranges().scale_of_picture
    return _place(scale, zeros, tf.zeros(batch_shape, tf.bool))


def place_joints(joints_px: tf.Tensor, placement: Placement) -> tf.Tensor:
    """Moves joints as the picture is moved; does not swap left and right.

    Args:
      joints_px: `[..., J, 2]` px of the 224 px picture.
      placement: `[...]`.

    Returns:
      float64 `[..., J, 2]` px of the crop; may lie outside it.
    """
    scaled = tf.cast(joints_px, tf.float64) * placement.scale[..., None, None]
    moved = _rotate(placement.cos[..., None], placement.sin[..., None], scaled)
    moved += (placement.shift - placement.corner)[..., None, :]
    x, y = moved[..., 0], moved[..., 1]
    mirrored = CROP_SIZE_PX - 1.0 - x
    return tf.stack([tf.where(placement.flipped[..., None], mirrored, x), y], axis=-1)


def _place(scale: tf.Tensor, angle_rad: tf.Tensor, flipped: tf.Tensor) -> Placement:
    cos, sin = tf.cos(angle_rad), tf.sin(angle_rad)
    side = tf.round(IMAGE_SIZE_PX * scale)
    middle = side / 2.0
    reach = middle * (tf.abs(cos) + tf.abs(sin))
    rotated_side = tf.math.ceil(middle + reach) - tf.floor(middle - reach) + 1.0
    centred = tf.stack([middle, middle], axis=-1)
    shift = (rotated_side / 2.0)[..., None] - _rotate(cos, sin, centred)
    centre = tf.stack([scale, scale], axis=-1) * (IMAGE_SIZE_PX / 2)
    centre = _rotate(cos, sin, centre) + shift
    corner = tf.floor(centre) - CROP_SIZE_PX / 2
    return Placement(scale, cos, sin, side, rotated_side, shift, corner, flipped)


def _rotate(cos: tf.Tensor, sin: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    x, y = points[..., 0], points[..., 1]
    return tf.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)
