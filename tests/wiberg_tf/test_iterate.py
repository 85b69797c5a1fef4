"""The loop that solvers share, and the caller's own solvers."""

from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


@dataclass(frozen=True)
class _Descent(wt.Solver):
    """Gradient descent with a fixed rate, as a user would write a solver."""

    rate: float
    max_iterations: int = 50
    tolerance: float = 1e-3

    def init(self, problem, x):
        return (x, *problem.value_and_gradient(x))

    def step(self, problem, state):
        x, _, gradient = state
        return self.init(problem, x - self.rate * gradient)

    def terminate(self, state):
        done = tf.norm(state[2], axis=-1) <= self.tolerance
        return done, tf.fill(tf.shape(done), int(wt.Status.CONVERGED))

    def postprocess(self, state):
        return state


def _bowl(x, t):
    return 0.5 * tf.reduce_sum((x - t) ** 2, -1)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_finished_problems_stop_while_others_go_on(mode):
    # |x - t| halves each time: 1 → 2⁻¹⁰ in ten iterations, 4 in twelve, 2³⁰⁰ never.
    start = tf.constant([[1.0], [4.0], [0.0], [2.0**300]], tf.float64)

    def run(start):
        return wt.argmin(
            _bowl,
            start,
            (tf.zeros([4, 1], tf.float64),),
            solver=_Descent(rate=0.5),
            batch_dims=1,
        )

    solution = (tf.function(run) if mode == "graph" else run)(start)
    np.testing.assert_array_equal(solution.stats.iterations, [10, 12, 0, 50])
    np.testing.assert_array_equal(
        solution.value[:, 0], [2.0**-10, 2.0**-10, 0, 2.0**250]
    )
    c, m = wt.Status.CONVERGED, wt.Status.MAX_ITERATIONS
    np.testing.assert_array_equal(solution.status, [c, c, c, m])
    np.testing.assert_array_equal(solution.stats.gradient_norm, solution.value[:, 0])
    np.testing.assert_array_equal(
        solution.stats.energy, 0.5 * solution.value[:, 0] ** 2
    )


def test_a_single_step_leaves_finished_problems_alone():
    solution = wt.argmin(
        _bowl,
        tf.constant([[1e-4], [4.0]], tf.float64),
        (tf.zeros([2, 1], tf.float64),),
        solver=_Descent(rate=0.5, max_iterations=1),
        batch_dims=1,
    )
    np.testing.assert_array_equal(solution.value[:, 0], [1e-4, 2])
    np.testing.assert_array_equal(solution.stats.iterations, [0, 1])
    c, m = wt.Status.CONVERGED, wt.Status.MAX_ITERATIONS
    np.testing.assert_array_equal(solution.status, [c, m])


def test_divergence_is_reported_as_not_finite():
    solution = wt.argmin(_bowl, tf.ones(1), (0.0,), solver=_Descent(-1e30))
    assert solution.status == wt.Status.NOT_FINITE


def test_an_unrolled_loop_differentiates_the_iterations_it_made():
    theta, start = tf.constant([1.0], tf.float64), tf.zeros(1, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([theta, start])
        x = wt.argmin(
            _bowl,
            start,
            (theta,),
            solver=_Descent(0.5, max_iterations=3),
            derivative=wt.Unrolled(),
        ).value
    # x₃ = (1 - 2⁻³) θ.
    np.testing.assert_allclose(tape.gradient(x, theta), [0.875])
    np.testing.assert_allclose(tape.gradient(x, start), [0.125])


def test_given_returns_the_start_with_its_derivative():
    theta = tf.constant([1.0, 2.0], tf.float64)
    known = tf.constant([1.0, 2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        solution = wt.argmin(_bowl, known, (theta,), solver=wt.given)
    np.testing.assert_array_equal(solution.value, known)
    assert solution.status == wt.Status.NOT_CHECKED
    np.testing.assert_allclose(tape.gradient(solution.value, theta), [1, 1])


def test_a_callable_solver_gets_the_objective_and_the_start():
    def solver(objective, initial):
        value = objective(initial["x"] * 0 + 3)
        np.testing.assert_allclose(value, 0.5 * 2 * 2**2)
        np.testing.assert_array_equal(initial["x"], [5, 5])
        return {"x": np.array([1.0, 1.5])}

    def energy(x, t):
        return _bowl(x["x"] if isinstance(x, dict) else x, t)

    solution = wt.argmin(
        energy,
        {"x": tf.constant([5.0, 5.0], tf.float64)},
        (tf.constant([1.0, 1.0], tf.float64),),
        solver=solver,
    )
    np.testing.assert_array_equal(solution.value["x"], [1, 1.5])
    np.testing.assert_allclose(solution.stats.energy, 0.125)
    np.testing.assert_allclose(solution.stats.gradient_norm, 0.5)
    assert solution.stats.iterations == 0


def test_a_callable_solver_that_loses_the_value_is_reported():
    solution = wt.argmin(
        lambda x: tf.reduce_sum(x**2, -1),
        tf.ones([2, 1]),
        solver=lambda _, initial: initial * tf.constant([[1.0], [np.nan]]),
        batch_dims=1,
    )
    np.testing.assert_array_equal(
        solution.status, [wt.Status.NOT_CHECKED, wt.Status.NOT_FINITE]
    )


@pytest.mark.parametrize(
    "value",
    [tf.zeros([3, 2]), tf.zeros([2, 3], tf.float64), tf.zeros(6)],
    ids=["transposed", "float64", "flat"],
)
def test_a_callable_solver_must_return_the_like_of_the_start(value):
    with pytest.raises(ValueError, match=r"like `initial`, float32 of shape \(2, 3\)"):
        wt.argmin(
            tf.reduce_sum, tf.zeros([2, 3]), solver=lambda objective, initial: value
        )
