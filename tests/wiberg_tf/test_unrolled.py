"""Reverse mode through the solver's own steps, kept or computed again."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

SOLVERS = {
    "newton": wt.Newton(max_iterations=4),
    "descent": wt.GradientDescent(rate=0.005, max_iterations=30),
    "lbfgs": wt.LBFGS(max_iterations=6),
}


def energy(x, matrix, target, count):
    # Not residual**2: TensorFlow's third derivative of a power is NaN at 0.
    squared = tf.square(tf.linalg.matvec(matrix, x) - target)
    value = squared + 0.1 * tf.square(squared) + tf.square(x)
    return tf.reduce_sum(value, -1) * tf.cast(count, x.dtype)


def gradients(solver, checkpoint, mode):
    random = np.random.default_rng(0)
    matrix = tf.constant(random.normal(size=(3, 4, 4)) + 2 * np.eye(4))
    target = tf.Variable(random.normal(size=(3, 4)))

    def compute():
        with tf.GradientTape() as tape:
            tape.watch(matrix)
            solution = wt.argmin(
                energy,
                tf.zeros([3, 4], tf.float64),
                (matrix, target, 2),
                solver=solver,
                derivative=wt.Unrolled(checkpoint=checkpoint),
                batch_dims=1,
            )
            loss = tf.reduce_sum(tf.sin(solution.value))
        return loss, *tape.gradient(loss, [matrix, target])

    return (tf.function(compute) if mode == "graph" else compute)()


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_checkpoints_change_no_gradient(solver, mode):
    """Few iterations, so that the gradient is the solver's and not the minimum's."""
    plain = gradients(SOLVERS[solver], False, mode)
    lean = gradients(SOLVERS[solver], True, mode)
    assert np.abs(plain[1]).max() > 1e-3
    for expected, actual in zip(plain, lean, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-13)


def test_checkpoints_reach_captured_variables():
    shift = tf.Variable([0.5, -1.0], dtype=tf.float64)
    found = []
    for checkpoint in (False, True):
        with tf.GradientTape() as tape:
            value = wt.argmin(
                lambda x, scale: tf.reduce_sum(tf.cosh(scale * x - shift)),
                tf.zeros([2], tf.float64),
                tf.constant(1.5, tf.float64),
                solver=wt.Newton(max_iterations=3),
                derivative=wt.Unrolled(checkpoint=checkpoint),
            ).value
            loss = tf.reduce_sum(value**2)
        found.append(tape.gradient(loss, shift))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10)
    # At the minimum x = shift / 1.5.
    np.testing.assert_allclose(found[0], 2 * shift / 1.5**2, rtol=1e-3)


def test_checkpoints_need_a_solver_with_steps():
    with pytest.raises(ValueError, match="`checkpoint` needs a `Solver`"):
        wt.argmin(
            lambda x, t: (x - t) ** 2,
            tf.constant(0.0),
            tf.constant(1.0),
            solver=wt.given,
            derivative=wt.Unrolled(checkpoint=True),
        )
