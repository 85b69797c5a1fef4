"""What the matrix of a solver's steps still promises."""

from collections.abc import Callable

import tensorflow as tf

from wiberg_tf._linear.length import power_of_2
from wiberg_tf._stopping import settled

# M⁻¹g and xᵀ diag(M) x, for x and its gradient g after a step of matrix M.
Correct = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def by_step(gradient: tf.Tensor, step: tf.Tensor) -> Correct:
    """The correction by the last step alone: M as a multiple of the identity."""
    gradient, step = tf.stop_gradient(gradient), tf.stop_gradient(step)
    # Of a size near 1, or squares leave the range of numbers.
    scale = power_of_2(tf.reduce_max(tf.abs(gradient), -1, keepdims=True))
    gradient /= scale
    promised = tf.reduce_sum(tf.abs(gradient * step), -1, keepdims=True)
    length = tf.reduce_sum(gradient**2, -1, keepdims=True)
    inverse = tf.math.divide_no_nan(promised, length) / scale

    def correct(x: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        squared = tf.reduce_sum(x**2, -1)
        return inverse * gradient, tf.math.divide_no_nan(squared, inverse[..., 0])

    return correct


def settled_by(
    correct: Correct,
    x: tf.Tensor,
    energy: tf.Tensor,
    gradient: tf.Tensor,
    first_energy: tf.Tensor,
    rtol: float | None = None,
) -> tf.Tensor:
    """Whether a matrix promises nothing beside what there is: see `settled`."""
    # Nothing differentiates a decision.
    x, energy, gradient, first_energy = tf.nest.map_structure(
        tf.stop_gradient, (x, energy, gradient, first_energy)
    )
    correction, size = correct(x, gradient)
    return settled(gradient, correction, energy, first_energy, size, rtol)
