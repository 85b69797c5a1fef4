"""Transformations that would lose a derivative are refused."""

import pytest
import tensorflow as tf

import wiberg_tf as wt


def _minimise(theta):
    energy = lambda x, t: (x - t) ** 2 + 0.5 * x**2  # noqa: E731
    return wt.argmin(energy, tf.zeros_like(theta), (theta,)).value


def _root(theta):
    return wt.root(lambda x, t: x**3 - t, tf.ones_like(theta), (theta,)).value


@pytest.mark.parametrize(
    "mode", [pytest.param("eager", marks=pytest.mark.large), "graph"]
)
@pytest.mark.parametrize("function", [_minimise, _root])
def test_a_derivative_that_vectorized_map_loses_is_refused(function, mode):
    def gradient(thetas):
        with tf.GradientTape() as tape:
            tape.watch(thetas)
            values = tf.vectorized_map(function, thetas)
        return tape.gradient(values, thetas)

    thetas = tf.constant([1.0, 2.0], tf.float64)
    with pytest.raises(Exception, match=r"use tf\.map_fn"):
        (tf.function(gradient) if mode == "graph" else gradient)(thetas)


def test_jacobians_within_vectorized_map_are_right():
    def slope(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = _minimise(theta)
        return tape.gradient(value, theta)

    slopes = tf.vectorized_map(slope, tf.constant([1.0, 2.0], tf.float64))
    tf.debugging.assert_near(slopes, tf.fill([2], tf.constant(2 / 3, tf.float64)))


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("function", [_minimise, _root])
def test_recompute_grad_is_named(function, mode):
    recomputed = tf.recompute_grad(function)
    run = tf.function(recomputed) if mode == "graph" else recomputed
    with pytest.raises(RuntimeError, match=r"tf\.recompute_grad stops them"):
        run(tf.constant(1.0, tf.float64))
