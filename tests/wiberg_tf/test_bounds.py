"""Bounds: the constrained minimum, and its derivative with some unknowns held."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_SOLVERS = {
    "newton": wt.Newton(tolerance=1e-11),
    "descent": wt.GradientDescent(tolerance=1e-6, max_iterations=5000),
    "levenberg-marquardt": wt.LevenbergMarquardt(tolerance=1e-9),
    "lbfgs": wt.LBFGS(rtol=1e-11),
}
each = pytest.mark.parametrize("solver", _SOLVERS.values(), ids=_SOLVERS)


def _coupled(x, matrix, target):
    moved = x - target
    return 0.5 * tf.reduce_sum(moved * tf.linalg.matvec(matrix, moved), -1)


def _residuals(x, matrix, target):
    """Whose energy is `_coupled`."""
    factor = tf.linalg.cholesky(matrix)
    return tf.linalg.matvec(factor, x - target, transpose_a=True)


def _constrained(matrix, target, lower, upper):
    """The minimum over every choice of which unknowns are held where."""
    best, size = (np.inf, None), len(target)
    for code in np.ndindex(*[3] * size):
        code = np.array(code)
        x = np.choose(code, [np.zeros(size), lower, upper])
        free, held = code == 0, code > 0
        if free.any():
            pull = matrix[np.ix_(free, held)] @ (x - target)[held]
            x[free] = target[free] - np.linalg.solve(matrix[np.ix_(free, free)], pull)
        if np.all(x >= lower - 1e-12) and np.all(x <= upper + 1e-12):
            energy = 0.5 * (x - target) @ matrix @ (x - target)
            best = min(best, (energy, tuple(x)))
    return np.array(best[1])


@each
def test_quadratics_end_at_the_constrained_minimum(solver, rng):
    factor = rng.normal(size=(12, 4, 4))
    matrix = factor @ np.swapaxes(factor, -1, -2) + 0.5 * np.eye(4)
    target = 2 * rng.normal(size=(12, 4))
    lower, upper = -np.ones(4), np.array([1.0, 0.5, 2.0, np.inf])
    solution = tf.function(wt.argmin)(
        wt.ResidualEnergy(_residuals),
        tf.constant(3 * rng.normal(size=(12, 4))),
        (tf.constant(matrix), tf.constant(target)),
        solver=solver,
        batch_dims=1,
        bounds=(lower, upper),
    )
    assert np.all(solution.status == wt.Status.CONVERGED)
    expected = [
        _constrained(m, t, lower, np.minimum(upper, 1e3))
        for m, t in zip(matrix, target, strict=True)
    ]
    np.testing.assert_allclose(solution.value, expected, atol=1e-5)
    # Some bounds are active and some are not, or the test says little.
    active = np.isin(solution.value, [-1, 0.5, 1, 2])
    assert 5 < active.sum() < 43


def test_nonlinear_residuals_within_bounds(slope):
    def residuals(x, theta):
        valley = 3 * (x[..., 1:] - theta * x[..., :-1] ** 2)
        return tf.concat([valley, 1 - x], -1)

    def solve(theta, solver):
        return wt.argmin(
            wt.ResidualEnergy(residuals),
            tf.constant([-1.0, 2.0, 0.5], tf.float64),
            (theta,),
            solver=solver,
            bounds=([-2.0, -1.0, -1.0], [0.8, 2.0, 0.4]),
        )

    theta = tf.constant([1.1, 0.9], tf.float64)
    solver = wt.LevenbergMarquardt(tolerance=1e-11)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        solution = solve(theta, solver)
        loss = tf.reduce_sum(solution.value * [1.0, 2.0, 3.0])
    assert solution.status == wt.Status.CONVERGED
    assert solution.value[2] == 0.4
    newton = solve(theta, wt.Newton(tolerance=1e-11))
    np.testing.assert_allclose(solution.value, newton.value, atol=1e-10)
    along = np.array([0.6, -1.0])
    expected = slope(
        tf.function(lambda t: tf.reduce_sum(solve(t, solver).value * [1.0, 2.0, 3.0])),
        [theta.numpy()],
        [along],
    )
    found = np.sum(tape.gradient(loss, theta) * along)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("linear_solve", ["dense", "cg", "minres"])
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_the_derivative_is_that_of_the_free_unknowns(linear_solve, damping, rng):
    factor = rng.normal(size=(3, 3))
    matrix = factor @ factor.T + 0.5 * np.eye(3)
    target = tf.constant([0.3, 4.0, -0.2], tf.float64)  # The second is held at 1.
    incoming = rng.normal(size=3)
    with tf.GradientTape() as tape:
        tape.watch(target)
        x = wt.argmin(
            lambda x, target: _coupled(x, matrix, target),
            tf.zeros(3, tf.float64),
            (target,),
            solver=_SOLVERS["newton"],
            derivative=wt.TrustRegion(damping, linear_solve),
            bounds=(-10.0, tf.constant([10.0, 1.0, 10.0], tf.float64)),
        ).value
    assert x[1] == 1
    free = [0, 2]
    damped = matrix[np.ix_(free, free)] + damping * np.eye(2)
    # ∂²E/∂x∂θ is −matrix.
    expected = matrix[free].T @ np.linalg.solve(damped, incoming[free])
    gradient = tape.gradient(x, target, incoming)
    np.testing.assert_allclose(gradient, expected, rtol=1e-8)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_the_derivative_equals_differences_of_the_bounded_solve(solver, slope):
    @tf.function
    def loss(theta, derivative):
        x = wt.argmin(
            lambda x, t: (
                tf.reduce_sum(tf.exp(x - t) - x * tf.reverse(t, [0]))
                + 0.3 * tf.reduce_sum(x) ** 2
            ),
            tf.zeros(3, tf.float64),
            (theta,),
            solver=_SOLVERS[solver],
            derivative=derivative,
            bounds=(0.0, 0.5),
        ).value
        return tf.reduce_sum(x * [1.0, 2.0, 3.0])

    theta, along = np.array([0.3, 0.8, 2.5]), np.array([1.0, -0.5, 0.7])
    for derivative in (wt.Implicit(), wt.Unrolled()):
        tensor = tf.constant(theta)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = loss(tensor, derivative)
        found = np.sum(tape.gradient(value, tensor) * along)
        expected = slope(lambda t: loss(t, wt.Implicit()), [theta], [along])
        np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (3.0, r"`bounds` must be a tuple \(lower, upper\)"),
        ((tf.zeros(4), 1.0), "broadcast|Incompatible"),
    ],
)
def test_wrong_bounds_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        wt.argmin(tf.reduce_sum, tf.zeros(3), bounds=bounds)


def test_crossed_bounds_and_solvers_without_bounds_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="above the upper"):
        wt.argmin(tf.reduce_sum, tf.zeros(3), bounds=(1.0, 0.0))

    class Boundless(wt.GradientDescent):
        takes_bounds = False

    with pytest.raises(ValueError, match="Boundless does not take `bounds`"):
        wt.argmin(tf.reduce_sum, tf.zeros(3), bounds=(0.0, 1.0), solver=Boundless())


@pytest.mark.parametrize(
    "mode", ["graph", pytest.param("eager", marks=pytest.mark.large)]
)
def test_lbfgs_of_many_unknowns_ends_where_newton_does(mode, rng):
    target = tf.constant(2 * rng.normal(size=(3, 40)))

    def energy(x, target):
        apart = tf.reduce_sum(tf.sqrt(1 + (x - target) ** 2), -1)
        return apart + 2 * tf.reduce_sum((x[:, 1:] - x[:, :-1]) ** 2, -1)

    def run(solver, target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            solution = wt.argmin(
                energy,
                tf.zeros_like(target),
                (target,),
                solver=solver,
                batch_dims=1,
                bounds=(-0.3, 0.2),
            )
            loss = tf.reduce_sum(solution.value**2)
        return solution.value, tape.gradient(loss, target), solution.status

    expected = tf.function(run)(wt.Newton(), target)
    if mode == "graph":
        run = tf.function(run)
    found = run(wt.LBFGS(), target)
    np.testing.assert_array_equal(found[2], [wt.Status.CONVERGED] * 3)
    for figure, other in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(figure, other, atol=1e-7)
    # Some bounds are active and some are not, or the test says little.
    active = np.isin(found[0], [-0.3, 0.2])
    assert 20 < active.sum() < 100
    np.testing.assert_array_equal(found[1].numpy()[active], 0)


@pytest.mark.parametrize(
    ("derivative", "mode"),
    [
        (wt.Implicit(), "eager"),
        (wt.Implicit("cg"), "eager"),
        (wt.Unrolled(), "eager"),
        (wt.Unrolled(checkpoint=True), "eager"),
        (wt.Implicit(), "graph"),
        pytest.param(wt.Implicit("cg"), "graph", marks=pytest.mark.large),
        pytest.param(wt.Unrolled(), "graph", marks=pytest.mark.large),
        (wt.Unrolled(checkpoint=True), "graph"),
    ],
    ids=str,
)
def test_what_is_held_moves_with_its_bound(derivative, mode):
    matrix = tf.constant([[2.0, 0.6, 0.1], [0.6, 1.5, -0.3], [0.1, -0.3, 1.0]])
    matrix = tf.cast(matrix, tf.float64)
    target = tf.constant([3.0, -0.9, -4.0], tf.float64)

    def minimise(lower, upper):
        return wt.argmin(
            _coupled,
            tf.zeros(3, tf.float64),
            (matrix, target),
            solver=wt.Newton(tolerance=1e-12),
            derivative=derivative,
            bounds=(lower, upper),
        ).value

    def gradients(lower, upper):
        with tf.GradientTape() as tape:
            tape.watch([lower, upper])
            loss = tf.reduce_sum(minimise(lower, upper) * [1.0, 10.0, 100.0])
        return tape.gradient(loss, [lower, upper])

    run = tf.function(gradients) if mode == "graph" else gradients
    lower = tf.constant([-1.0, -1.0, -1.0], tf.float64)
    by_lower, by_upper = run(lower, -lower)
    # x₀ is held above and x₂ below: x₁ gives way by −H₁₀ / H₁₁ and −H₁₂ / H₁₁.
    np.testing.assert_allclose(by_upper, [1 - 10 * 0.6 / 1.5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(by_lower, [0, 0, 100 + 10 * 0.3 / 1.5], atol=1e-6)


@pytest.mark.parametrize("solver", [wt.Newton(), wt.LBFGS()], ids=["newton", "lbfgs"])
@pytest.mark.parametrize("side", ["below", "above"])
def test_steps_unrolled_from_a_bound_move_with_it(solver, side):
    """E = (u + 1)² + cosh(w - 1) - u w, u held at 0: du = dw = 1 as the bound moves."""
    sign = tf.constant([1.0 if side == "below" else -1.0, 1.0], tf.float64)
    bound = tf.constant(0.0, tf.float64)

    def energy(x):
        u, w = tf.unstack(sign * x, axis=-1)
        return (u + 1) ** 2 + tf.cosh(w - 1) - u * w

    with tf.GradientTape() as tape:
        tape.watch(bound)
        ends = tf.sort(sign[0] * tf.stack([bound, bound + 9.0]))
        x = wt.argmin(
            energy,
            tf.constant([0.0, 0.5], tf.float64),
            solver=solver,
            derivative=wt.Unrolled(),
            bounds=(tf.stack([ends[0], -5.0]), tf.stack([ends[1], 5.0])),
        ).value
        found = tf.reduce_sum(sign * x * [1.0, 10.0])
    np.testing.assert_allclose(x, [0, 1], atol=1e-6)
    np.testing.assert_allclose(tape.gradient(found, bound), 1 + 10 * 1, rtol=1e-5)


@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=str)
def test_equal_bounds_move_together(derivative):
    at = tf.constant(0.7, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(at)
        x = wt.argmin(
            lambda x: (x - 3.0) ** 2,
            tf.zeros([], tf.float64),
            derivative=derivative,
            bounds=(at, at),
        ).value
    np.testing.assert_allclose(tape.gradient(x, at), 1)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_newtons_further_steps_keep_to_what_is_held(steps, rng):
    """Minima of coupled quadratics in a box, of which some touch it; by their KKT."""
    matrix = tf.constant([[1.0, 0.5], [0.5, 1.0]], tf.float64)
    pull = tf.constant(rng.normal(size=(64, 2)))

    def energy(x, pull):
        bent = 0.5 * tf.reduce_sum(x * tf.linalg.matvec(matrix, x), -1)
        return bent - tf.reduce_sum(pull * x, -1)

    found = wt.argmin(
        energy,
        tf.zeros_like(pull),
        (pull,),
        solver=wt.Newton(steps_per_hessian=steps),
        batch_dims=1,
        bounds=(-0.1, 0.1),
    )
    assert (found.status == int(wt.Status.CONVERGED)).numpy().all()
    x = found.value.numpy()
    slope = x @ matrix.numpy() - pull.numpy()
    assert (np.abs(slope[np.abs(x) < 0.1]) < 1e-6).all()
    assert (slope[x == 0.1] <= 1e-12).all() and (slope[x == -0.1] >= -1e-12).all()
    assert (np.abs(x) == 0.1).any(-1).mean() > 0.5
