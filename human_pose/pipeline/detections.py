"""From heatmaps to what a lifter takes: places in frames, and their deviations."""

from typing import Any, Final, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from human_pose.i1 import codec
from human_pose.i1.readout.plane import in_picture

# Before anything is measured: pixels of the 256 px crop, a share of the distribution's
# deviation, and no say of the confidence.
_FLOOR_PX: Final = 3.0
_SPREAD: Final = 0.5
_CONFIDENCE: Final = 0.1
# A share of 0 would make a deviation infinite, and its slope another.
_LEAST: Final = 1e-3


class Detections(NamedTuple):
    """Joints in the views' frames, float64.

    Attributes:
      points_px: `[F, V, J, 2]`, px of the camera's whole frame.
      sigma_px: `[F, V, J]`, their deviations.
      confidence: `[F, V, J]`, as of `plane.InPicture`.
      whitening: `[F, V, J, 2, 2]`, of directions, as of `calibrated.energy.Observed`.
    """

    points_px: tf.Tensor
    sigma_px: tf.Tensor
    confidence: tf.Tensor
    whitening: tf.Tensor

    @property
    def covariance_px2(self) -> tf.Tensor:
        """Of the errors, `[F, V, J, 2, 2]`; NaN of what is NaN."""
        shape = tf.matmul(self.whitening, self.whitening, transpose_a=True)
        # The inverse of what is 2 x 2 and has the determinant 1.
        units = tf.eye(2, dtype=shape.dtype)
        inverse = tf.linalg.trace(shape)[..., None, None] * units - shape
        return tf.square(self.sigma_px)[..., None, None] * inverse


def weights_near_one(sigma_px: tf.Tensor) -> tf.Tensor:
    """Precisions of detections beside the frame's mean one, `[F, V, J]`, held.

    Triangulation compares residuals in pixels with numbers of its own: its weights say
    how detections stand to each other, not how exact they are.
    """
    precision = tf.stop_gradient(1 / tf.square(sigma_px))
    return precision / tf.reduce_mean(precision, [1, 2], keepdims=True)


@keras.saving.register_keras_serializable("human_pose")
class VolumeReadout(keras.layers.Layer):
    """Reads detections out of volumes, by a noise model that is learned.

    A joint's covariance is that of its distribution, and what is left where that is
    narrow, over a power of the confidence:

        C = (floor_j² I + spread² Σ) / confidence^power

    σ² is the root of its determinant, and the whitening what is left of it.

    Args:
      depth_bins: D of the volumes.
      joints: J.
      **kwargs: of `keras.layers.Layer`; `dtype` is "float64" unless given.
    """

    def __init__(self, depth_bins: int, joints: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float64", "autocast": False, **kwargs})
        self.depth_bins, self.joints = depth_bins, joints
        floor = np.log(_FLOOR_PX / codec.CROP.crop_px)
        self.log_floor = self._add("log_floor", np.full(joints, floor))
        self.log_spread = self._add("log_spread", np.log(_SPREAD))
        self.log_power = self._add("log_power", np.log(_CONFIDENCE))
        self.built = True

    @property
    def crop_px(self) -> float:
        """The crop's side, in whose parts floors are kept."""
        return codec.CROP.crop_px

    def call(self, heatmap2: tf.Tensor, box: tf.Tensor, views: int) -> Detections:
        """The detections.

        Args:
          heatmap2: `[F V, H, W, J D]`, frame by frame.
          box: `[F V, 4]`, x1 y1 x2 y2, px, of each picture in its camera's frame.
          views: V.
        """
        seen = in_picture(heatmap2, self.depth_bins)
        box = tf.cast(box, tf.float64)
        mean = tf.cast(seen.mean, tf.float64)
        covariance = tf.cast(seen.covariance, tf.float64)
        confidence = tf.cast(seen.confidence, tf.float64)
        frame_px = codec.to_frame_px(mean, box)
        covariance *= tf.exp(2 * tf.convert_to_tensor(self.log_spread))
        floor = tf.exp(2 * tf.convert_to_tensor(self.log_floor))
        covariance += floor[:, None, None] * tf.eye(2, dtype=tf.float64)
        sides_px = codec.frame_px_per_crop(box)
        # Of a box that is no square, a crop's side is not equally long along x and y.
        sides = (sides_px / sides_px[:, :1])[:, None]
        covariance *= sides[..., None] * sides[..., None, :]
        sigma, whitening = _deviation_and_directions(covariance)
        power = tf.exp(tf.convert_to_tensor(self.log_power))
        sigma *= tf.pow(tf.maximum(confidence, _LEAST), -0.5 * power)
        sigma_px = sides_px[:, :1] * sigma

        def apart(values: tf.Tensor) -> tf.Tensor:
            shape = tf.concat([[-1, views], tf.shape(values)[1:]], 0)
            return tf.ensure_shape(
                tf.reshape(values, shape), [None, views, *values.shape[1:]]
            )

        return Detections(*map(apart, (frame_px, sigma_px, confidence, whitening)))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the layer, as JSON keeps them."""
        own = {"depth_bins": self.depth_bins, "joints": self.joints}
        return {**super().get_config(), **own}

    def _add(self, name: str, start: Any) -> keras.Variable:
        start = np.asarray(start, np.float64)
        variable = self.add_weight(name=name, shape=start.shape, dtype="float64")
        variable.assign(start)
        return variable


def _deviation_and_directions(covariance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """σ `[...]` and whitening `[..., 2, 2]` of covariances, by Cholesky's factors.

    TensorFlow's own factors and inverses raise where a network has made NaN, which
    others name: the step, or the moment.
    """
    xx, xy, yy = covariance[..., 0, 0], covariance[..., 0, 1], covariance[..., 1, 1]
    first = tf.sqrt(xx)
    slant = xy / first
    second = tf.sqrt(yy - tf.square(slant))
    sigma = tf.sqrt(first * second)
    rows = [
        [sigma / first, tf.zeros_like(first)],
        [-sigma * slant / (first * second), sigma / second],
    ]
    return sigma, tf.stack([tf.stack(row, -1) for row in rows], -2)
