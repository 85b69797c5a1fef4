"""The calibrated lifter as a Keras model: its weights, and clips lifted by them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from human_pose.calibrated import minimise
from human_pose.calibrated.bodies import Bases, bases_of, make_body
from human_pose.calibrated.chains import Chain
from human_pose.calibrated.config import (
    DERIVATIVES,
    CalibratedConfig,
    Damping,
    Derivative,
    check_damping,
)
from human_pose.calibrated.energy import (
    Body,
    Layout,
    Observed,
    Unknowns,
    Weights,
    restarted,
    trusted,
)
from human_pose.calibrated.joints import ModelJoints
from human_pose.calibrated.prior.pose_prior import PosePrior
from human_pose.calibrated.take import Take, of_anybody
from human_pose.files.errors import InputError
from human_pose.geometry.projection import with_depth
from human_pose.geometry.skeleton import Skeleton, places_of
from human_pose.geometry.triangulation import Triangulated

# Detectors place wrists, elbows and ankles less well than the trunk (dev: 7 px to 4).
_LIMB_ENDS: Final = ("elbow", "wrist", "ankle", "heel", "toe")
_OF_LIMB_ENDS: Final = 1.75
# Frame rate at which the strengths of prior and time were chosen: frames that follow
# each other faster say less each.
_RATE_FPS: Final = 24.0


@keras.saving.register_keras_serializable("human_pose")
class CalibratedLifter(keras.Model):
    """Lifts detections of calibrated views to 3D, frame by frame or over time.

    The joints minimise an energy (`energy`, `chains`) whose weights, and the prior's
    bases, are variables: positive ones by their logarithms. They are learned through
    the minimiser's trust-region derivative: by `fit` from single moments, as those of
    any layer, or from the clips of recordings (`training`).

    Args:
      prior: of poses and their motion.
      detector: the skeleton of the detections.
      config: where the weights start, and how the energy is minimised.
      damping: λ of the derivative, or its rule.
      derivative: of frames by themselves, see `minimise.of_frames`.
      **kwargs: of `keras.Model`; `dtype` is "float64" unless given.

    References:
      Tome, Toso, Agapito, Russell, Rethinking Pose in 3D, 3DV 2018, for the prior.
      Toso, Campbell, Russell, Fixing Implicit Derivatives, NeurIPS 2019.
    """

    def __init__(
        self,
        prior: PosePrior,
        detector: Skeleton,
        config: CalibratedConfig | None = None,
        *,
        damping: Damping = 0.0,
        derivative: Derivative = "trust_region",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float64", **kwargs})
        self.prior = prior
        self.config = config or CalibratedConfig()
        self.derive(derivative, damping)
        self.joints = ModelJoints.of(prior.skeleton, detector)
        self.layout = Layout(
            self.joints.counterpart, self.joints.exchanges, self.joints.bones
        )
        start = self.config.energy
        for name, value in (
            ("outlier_share", np.log(start.outlier_share / (1 - start.outlier_share))),
            ("outlier_px", np.log(start.outlier_px)),
            ("frame_prior", np.log(start.frame_prior)),
            ("sequence_prior", np.log(start.sequence_prior)),
            ("prior_freedom", np.log(start.prior_freedom)),
            ("bone_mm", np.log(start.bone_mm)),
            ("tilt_rad", np.log(start.tilt_rad)),
            ("time", np.log(start.time)),
            ("time_freedom", np.log(start.time_freedom)),
            ("swaps", np.log(_swaps(start.limb_swap, start.body_swap))),
            ("sigma", np.zeros(len(self.joints))),
            ("lasting", np.zeros(len(self.joints))),
        ):
            self._add(f"log_{name}", value)
        for name, value in bases_of(prior).items():
            self._add(name, value)
        self.built = True

    def derive(self, derivative: Derivative, damping: Damping) -> None:
        """Chooses the derivative of frames by themselves.

        Raises:
          InputError: for one that there is not.
        """
        if derivative not in DERIVATIVES:
            rule = f"must be one of {', '.join(DERIVATIVES)}"
            raise InputError("derivative", rule, derivative)
        check_damping(damping)
        self.derivative, self.damping = derivative, damping

    def profile_px(self) -> np.ndarray:
        """The detector's deviations beside each other, `[J]`, before a take is seen."""
        names = self.joints.skeleton.names
        ends = [any(word in name for word in _LIMB_ENDS) for name in names]
        return np.where(ends, _OF_LIMB_ENDS, 1.0)

    def call(self, detections: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Joints of moments by themselves, of people whom nobody has measured.

        Recordings are better lifted by `Session`, which measures person and noise.

        Args:
          detections: `points_px` `[F, V, D, 2]`, the detector's joints in pinholes'
            images; `confidence` `[F, V, D]`, 0 where not seen, as what is not finite
            is not; and `projection` `[F, V, 3, 4]`, world mm to homogeneous px of any
            positive scale. Differentiable in the first and the last.

        Returns:
          `[F, D, 3]`, world mm.

        Raises:
          InputError: if the number of views is not known when this is traced.
        """
        points, confidence, projection = (
            tf.cast(detections[name], tf.float64)
            for name in ("points_px", "confidence", "projection")
        )
        if points.shape[1] is None:
            raise InputError("points_px", "must have a known number of views", None)
        places = places_of(self.joints.detector, self.joints.skeleton)
        back = places_of(self.joints.skeleton, self.joints.detector)
        there = tf.constant(places >= 0, tf.float64)
        places = np.maximum(places, 0)
        points, confidence = trusted(
            tf.gather(points, places, axis=2),
            there * tf.gather(confidence, places, axis=2),
        )
        projection = with_depth(projection)
        take = of_anybody(self.prior, _RATIO_PX * self.profile_px()[None])
        body, terms = self.body(take), self.terms(take, temporal=False)
        observed = self.observed(points, confidence, projection, take)
        held = tf.nest.map_structure(tf.stop_gradient, (observed, body, terms))
        turn, x = minimise.begin_alone(confidence, *held)
        found, _ = self.refined(x, turn, observed, body, terms)
        return tf.gather(found.joints_mm, back, axis=1)

    def body(self, take: Take) -> Body:
        """The prior of the take's person; differentiable in the bases."""
        bases = Bases(*(self._value(name) for name in Bases._fields))
        return make_body(
            bases,
            self.prior,
            self.joints,
            take.lengths_mm,
            take.spreads_mm,
            take.fps,
            self.config.energy,
        )

    def terms(self, take: Take, temporal: bool) -> Weights:
        """The weights of the energy's terms, of frames or of a sequence."""
        rate = min(1.0, _RATE_FPS / take.fps)
        alone, together = (
            self._positive("frame_prior"),
            self._positive("sequence_prior"),
        )
        # Noise that lasts leaves a sequence to say little more than a frame.
        lasting = take.lasting * tf.reduce_mean(self._positive("lasting"))
        lasting = tf.minimum(lasting, 1.0)
        prior = rate * tf.pow(together, 1 - lasting) * tf.pow(alone, lasting)
        return Weights(
            tf.sigmoid(self._value("log_outlier_share")),
            tf.nn.softmax(self._value("log_swaps")),
            prior if temporal else alone,
            self._positive("prior_freedom"),
            self._positive("bone_mm"),
            self._positive("tilt_rad"),
            rate * self._positive("time"),
            self._positive("time_freedom"),
        )

    def observed(
        self,
        points_px: tf.Tensor,
        confidence: tf.Tensor,
        projection: tf.Tensor,
        take: Take,
        whitening: tf.Tensor | tuple[()] = (),
    ) -> Observed:
        """Detections `[F, V, J, 2]` with their deviations.

        A detection of confidence c has the deviation σ / √c; of `Observed.whitening`
        it is that of its directions together.
        """
        dtype = points_px.dtype
        seen = tf.cast(confidence > 0, dtype)
        own = tf.cast(self.sigma_px(take), dtype)
        sigma = own * tf.math.rsqrt(tf.where(confidence > 0, confidence, 1.0))
        typical = tf.reduce_mean(own / self.profile_px(), -1)
        ratio = self._positive("outlier_px") / _RATIO_PX
        return Observed(points_px, seen, sigma, ratio * typical, projection, whitening)

    def sigma_px(self, take: Take) -> tf.Tensor:
        """Deviations of detections with confidence 1, `[V, J]`.

        Learned are those of joints beside each other; a take says how large all are.
        """
        log_sigma = self._value("log_sigma")
        beside = tf.exp(log_sigma - tf.reduce_mean(log_sigma))
        return tf.constant(take.sigma_px, beside.dtype) * beside

    def frames(
        self,
        triangulated: Triangulated,
        observed: Observed,
        body: Body,
        terms: Weights,
    ) -> tuple[Unknowns, tf.Tensor]:
        """Joints of frames by themselves, and their bodies' turns, `[F, 3, 3]`."""
        turn, x = minimise.begin(triangulated, observed, body, terms)
        return self.refined(x, turn, observed, body, terms)

    def refined(
        self,
        x: Unknowns,
        turn: tf.Tensor,
        observed: Observed,
        body: Body,
        terms: Weights,
        inference: bool = False,
    ) -> tuple[Unknowns, tf.Tensor]:
        """The same from joints and turns that are near; see `minimise.of_frames`."""
        x = minimise.of_frames(
            x,
            turn,
            observed,
            body,
            terms,
            self.layout,
            self.config.solver,
            self.damping,
            self.derivative,
            inference,
        ).value
        return restarted(x, turn)

    def sequence(
        self,
        x: Unknowns,
        turn: tf.Tensor,
        inside: tf.Tensor,
        observed: Observed,
        body: Body,
        terms: Weights,
        overlap: tf.Tensor,
        inference: bool = False,
        from_frames: bool = True,
    ) -> Unknowns:
        """Joints of sequences, from those of their frames or from near ones.

        See `minimise.of_sequence`.
        """
        return minimise.of_sequence(
            x,
            turn,
            Chain(inside, turn),
            observed,
            body,
            terms,
            self.layout,
            self.config.solver,
            overlap,
            self.damping,
            inference,
            from_frames,
        ).value

    def weight(self, name: str) -> keras.Variable:
        """The variable of that name, as "log_time"; positive ones by logarithms."""
        variable: keras.Variable = getattr(self, f"_{name}_variable")
        return variable

    def get_config(self) -> dict[str, Any]:
        """The arguments of the model, as JSON keeps them."""
        prior = {**vars(self.prior), "skeleton": asdict(self.prior.skeleton)}
        return {
            **super().get_config(),
            "prior": {n: np.asarray(v).tolist() if isinstance(v, np.ndarray) else v
                      for n, v in prior.items()},
            "detector": asdict(self.joints.detector),
            "config": asdict(self.config),
            "damping": self.damping,
            "derivative": self.derivative,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CalibratedLifter":
        """The model of what `get_config` gives, before its weights are loaded."""
        arguments = dict(config)
        prior = dict(arguments.pop("prior"))
        skeleton = Skeleton.of(prior.pop("skeleton"))
        fps = prior.pop("fps")
        arrays = {name: np.array(values) for name, values in prior.items()}
        return cls(
            PosePrior(skeleton=skeleton, fps=fps, **arrays),
            Skeleton.of(arguments.pop("detector")),
            CalibratedConfig.of(arguments.pop("config")),
            **arguments,
        )

    def _add(self, name: str, value: Any) -> None:
        value = np.asarray(value, np.float64)
        variable = self.add_weight(
            name=name, shape=value.shape, initializer="zeros", dtype="float64"
        )
        variable.assign(value)
        setattr(self, f"_{name}_variable", variable)

    def _value(self, name: str) -> tf.Tensor:
        return tf.convert_to_tensor(self.weight(name))

    def _positive(self, name: str) -> tf.Tensor:
        return tf.exp(self._value(f"log_{name}"))


# `EnergyConfig.outlier_px` is said of a detector with this σ.
_RATIO_PX: Final = 4.0


def _swaps(limb: float, body: float) -> np.ndarray:
    """Prior probabilities of none, arms, legs and all."""
    return np.array([1 - 2 * limb - body, limb, limb, body])
