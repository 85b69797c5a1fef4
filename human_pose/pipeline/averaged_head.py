"""Detections of the four published views to 3D joints, by the published lifter.

That lifter knows no camera but its own average of four, and gives poses of no size at
no place. Both are taken from the joints as the true cameras triangulate them: the size
and the place that bring the pose nearest to these.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from human_pose.calibrated.config import Damping, check_damping
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import IMAGE_16, LIFTER_17, VIEWS
from human_pose.geometry.triangulation import all_pairs, triangulate
from human_pose.lifting import PPCALifter
from human_pose.lifting.config import DERIVATIVES, Derivative
from human_pose.pipeline.config import chosen_of
from human_pose.pipeline.detections import Detections, weights_near_one
from human_pose.pipeline.head import Head


@keras.saving.register_keras_serializable("human_pose")
class AveragedHead(Head):
    """The published lifter, of detections of the image network's 16 joints.

    A detection's residual is in units of its deviation, beside those of the frame.

    Args:
      lifter: made by `lifting.build_lifter`.
      **kwargs: of `keras.Model`; `dtype` is "float64" unless given.
    """

    def __init__(self, lifter: PPCALifter, **kwargs: Any) -> None:
        super().__init__(lifter, IMAGE_16, LIFTER_17, **kwargs)
        # No detector of the lifter's training has found its neck.
        self.places[LIFTER_17.index("neck")] = -1

    def derive(self, derivative: str, damping: Damping) -> None:
        """Chooses the derivative of the minimiser.

        Raises:
          InputError: for one that the published lifter has not.
        """
        if derivative not in DERIVATIVES:
            rule = f"must be {' or '.join(DERIVATIVES)} with the published lifter"
            raise InputError("derivative", rule, derivative)
        if isinstance(damping, str):
            raise InputError(
                "damping", "must be a number with the published lifter", damping
            )
        check_damping(damping)
        self.lifter.derivative = cast(Derivative, derivative)
        self.lifter.damping = damping

    def learnable(self, names: Sequence[str] | None) -> list[keras.Variable]:
        """The weights that training changes.

        Args:
          names: of the lifter's parameters; None for all that it trains.

        Raises:
          InputError: for an unknown name.
        """
        known = {
            name: variable
            for name, variable in self.lifter.parameters.items()
            if variable.trainable
        }
        return chosen_of(known, names, tuple(known))

    def check_views(self, count: int) -> None:
        """Refuses other than the four published views.

        Raises:
          InputError: naming the rule.
        """
        if count != VIEWS:
            raise InputError("views", f"must be the {VIEWS} of the lifter", count)

    def call(self, detections: Detections, projection: tf.Tensor) -> tf.Tensor:
        """Joints `[F, 16, 3]`, world mm.

        Args:
          detections: of the four views in the order of `skeletons.VIEW_NAMES`.
          projection: `[F, 4, 3, 4]`, world mm to homogeneous pixels.

        Raises:
          InputError: if there are not four views.
        """
        self.check_views(detections.points_px.shape[1])
        weight = weights_near_one(detections.sigma_px)
        places = np.maximum(self.places, 0)
        there = tf.constant(self.places >= 0, weight.dtype)
        pose = self.lifter(
            {
                "joints_2d_px": tf.gather(detections.points_px, places, axis=2),
                # It multiplies residuals, and a precision their squares.
                "visibility": there * tf.gather(tf.sqrt(weight), places, axis=2),
            }
        )["pose"]
        pose = tf.gather(pose, self.back, axis=1)
        return _placed(pose, *self._triangulated(detections, weight, projection))

    def _triangulated(
        self, detections: Detections, weight: tf.Tensor, projection: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Points `[F, 16, 3]`, differentiable, and what they weigh, `[F, 16, 1]`.

        Held, they would leave out what detections do to the pose's size and place.
        """
        pairs = all_pairs(projection.shape[1])
        places = _with_finite_gradient(detections.points_px)
        points = triangulate(places, weight, projection, pairs)
        known = tf.cast(points.known, weight.dtype)[..., None]
        return points.points_mm, known


@tf.custom_gradient
def _with_finite_gradient(
    values: tf.Tensor,
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The same values; what their gradient has of a point that is none is left out."""

    def backward(upstream: tf.Tensor) -> tf.Tensor:
        finite = tf.math.is_finite(upstream)
        return tf.where(finite, upstream, tf.zeros_like(upstream))

    return tf.identity(values), backward


def _placed(pose: tf.Tensor, points_mm: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Poses of the size, and at the place, that bring them nearest to points."""
    total = tf.maximum(tf.reduce_sum(weight, 1, keepdims=True), 1.0)

    def middle(values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(weight * values, 1, keepdims=True) / total

    shape = pose - middle(pose)
    offset = points_mm - middle(points_mm)
    product = tf.reduce_sum(weight * shape * offset, [1, 2], keepdims=True)
    square = tf.reduce_sum(weight * tf.square(shape), [1, 2], keepdims=True)
    # Where nothing is triangulated there is neither size nor place.
    return tf.math.divide_no_nan(product, square) * shape + middle(points_mm)
