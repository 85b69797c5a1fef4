"""L-BFGS and gradient descent: known minima, independence of problems, failures."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem
from wiberg_tf._solvers.line_search import strong_wolfe
from wiberg_tf._solvers.secants import Secants


def _rosenbrock(x):
    """The chained Rosenbrock function, of any number of unknowns."""
    ahead, behind = x[..., 1:], x[..., :-1]
    return tf.reduce_sum(100 * (ahead - behind**2) ** 2 + (1 - behind) ** 2, -1)


def _solve(energy, start, *parameters, solver, derivative=None):
    return wt.argmin(
        energy,
        tf.constant(start, tf.float64),
        parameters,
        solver=solver,
        derivative=derivative,
        batch_dims=np.ndim(start) - 1,
    )


@pytest.mark.parametrize("size", [2, 30])
def test_rosenbrock(size):
    solver = wt.LBFGS(tolerance=1e-9)

    def run():
        start = np.resize([-1.2, 1.0], size)
        return _solve(_rosenbrock, start, solver=solver)

    solution = tf.function(run)()
    assert solution.status == wt.Status.CONVERGED
    np.testing.assert_allclose(solution.value, np.ones(size), rtol=1e-8)
    # About as many as the textbooks' implementations take.
    assert solution.stats.iterations < 40 * np.sqrt(size)


def test_a_quadratic_of_few_eigenvalues_takes_few_steps(rng):
    scales = rng.choice([1.0, 5.0, 40.0], size=200)
    solution = _solve(
        lambda x: 0.5 * tf.reduce_sum(scales * (x - 1) ** 2, -1),
        np.zeros(200),
        solver=wt.LBFGS(),
    )
    np.testing.assert_allclose(solution.value, np.ones(200), atol=1e-8)
    assert solution.stats.iterations < 25


def _pushed(pairs, rng):
    """A history of 4 pairs at most, the last gradient, and the pairs of 2 problems."""
    gradient = rng.normal(size=(2, 5))
    secants = Secants.none(tf.constant(gradient), 4, tf.ones(2, tf.float64))
    kept = [[], []]
    for i in range(pairs):
        step = rng.normal(size=(2, 5))
        difference = step * rng.uniform(1, 3, size=(2, 5))
        # The second problem's second pair curves downwards: it is left out.
        difference[1] *= -1 if i == 1 else 1
        gradient = gradient + difference
        secants = secants.push(*map(tf.constant, (step, difference, gradient)))
        for problem_pairs, s, y in zip(kept, step, difference, strict=True):
            problem_pairs += [(s, y)] if s @ y > 0 else []
    return secants, gradient, kept


def _dense_update(pairs):
    """H⁻¹ by one rank-two update for each pair."""
    s, y = pairs[-1]
    inverse = np.eye(len(s)) * (s @ y) / (y @ y)
    for s, y in pairs[-4:]:
        left = np.eye(len(s)) - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    return inverse


@pytest.mark.parametrize("pairs", [2, 3, 6])
def test_the_compact_form_is_the_dense_update(pairs, rng):
    secants, gradient, kept = _pushed(pairs, rng)
    found = secants.solve(tf.constant(gradient))
    for row, u, used in zip(found, gradient, kept, strict=True):
        np.testing.assert_allclose(row, _dense_update(used) @ u, rtol=1e-10)


@pytest.mark.parametrize("pairs", [2, 6])
def test_restricted_it_is_that_of_restricted_pairs(pairs, rng):
    secants, gradient, kept = _pushed(pairs, rng)
    free = np.array([[True, False, True, True, False], [False, True, True, True, True]])
    right = np.where(free, gradient, 0)
    found = secants.solve(tf.constant(right), tf.constant(free))
    for row, u, used, there in zip(found, right, kept, free, strict=True):
        inverse = _dense_update([(s[there], y[there]) for s, y in used])
        np.testing.assert_allclose(row[there], inverse @ u[there], rtol=1e-10)
        np.testing.assert_array_equal(row[~there], 0)


def test_what_is_forgotten_is_no_pair(rng):
    secants, gradient, _ = _pushed(6, rng)
    before = secants.solve(tf.constant(gradient))
    secants = secants.forget(tf.constant([True, False]))
    after = secants.solve(tf.constant(gradient))
    np.testing.assert_allclose(after[0], secants.scale[0] * gradient[0])
    np.testing.assert_array_equal(after[1], before[1])
    # What is pushed later meets nothing old.
    step = rng.normal(size=(2, 5))
    gradient = gradient + 2 * step
    secants = secants.push(*map(tf.constant, (step, 2 * step, gradient)))
    found = secants.solve(tf.constant(gradient))
    np.testing.assert_allclose(found[0], 0.5 * gradient[0], rtol=1e-10)


@pytest.mark.parametrize("kind", [wt.LBFGS, wt.GradientDescent])
def test_problems_of_a_batch_end_as_if_alone(kind):
    start = [[0.9, 0.9], [0.0, 0.0], [-0.1, 0.01], [3.0, 1.5]]
    solver = kind(tolerance=1e-6)

    def energy(x):
        return tf.reduce_sum(tf.cosh([1.0, 2.0] * x), -1)

    together = _solve(energy, start, solver=solver)
    assert len(set(together.stats.iterations.numpy())) > 2
    for i, one in enumerate(start):
        alone = _solve(energy, [one], solver=solver)
        np.testing.assert_allclose(together.value[i], alone.value[0], atol=1e-12)
        for of_batch, of_one in zip(together.stats[:3], alone.stats[:3], strict=True):
            np.testing.assert_allclose(of_batch[i], of_one[0], atol=1e-12)
    np.testing.assert_array_equal(together.status, [wt.Status.CONVERGED] * 4)


@pytest.mark.parametrize(
    "solver", [wt.LBFGS(), wt.GradientDescent()], ids=["lbfgs", "descent"]
)
def test_failures_are_reported(solver):
    @tf.custom_gradient
    def uphill(x):
        return tf.reduce_sum(x**2, -1), lambda upstream: -2 * x * upstream[..., None]

    solution = _solve(uphill, [3.0], solver=solver)
    assert solution.status == wt.Status.NO_DESCENT
    np.testing.assert_array_equal(solution.value, [3])
    # Trial steps that leave the domain are shortened; a lost start is reported.
    solution = _solve(
        lambda x: tf.reduce_sum(x - tf.math.log(x), -1),
        [[3.0], [-1.0]],
        solver=solver,
    )
    ends = [wt.Status.CONVERGED, wt.Status.NOT_FINITE]
    np.testing.assert_array_equal(solution.status, ends)
    np.testing.assert_allclose(solution.value[0], [1], rtol=1e-7)


@pytest.mark.parametrize(
    "energy",
    [
        lambda x: -x / (x**2 + 2),  # Moré and Thuente's first function.
        lambda x: (x + 0.004) ** 5 - 2 * (x + 0.004) ** 4,  # And their second.
        lambda x: tf.exp(-x) + tf.exp(6 * (x - 2)),
    ],
    ids=["rational", "quintic", "exponential"],
)
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
def test_steps_meet_the_strong_wolfe_conditions(energy, first):
    x = tf.zeros([1], tf.float64)
    problem = Problem(lambda x: energy(x)[..., 0], Packing(x, 0), ())
    value, gradient = problem.value_and_gradient(x)
    assert gradient[0] < 0
    point = strong_wolfe(
        problem,
        (x, value, gradient),
        tf.ones_like(x),
        tf.constant(first, tf.float64),
        sufficient_decrease=1e-3,
        curvature=0.1,
        max_evaluations=40,
    )
    found, slope = problem.value_and_gradient(x + point.size)
    assert found <= value + 1e-3 * point.size * gradient[0]
    assert abs(slope[0]) <= 0.1 * abs(gradient[0])
    np.testing.assert_allclose([point.energy, point.gradient[0]], [found, slope[0]])


def test_gradient_descent_with_a_rate_is_its_closed_form():
    solution = _solve(
        lambda x: 0.5 * tf.reduce_sum(x**2, -1),
        [[1.0], [3.0]],
        solver=wt.GradientDescent(rate=0.25, max_iterations=5),
    )
    np.testing.assert_allclose(solution.value, 0.75**5 * np.array([[1], [3]]))
    assert np.all(solution.status == wt.Status.MAX_ITERATIONS)


@pytest.mark.parametrize(
    "solver",
    [wt.LBFGS(max_iterations=4), wt.GradientDescent(max_iterations=4)],
    ids=lambda solver: type(solver).__name__,
)
def test_unrolled_equals_differences_of_the_truncated_solve(solver, slope):
    @tf.function
    def loss(theta):
        def energy(x, theta):
            return tf.reduce_sum(tf.cosh(x - theta) + 0.3 * x**2 * theta, -1)

        solution = _solve(
            energy, [0.2, -0.4], theta, solver=solver, derivative=wt.Unrolled()
        )
        return tf.reduce_sum(solution.value * [1.0, 2.0])

    theta, along = np.array([0.7, 1.1]), np.array([1.0, -0.5])
    tensor = tf.constant(theta)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = loss(tensor)
    found = np.sum(tape.gradient(value, tensor) * along)
    expected = slope(loss, [theta], [along], step=1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_ten_thousand_unknowns(rng):
    target = rng.normal(size=10_000)

    def energy(x, target):
        rough = tf.reduce_sum((x[1:] - x[:-1]) ** 2)
        return 0.5 * tf.reduce_sum(tf.sqrt(1 + (x - target) ** 2)) + rough

    @tf.function
    def run(target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            solution = wt.argmin(
                energy,
                tf.zeros_like(target),
                (target,),
                solver=wt.LBFGS(tolerance=1e-9),
            )
            loss = tf.reduce_sum(solution.value)
        return solution.status, tape.gradient(loss, target)

    status, gradient = run(tf.constant(target))
    assert status == wt.Status.CONVERGED
    # Moving every target moves every unknown as far.
    np.testing.assert_allclose(tf.reduce_sum(gradient), 10_000, rtol=1e-7)


def test_a_memory_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`memory` must be >= 1; received 0"):
        wt.LBFGS(memory=0)


def test_bounds_unrolled_under_xla():
    """Of two unknowns one comes to its bound; five steps leave the other on its way."""

    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                lambda x, t: tf.reduce_sum((x - t) ** 4 + 0.1 * x),
                tf.zeros_like(theta),
                (theta,),
                solver=wt.LBFGS(max_iterations=5),
                bounds=(0.0, 1.0),
                derivative=wt.Unrolled(),
            ).value
            loss = tf.reduce_sum(x**2)
        return x, tape.gradient(loss, theta)

    theta = tf.constant([0.5, 3.0], tf.float64)
    value, expected = gradient(theta)
    assert value[1] == 1
    assert expected[0] > 0.1
    found = tf.function(gradient, jit_compile=True)(theta)
    np.testing.assert_allclose(found[0], value, rtol=1e-9)
    np.testing.assert_allclose(found[1], expected, rtol=1e-7)
