"""Energies and their derivatives over packed vectors."""

import numpy as np
import pytest
import tensorflow as tf

from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem, round_off


def _problem(energy, x, parameters=(), batch_dims=0):
    packing = Packing(x, batch_dims)
    return Problem(energy, packing, parameters), packing.pack(x)


def _mixed(x):
    """Written with a gather and a segment sum, over a nest."""
    scaled = tf.gather(x["a"], [0, 1, 1], axis=-1) * tf.exp(x["b"])[..., None]
    weights = tf.constant([1.0, 2.0, 1.0], tf.float64)
    entries = tf.transpose(tf.reshape(weights * scaled**2, [-1, 3]))
    sums = tf.math.segment_sum(entries, [0, 0, 0])
    return tf.reshape(sums, tf.shape(x["b"]))


def _mixed_hessian(a, b):
    e = np.exp(2 * b)
    return np.array(
        [
            [2 * e, 0, 4 * a[0] * e],
            [0, 6 * e, 12 * a[1] * e],
            [4 * a[0] * e, 12 * a[1] * e, 4 * (a[0] ** 2 + 3 * a[1] ** 2) * e],
        ]
    )


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_value_gradient_and_hessian_of_a_batch(mode, rng):
    a, b = rng.normal(size=(4, 2)), rng.normal(size=4)

    def evaluate(a, b):
        problem, x = _problem(_mixed, {"a": a, "b": b}, batch_dims=1)
        return (*problem.value_and_gradient(x), problem.hessian(x))

    run = tf.function(evaluate) if mode == "graph" else evaluate
    value, gradient, hessian = run(tf.constant(a), tf.constant(b))
    e = np.exp(2 * b)
    expected = (a[:, 0] ** 2 + 3 * a[:, 1] ** 2) * e
    np.testing.assert_allclose(value, expected)
    np.testing.assert_allclose(
        gradient, np.stack([2 * a[:, 0] * e, 6 * a[:, 1] * e, 2 * expected], -1)
    )
    for i in range(4):
        np.testing.assert_allclose(hessian[i], _mixed_hessian(a[i], b[i]), atol=1e-12)


def test_hessian_products_equal_the_hessian_times_a_vector(rng):
    nest = {"a": tf.constant(rng.normal(size=2)), "b": tf.constant(0.3, tf.float64)}
    problem, x = _problem(_mixed, nest)
    direction = tf.constant(rng.normal(size=3))
    np.testing.assert_allclose(
        problem.hessian_product(x, direction),
        _mixed_hessian(nest["a"].numpy(), 0.3) @ direction.numpy(),
    )


def test_a_linear_energy_has_a_zero_hessian():
    problem, x = _problem(tf.reduce_sum, tf.ones(3))
    np.testing.assert_array_equal(problem.hessian(x), np.zeros([3, 3]))


@pytest.mark.parametrize(
    ("energy", "batch_dims", "received"),
    [
        (lambda x: x**2, 0, r"shape \(\); received shape \(2, 3\)"),
        (tf.reduce_sum, 1, r"shape \(2,\); received shape \(\)"),
        (lambda x: tf.reduce_sum(x, 0), 1, r"shape \(2,\); received shape \(3,\)"),
    ],
)
def test_an_energy_of_another_shape_is_refused(energy, batch_dims, received):
    problem, x = _problem(energy, tf.ones([2, 3]), batch_dims=batch_dims)
    with pytest.raises(ValueError, match=f"one value per problem, {received}"):
        problem.value(x)


def test_an_energy_that_ignores_x_is_refused():
    problem, x = _problem(lambda x: tf.constant(1.0), tf.ones(2))
    with pytest.raises(ValueError, match="`energy` does not depend on x"):
        problem.value_and_gradient(x)


def test_round_off():
    assert round_off(tf.float64) == 2.0**-52
    assert round_off(tf.float32) == 2.0**-23
