"""Lengths of vectors of any scale."""

import math

import tensorflow as tf


def norm(vector: tf.Tensor, keepdims: bool = False) -> tf.Tensor:
    """Euclidean, `[*batch]`, with derivative 0 at 0."""
    # Beside the largest entry, or squares leave the range of numbers.
    largest = tf.reduce_max(tf.abs(tf.stop_gradient(vector)), -1, keepdims=True)
    scale = tf.where((largest > 0) & tf.math.is_finite(largest), largest, 1)
    squared = tf.reduce_sum((vector / scale) ** 2, -1, keepdims=True)
    there = squared > 0
    length = tf.where(there, tf.sqrt(tf.where(there, squared, 1)), 0 * squared)
    return scale * length if keepdims else (scale * length)[..., 0]


def unit_and_size(vector: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The vector in length 1, and its length `[*batch, 1]`, which is 1 of 0.

    Where the length is not finite they are the vector itself, and 1.
    """
    length = norm(vector, keepdims=True)
    usable = (length > 0) & tf.math.is_finite(length)
    size = tf.where(usable, length, tf.ones_like(length))
    return vector / size, size


def power_of_2(size: tf.Tensor) -> tf.Tensor:
    """The one nearest to each size, which rounds nothing; 1 of 0, inf and NaN."""
    usable = (size > 0) & tf.math.is_finite(size)
    exponent = tf.round(tf.math.log(tf.where(usable, size, 1)) / math.log(2))
    return tf.pow(tf.constant(2, size.dtype), exponent)
