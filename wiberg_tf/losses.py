"""Robust losses ρ(s) of a squared residual s = |r|², with ρ(s) ≈ s for small s.

An energy of residuals is E = ½ Σ ρ(|r|²); `width`, in the units of the residuals, says
where a residual begins to count as an outlier. It may be a tensor that is learnt.
A loss of your own is a subclass of `Loss` with its `__call__`.

References:
  Barron, A General and Adaptive Robust Loss Function, CVPR 2019, names and compares
  them.
"""

import abc
from dataclasses import dataclass

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._options import check_numbers
from wiberg_tf._tracing import TracedByValue


class Loss(TracedByValue, abc.ABC):
    """A loss; its derivatives are taken by TensorFlow."""

    @abc.abstractmethod
    def __call__(self, squared: tf.Tensor) -> tf.Tensor:
        """ρ(s), elementwise."""

    def weight(self, squared: tf.Tensor) -> tf.Tensor:
        """ρ′(s), the weight of a residual in reweighted least squares."""
        return self.weight_and_curvature(squared)[0]

    def weight_and_curvature(self, squared: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """ρ′(s) and ρ″(s)."""
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(squared)
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(squared)
                loss = as_written(self)(squared)
            weight = inner.gradient(loss, squared)
        curvature = outer.gradient(weight, squared)
        none = curvature is None  # A loss that is linear in s.
        return weight, tf.zeros_like(squared) if none else curvature


@dataclass(frozen=True)
class Squared(Loss):
    """ρ(s) = s: plain least squares."""

    def __call__(self, squared: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        return tf.identity(squared)


@dataclass(frozen=True)
class _Wide(Loss):
    """A loss with a width."""

    width: float | tf.Tensor = 1.0

    def __post_init__(self) -> None:
        check_numbers(width=self.width, positive=True)

    def _scale(self, squared: tf.Tensor) -> tf.Tensor:
        """The width squared, d²."""
        width = self.width
        if isinstance(width, int | float):  # Which `cast` would round to float32.
            return tf.constant(width**2, squared.dtype)
        return tf.square(tf.cast(width, squared.dtype))


class Huber(_Wide):
    """ρ(s) = s up to s = d², and 2d√s − d² beyond: linear in |r|."""

    def __call__(self, squared: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        scale = self._scale(squared)
        outlier = squared > scale
        # The root has no derivative at 0, where it is not used.
        root = tf.sqrt(tf.where(outlier, squared, tf.ones_like(squared)) * scale)
        return tf.where(outlier, 2 * root - scale, squared)


class PseudoHuber(_Wide):
    """ρ(s) = 2d² (√(1 + s/d²) − 1): a smooth Huber loss."""

    def __call__(self, squared: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        # As 2s / (1 + √(1 + s/d²)), which does not cancel for small s.
        return 2 * squared / (1 + tf.sqrt(1 + squared / self._scale(squared)))


class Cauchy(_Wide):
    """ρ(s) = d² log(1 + s/d²): of Student's t, logarithmic for outliers."""

    def __call__(self, squared: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        scale = self._scale(squared)
        return scale * tf.math.log1p(squared / scale)


class Welsch(_Wide):
    """ρ(s) = d² (1 − exp(−s/d²)): at most d²; the loss of the paper's toy."""

    def __call__(self, squared: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        scale = self._scale(squared)
        return -scale * tf.math.expm1(-squared / scale)


class GemanMcClure(_Wide):
    """ρ(s) = s / (1 + s/d²): at most d²."""

    def __call__(self, squared: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        return squared / (1 + squared / self._scale(squared))
