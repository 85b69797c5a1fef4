"""What the derivative of a failed problem shall be."""

from collections.abc import Callable
from typing import Any, Literal

import tensorflow as tf

from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._solution import Solution, Status

OnFailure = Literal["keep", "nan", "raise"]


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
    the loss depends on.

    Args:
      solution: with a derivative.
      on_failure: "keep" leaves the derivative as it is, "nan" makes it NaN, and "raise"
        is an InvalidArgumentError in the backward pass.
    """
    if on_failure == "keep":
        return solution
    fine = tf.constant([Status.CONVERGED, Status.NOT_CHECKED], tf.int32)
    failed = tf.reduce_all(solution.status[..., None] != fine, -1)

    def heed(entry: tf.Tensor) -> tf.Tensor:
        inner = entry.shape.rank - failed.shape.rank
        lost = tf.reshape(failed, tf.concat([tf.shape(failed), [1] * inner], 0))

        @tf.custom_gradient
        def identity(entry: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
            def backward(upstream: tf.Tensor) -> tf.Tensor:
                if on_failure == "nan":
                    return tf.where(
                        lost & (upstream != 0), tf.cast(NAN, upstream.dtype), upstream
                    )
                with insist(
                    ~(lost & (upstream != 0)),
                    "The gradient of a failed minimisation was asked for, and "
                    "on_failure is raise; statuses:",
                    solution.status,
                ):
                    return tf.identity(upstream)

            return tf.identity(entry), backward

        return identity(entry)

    value = tf.nest.map_structure(heed, solution.value)
    return solution._replace(value=value)
