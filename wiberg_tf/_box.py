"""Boxes in the space of the unknowns, as vectors."""

from typing import NamedTuple

import tensorflow as tf


class Box(NamedTuple):
    """Bounds that broadcast to `[*batch, n]`."""

    lower: tf.Tensor
    upper: tf.Tensor

    def project(self, x: tf.Tensor) -> tf.Tensor:
        """The nearest point of the box."""
        inside = tf.where(x < self.lower, self.lower, x)
        return tf.where(x > self.upper, self.upper, inside)

    def touched(self, x: tf.Tensor) -> tf.Tensor:
        """Which unknowns are at a bound, bool like x."""
        return (x <= self.lower) | (x >= self.upper)

    def held(self, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """Which unknowns a bound keeps from descending, bool like x."""
        return ((x <= self.lower) & (gradient > 0)) | (
            (x >= self.upper) & (gradient < 0)
        )


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
