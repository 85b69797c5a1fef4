"""Losses over pairs of predictions and targets: int-3dhuman-I1's two, and one more.

A pair's tensors have equal shapes `[B, ...]`; targets get no gradient. Sums are formed
in float32, or float64 if the prediction is float64. B and every mean are those of the
whole batch: on several replicas each holds its samples' part of the loss, and the parts
add up to it.
"""

from collections.abc import Sequence
from typing import Any, Final

import tensorflow as tf

from human_pose.runs import distribution

Pair = tuple[Any, Any]

# tf.nn.l2_loss is half the sum of squares; unlike a sum of tf.square it makes no other
# tensor of the size of its input, and its gradient is the input itself.
_TWICE: Final = 2.0


class AdaptiveWeightEuclidean:
    """Σₖ Σ(pₖ - gₖ)² / (B mₖ), where mₖ = mean |pₖ - gₖ| counts as a constant.

    The mean absolute gradient of every pair's elements is then 2 / B, so that no pair
    is lost beside another (int-3dhuman-I1: `AdaptiveWeightEucLoss`). A perfect pair
    adds 0 and has no gradient; the original gives NaN.
    """

    def __call__(self, pairs: Sequence[Pair]) -> tf.Tensor:
        """The loss, a scalar."""
        return tf.add_n(self.terms(pairs))

    def terms(self, pairs: Sequence[Pair]) -> list[tf.Tensor]:
        """What each pair adds to the loss: scalars.

        Args:
          pairs: predictions and targets.

        Raises:
          ValueError: if there is no pair, or the shapes of one differ.
        """
        return [self._term(_difference(pair)) for pair in _checked(pairs)]

    def _term(self, difference: tf.Tensor) -> tf.Tensor:
        mean = _mean(tf.abs(tf.stop_gradient(difference)))
        weight = tf.math.divide_no_nan(tf.ones_like(mean), mean)
        return _TWICE * tf.nn.l2_loss(difference) * weight / _batch(difference)


class Euclidean:
    """Σₖ wₖ Σ(pₖ - gₖ)² / (2 B), Caffe's `EuclideanLoss` for each pair.

    Args:
      weights: wₖ, one for each pair.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights = tuple(float(weight) for weight in weights)

    def __call__(self, pairs: Sequence[Pair]) -> tf.Tensor:
        """The loss, a scalar."""
        return tf.add_n(self.terms(pairs))

    def terms(self, pairs: Sequence[Pair]) -> list[tf.Tensor]:
        """What each pair adds to the loss: scalars.

        Args:
          pairs: predictions and targets, one pair for each weight.

        Raises:
          ValueError: if their number is not that of the weights, or the shapes of one
            differ.
        """
        if len(pairs) != len(self.weights):
            raise ValueError(
                f"pairs must be {len(self.weights)}, one for each weight; "
                f"received {len(pairs)}"
            )
        differences = [_difference(pair) for pair in _checked(pairs)]
        return [
            weight * self._term(difference)
            for weight, difference in zip(self.weights, differences, strict=True)
        ]

    def _term(self, difference: tf.Tensor) -> tf.Tensor:
        return tf.nn.l2_loss(difference) / _batch(difference)


class Absolute(Euclidean):
    """Σₖ wₖ Σ|pₖ - gₖ| / B, for readouts better than squares (Sun et al., table 1).

    Args:
      weights: wₖ, one for each pair.
    """

    def _term(self, difference: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.abs(difference)) / _batch(difference)


def _checked(pairs: Sequence[Pair]) -> Sequence[Pair]:
    if not pairs:
        raise ValueError("pairs must hold at least one pair; received none")
    for number, (prediction, target) in enumerate(pairs):
        shapes = (
            tf.convert_to_tensor(prediction).shape,
            tf.convert_to_tensor(target).shape,
        )
        if not shapes[0].is_compatible_with(shapes[1]):
            raise ValueError(
                f"prediction and target of pair {number} must have one shape; "
                f"received {shapes[0]} and {shapes[1]}"
            )
    return pairs


def _difference(pair: Pair) -> tf.Tensor:
    prediction, target = map(tf.convert_to_tensor, pair)
    dtype = tf.float64 if prediction.dtype == tf.float64 else tf.float32
    return tf.cast(prediction, dtype) - tf.stop_gradient(tf.cast(target, dtype))


def _mean(values: tf.Tensor) -> tf.Tensor:
    """The mean over the whole batch."""
    if not distribution.in_parts():
        return tf.reduce_mean(values)
    number = tf.cast(tf.size(values), values.dtype)
    whole = distribution.total(tf.stack([tf.reduce_sum(values), number]))
    return whole[0] / whole[1]


def _batch(difference: tf.Tensor) -> tf.Tensor:
    return distribution.samples(difference, difference.dtype)
