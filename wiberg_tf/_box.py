"""Boxes in the space of the unknowns, as vectors."""

from typing import NamedTuple

import tensorflow as tf


class Box(NamedTuple):
    """Bounds that broadcast to `[*batch, n]`."""

    lower: tf.Tensor
    upper: tf.Tensor

    def project(self, x: tf.Tensor) -> tf.Tensor:
        """The nearest point of the box.

        A point on a bound is the bound itself, so that gradients go there: it does not
        leave when the bound moves. Between equal bounds they go to both alike.
        """
        inside = tf.where(x <= self.lower, self.lower, x)
        inside = tf.where(x >= self.upper, self.upper, inside)
        return tf.where(self.fixed(), 0.5 * self.lower + 0.5 * self.upper, inside)

    def touched(self, x: tf.Tensor) -> tf.Tensor:
        """Which unknowns are at a bound, bool like x."""
        return (x <= self.lower) | (x >= self.upper)

    def fixed(self) -> tf.Tensor:
        """Which unknowns have nowhere to go, bool like the bounds."""
        return self.lower == self.upper

    def held(self, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """Which unknowns a bound keeps from descending, bool like x."""
        return (
            ((x <= self.lower) & (gradient > 0))
            | ((x >= self.upper) & (gradient < 0))
            | self.fixed()
        )

    def nearly_held(
        self, x: tf.Tensor, gradient: tf.Tensor, curvature: tf.Tensor
    ) -> tf.Tensor:
        """Which unknowns are held at a minimiser that is known to a tolerance only.

        A bound holds an unknown that is within 1e-6 (1e-3 in float32) of it, relative
        to the larger of |bound|, |x| and the box's width where that is finite, if the
        gradient pushes there, and further than to the bound: the gap is less than half
        of the step |g| / curvature that the unknown would make alone.

        Args:
          x: `[*batch, n]`.
          gradient: ∂E/∂x, like x.
          curvature: a size of the diagonal of H, like x.
        """
        part = 1e-6 if x.dtype == tf.float64 else 1e-3
        width = self.upper - self.lower
        width = tf.where(tf.math.is_finite(width), width, tf.zeros_like(width))

        def near(gap: tf.Tensor, bound: tf.Tensor, push: tf.Tensor) -> tf.Tensor:
            there = tf.math.is_finite(bound)
            size = tf.maximum(tf.abs(x), tf.maximum(tf.abs(bound), width))
            close = there & (gap <= part * size)
            return close & (push > 0) & (2 * gap * curvature <= push)

        lower = near(x - self.lower, self.lower, gradient)
        upper = near(self.upper - x, self.upper, -gradient)
        return self.held(x, gradient) | lower | upper


def restrict(matrix: tf.Tensor, held: tf.Tensor) -> tf.Tensor:
    """The matrix with rows and columns of held unknowns replaced by a diagonal.

    The diagonal is as large as the free unknowns' largest entry, so that it says
    nothing about the matrix's condition.
    """
    either = held[..., :, None] | held[..., None, :]
    free = tf.where(either, tf.zeros_like(matrix), matrix)
    largest = tf.reduce_max(tf.abs(tf.linalg.diag_part(free)), -1, keepdims=True)
    scale = tf.where(largest > 0, largest, tf.ones_like(largest))
    filling = tf.where(held, tf.stop_gradient(scale), tf.zeros_like(scale))
    return free + tf.linalg.diag(filling)
