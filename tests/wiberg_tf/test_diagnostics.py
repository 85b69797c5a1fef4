"""Diagnostics, against closed forms of a quadratic."""

import numpy as np
import tensorflow as tf

import wiberg_tf as wt


def _energy(x, theta, shift):
    """Hessian diag(1, 4) and diag(0, 4); ∂²E/∂x∂θ is −I, and 0 for the shift."""
    curved = tf.constant([[1.0, 4.0], [0.0, 4.0]], tf.float64)
    return tf.reduce_sum(0.5 * curved * x**2 - theta * x, -1) + shift


def test_figures_of_a_quadratic():
    theta = tf.zeros([2, 2], tf.float64)
    found = wt.diagnose(
        _energy,
        tf.zeros([2, 2], tf.float64),
        (theta, 3.0),
        damping=tf.constant([0.5, 0.1], tf.float64),
        batch_dims=1,
    )
    np.testing.assert_allclose(found.smallest_eigenvalue, [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.largest_eigenvalue, [4, 4])
    np.testing.assert_allclose(found.condition, [4.5 / 1.5, 4.1 / 0.1])
    np.testing.assert_allclose(found.mixed_norm, [2**0.5, 2**0.5])
    np.testing.assert_allclose(found.bound, [2**0.5 / 1.5, 2**0.5 / 0.1])
    free, damped = np.array([1, 1 / 4]), np.array([1 / 1.5, 1 / 4.5])
    change = np.linalg.norm(damped - free) / np.linalg.norm(free)
    np.testing.assert_allclose(found.change[0], change)
    assert np.isnan(found.change[1])


def test_a_lost_problem_has_no_figures_and_leaves_those_of_others():
    def figures(samples):
        return wt.diagnose(
            lambda x, s, t: tf.reduce_sum(tf.cosh(x - t * s) + x**2, -1),
            tf.zeros_like(samples),
            (samples, 2.0),
            damping=0.5,
            batch_dims=1,
        )

    samples = tf.constant([[1.0, 2.0], [np.nan, 1.0], [0.5, 4.0]], tf.float64)
    for sound, found in ((0, 0), (1, 2)):
        for name in wt.Diagnostics._fields:
            expected = getattr(figures(tf.gather(samples, [0, 2])), name)[sound]
            np.testing.assert_allclose(
                getattr(figures(samples), name)[found], expected, rtol=1e-9
            )
    assert all(np.isnan(figure[1]) for figure in figures(samples))


def test_without_enough_damping_nothing_is_bounded():
    found = wt.diagnose(lambda x, t: -(x**2) + t * x, 0.0, 1.0, damping=1.5)
    np.testing.assert_allclose(found.smallest_eigenvalue, -2)
    assert np.isinf(found.bound) and np.isinf(found.condition)


def test_the_rule_of_adaptive_damping():
    rule = wt.Adaptive(condition=10)
    theta = tf.zeros([2, 2], tf.float64)
    found = wt.diagnose(_energy, theta, (theta, 3.0), damping=rule, batch_dims=1)
    # The first is conditioned well already.
    np.testing.assert_allclose(found.damping, [0, 0.4])
    np.testing.assert_allclose(found.bound, [2**0.5, 2**0.5 / 0.4])
    named = wt.diagnose(_energy, theta, (theta, 3.0), damping="adaptive", batch_dims=1)
    np.testing.assert_allclose(named.damping, [0, 0.004])


def test_a_damping_is_told_as_it_was_given():
    # TensorFlow takes a Python float for float32.
    x = tf.zeros([2], tf.float64)
    found = wt.diagnose(lambda x, t: tf.reduce_sum((x - t) ** 2), x, x, damping=0.1)
    assert float(found.damping) == 0.1
