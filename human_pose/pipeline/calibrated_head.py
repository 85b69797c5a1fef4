"""Detections of calibrated views to 3D joints, through the minimiser of an energy."""

from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from human_pose.calibrated import minimise
from human_pose.calibrated.config import Damping, Derivative
from human_pose.calibrated.energy import Observed, Unknowns
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.take import of_anybody
from human_pose.calibrated.training.config import WEIGHTS
from human_pose.pipeline.config import LEARNED, chosen_of
from human_pose.pipeline.detections import Detections, weights_near_one
from human_pose.pipeline.head import Head

# `EnergyConfig.outlier_px` is said beside detections of that deviation.
_TYPICAL_PX: Final = 4.0


@keras.saving.register_keras_serializable("human_pose")
class CalibratedHead(Head):
    """A calibrated lifter of single moments, of people whom nobody has measured.

    Args:
      lifter: its skeleton of detections is that of the network.
      **kwargs: of `keras.Model`; `dtype` is "float64" unless given.
    """

    def __init__(self, lifter: CalibratedLifter, **kwargs: Any) -> None:
        joints = lifter.joints
        super().__init__(lifter, joints.detector, joints.skeleton, **kwargs)

    def derive(self, derivative: Derivative, damping: Damping) -> None:
        """Chooses the derivative of the minimiser.

        Raises:
          InputError: for one that there is not.
        """
        self.lifter.derive(derivative, damping)

    def learnable(self, names: Sequence[str] | None) -> list[keras.Variable]:
        """The energy's weights that training changes.

        Args:
          names: of `calibrated.training.config.WEIGHTS`; None for `config.LEARNED`.

        Raises:
          InputError: for an unknown name.
        """
        known = {name: self.lifter.weight(word) for name, word in WEIGHTS.items()}
        return chosen_of(known, names, LEARNED)

    def call(self, detections: Detections, projection: tf.Tensor) -> tf.Tensor:
        """Joints `[F, D, 3]`, world mm, of the detections' skeleton.

        Args:
          detections: of V views and D joints.
          projection: `[F, V, 3, 4]`, world mm to homogeneous pixels.
        """
        x = self.minimiser(detections, projection)
        return tf.gather(x.joints_mm, self.back, axis=1)

    def minimiser(self, detections: Detections, projection: tf.Tensor) -> Unknowns:
        """All joints of the model, differentiable in detections and weights."""
        x, turn, observed, body, terms = self.problem(detections, projection)
        found, _ = self.lifter.refined(x, turn, observed, body, terms)
        return found

    def problem(self, detections: Detections, projection: tf.Tensor) -> tuple[Any, ...]:
        """Unknowns where the minimiser starts, and its energy's parameters."""
        lifter = self.lifter
        # Nobody measures whom a picture shows.
        take = of_anybody(lifter.prior, np.ones((1, 1)))
        body, terms = lifter.body(take), lifter.terms(take, temporal=False)
        observed = self._observed(detections, projection)
        held = tf.nest.map_structure(tf.stop_gradient, (observed, body, terms))
        trust = held[0].seen * weights_near_one(held[0].sigma_px)
        turn, x = minimise.begin_alone(trust, *held)
        return x, turn, observed, body, terms

    def _observed(self, detections: Detections, projection: tf.Tensor) -> Observed:
        there = tf.constant(self.places >= 0)
        places = np.maximum(self.places, 0)
        points, sigma, whitening = (
            tf.gather(values, places, axis=2)
            for values in (
                detections.points_px,
                detections.sigma_px,
                detections.whitening,
            )
        )
        ratio = tf.exp(tf.convert_to_tensor(self.lifter.weight("log_outlier_px")))
        typical = tf.reduce_mean(detections.sigma_px, -1)
        return Observed(
            points,
            tf.cast(there, points.dtype) + tf.zeros_like(sigma),
            sigma,
            ratio / _TYPICAL_PX * typical,
            projection,
            whitening,
        )
