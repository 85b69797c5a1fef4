"""What the derivative of a failed problem shall be."""

from collections.abc import Callable
from typing import Any, Literal

import tensorflow as tf

from wiberg_tf._autodiff import probe
from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._solution import Solution, Status

OnFailure = Literal["keep", "nan", "raise"]

_MESSAGE = (
    "The gradient of a failed minimisation was asked for, and on_failure is raise; "
    "statuses:"
)


def check_on_failure(on_failure: Any) -> None:
    """Refuses another rule.

    Raises:
      ValueError: for it.
    """
    if on_failure not in ("keep", "nan", "raise"):
        raise ValueError(
            f"`on_failure` must be keep, nan or raise; received {on_failure!r}"
        )


def heed_failures(solution: Solution, on_failure: OnFailure) -> Solution:
    """The solution, whose gradient is not taken where a problem has failed.

    That is a problem whose status is neither CONVERGED nor NOT_CHECKED, and whose value
    or energy the loss depends on; in forward mode, whose value or energy moves.

    Args:
      solution: with a derivative.
      on_failure: "keep" leaves the derivative as it is, "nan" makes it NaN, and "raise"
        is an InvalidArgumentError in the backward pass, or in forward mode at once.
    """
    if on_failure == "keep":
        return solution
    fine = tf.constant([Status.CONVERGED, Status.NOT_CHECKED], tf.int32)
    failed = tf.reduce_all(solution.status[..., None] != fine, -1)

    def heed(entry: tf.Tensor) -> tf.Tensor:
        inner = entry.shape.rank - failed.shape.rank
        lost = tf.reshape(failed, tf.concat([tf.shape(failed), [1] * inner], 0))

        def heeded(derivative: Any) -> tf.Tensor:
            # A gather in the loss gives IndexedSlices.
            derivative = tf.convert_to_tensor(derivative)
            asked = lost & (derivative != 0)
            if on_failure == "nan":
                return tf.where(asked, tf.cast(NAN, derivative.dtype), derivative)
            with insist(~asked, _MESSAGE, solution.status):
                return tf.identity(derivative)

        @tf.custom_gradient
        def identity(entry: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
            return tf.identity(entry), heeded

        (entry,), (tangent,) = probe([entry])
        found = identity(entry)
        if tangent is None:
            return found
        if on_failure == "nan":
            return _with_nan_for_tangent(found, lost)
        with tf.control_dependencies([heeded(tangent)]):
            return tf.identity(found)

    value = tf.nest.map_structure(heed, solution.value)
    stats = solution.stats._replace(energy=heed(solution.stats.energy))
    return solution._replace(value=value, stats=stats)


def _with_nan_for_tangent(entry: tf.Tensor, lost: tf.Tensor) -> tf.Tensor:
    """The tensor, whose tangent is NaN where it is lost and not 0."""
    there = tf.math.is_finite(entry)
    # Of the value 0, and multiplied with NaN that stays 0, but for its derivative.
    still = tf.where(there, entry - tf.stop_gradient(entry), tf.zeros_like(entry))
    factor = tf.where(lost, tf.cast(NAN, entry.dtype), 0) * tf.ones_like(entry)
    return entry + tf.math.multiply_no_nan(factor, still)
