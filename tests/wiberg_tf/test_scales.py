"""No unit of the energy or of the unknowns changes a minimiser or its derivative."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from default_cases import large_unless

import wiberg_tf as wt

_RNG = np.random.default_rng(0)
_DESIGN = _RNG.normal(size=(8, 3))
_SOLVERS = {
    "newton": wt.Newton(),
    "newton, 6 steps a matrix": wt.Newton(steps_per_hessian=6),
    "gauss-newton": wt.GaussNewton(),
    "marquardt": wt.LevenbergMarquardt(scaling="marquardt"),
    "irls": wt.IRLS(max_iterations=1000, line_search=True),
    "lbfgs": wt.LBFGS(),
}


def _linear(x, theta):
    seen = tf.linalg.matvec(_DESIGN, x)
    return seen - theta[0] * np.arange(8) * 0.3 - theta[1]


def _rosenbrock(x, theta):
    valley = 10 * (x[..., 1:] - theta[0] * x[..., :-1] ** 2)
    return tf.concat([valley, theta[1] - x], -1)


def _nonlinear(x, theta):
    seen = tf.linalg.matvec(_DESIGN, x)
    curved = seen + 0.3 * tf.sin(theta[0] * seen) - 0.2 * np.arange(8)
    return tf.concat([curved, 0.3 * theta[1] * x], -1)


_PROBLEMS = {
    "linear": (_linear, False),
    "rosenbrock": (_rosenbrock, False),
    "nonlinear": (_nonlinear, False),
    "robust": (_linear, True),
}


def _logistic(x, theta, scale, units):
    """No sum of squares: for the solvers of any energy."""
    seen = tf.linalg.matvec(np.sign(np.arange(8) - 3.5)[:, None] * _DESIGN, units * x)
    misfit = tf.reduce_sum(tf.nn.softplus(-theta[0] * seen))
    return scale * (misfit + 0.5 * theta[1] * tf.reduce_sum((units * x) ** 2))


def _width(theta, scale, units):
    return wt.losses.PseudoHuber(0.7 * tf.sqrt(scale))


# Every solver on curved residuals, and every other problem by those made for it.
_DEFAULT = {
    *(("nonlinear", solver) for solver in _SOLVERS),
    ("linear", "lbfgs"),
    ("rosenbrock", "marquardt"),
    ("robust", "gauss-newton"),
    ("robust", "irls"),
    ("logistic", "newton"),
    ("logistic", "newton, 6 steps a matrix"),
}
_CASES = itertools.product([*_PROBLEMS, "logistic"], _SOLVERS)


@pytest.mark.parametrize(("problem", "solver"), large_unless(_DEFAULT, _CASES))
def test_no_scale_moves_a_minimiser_or_its_derivative(problem, solver):
    if (problem, solver) == ("rosenbrock", "irls"):
        pytest.skip("reweighting crawls along Rosenbrock's valley")
    if problem == "logistic":
        if not (solver.startswith("newton") or solver == "lbfgs"):
            pytest.skip("no sum of squares")
        energy = _logistic
    else:
        residuals, robust = _PROBLEMS[problem]
        energy = wt.ResidualEnergy(
            lambda x, theta, scale, units: tf.sqrt(scale) * residuals(units * x, theta),
            _width if robust else wt.losses.Squared(),
        )

    @tf.function
    def run(scale, units):
        theta = tf.constant([0.9, 0.8], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            solution = wt.argmin(
                energy,
                tf.zeros(3, tf.float64),
                (theta, scale, units),
                solver=_SOLVERS[solver],
            )
            loss = tf.reduce_sum(solution.value * units * [1.0, -2.0, 0.7])
        return solution.status, solution.value * units, tape.gradient(loss, theta)

    even = np.ones(3)
    own = [even * 1e9, even * 1e-9]
    if solver != "lbfgs":  # Which knows no units of single unknowns.
        own = [np.array([1e-9, 1, 1e9]), np.array([1e9, 1e-9, 1e-3])]
    cases = [(1.0, even), (1e-12, even), (1e12, even), (1.0, own[0])]
    cases += [(1e-12, own[0]), (1e12, own[1]), (1.0, own[1])]
    found = [run(tf.constant(s, tf.float64), tf.constant(u)) for s, u in cases]
    for status, *figures in found:
        assert status == wt.Status.CONVERGED
        for figure, expected in zip(figures, found[0][1:], strict=True):
            atol = 1e-6 * np.abs(expected).max()
            np.testing.assert_allclose(figure, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("scale", [1e-20, 1e-9, 1e12])
def test_gradient_descent_stops_at_the_minimum_of_any_energy(scale):
    solution = wt.argmin(
        lambda x: scale * tf.reduce_sum(tf.cosh(x - 0.3)),
        tf.zeros(2, tf.float64),
        solver=wt.GradientDescent(max_halvings=60),
    )
    assert solution.status == wt.Status.CONVERGED
    np.testing.assert_allclose(solution.value, [0.3, 0.3], rtol=1e-6)


def test_a_tolerance_is_absolute_and_goes_without_rtol():
    solution = wt.argmin(
        lambda x: 1e-9 * (x - 0.3) ** 2,
        tf.constant(0.0, tf.float64),
        solver=wt.Newton(tolerance=1e-8),
    )
    assert solution.stats.iterations == 0
    with pytest.raises(ValueError, match=r"give one of them; received tolerance=0\.1"):
        wt.LBFGS(tolerance=0.1, rtol=0.1)
    with pytest.raises(ValueError, match=r"`rtol` must be above 0 .* received 2"):
        wt.Newton(rtol=2)


def test_units_make_no_diagonal_singular():
    units = tf.constant([1e-9, 1.0, 1e9], tf.float64)
    theta = tf.ones(3, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, t: tf.reduce_sum((units * x - t) ** 2),
            tf.zeros(3, tf.float64),
            (theta,),
        ).value
    np.testing.assert_allclose(tape.gradient(x, theta), 1 / units, rtol=1e-12)


def test_minres_in_single_precision_at_condition_1e4():
    curvature = tf.constant(np.geomspace(1e-4, 1, 30), tf.float32)
    theta = tf.ones(30)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, t: tf.reduce_sum(0.5 * curvature * x**2 - t * x),
            theta / curvature,
            (theta,),
            solver=wt.given,
            derivative=wt.Implicit(wt.MINRES(rtol=1e-5)),
        ).value
    gradient = tape.gradient(x, theta)
    np.testing.assert_allclose(gradient, 1 / curvature, rtol=2e-2)


def test_a_singular_jacobian_ends_no_batch():
    def residuals(x, k):
        total = x[..., 0] + x[..., 1]
        return tf.stack([total + 1, k * total**2 + total - 1], -1)

    @tf.function
    def run(start, k):
        return wt.argmin(
            wt.ResidualEnergy(residuals),
            start,
            (k,),
            solver=wt.LevenbergMarquardt(),
            batch_dims=1,
        ).value

    start = tf.constant([[0.6, 0.4], [0.1, 0.1]], tf.float64)
    found = run(start, tf.constant([0.9, 0.1], tf.float64))
    np.testing.assert_allclose(tf.reduce_sum(found, -1), [0, 0], atol=1e-6)


def test_a_problem_of_no_energy_leaves_unrolled_gradients_finite():
    theta = tf.constant([0.0, 1.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            wt.ResidualEnergy(
                lambda x, t: tf.stack([x - t, 2 * (x - t) + 0.1 * tf.sin(x - t)], -1)
            ),
            tf.zeros(2, tf.float64),
            (theta,),
            batch_dims=1,
            solver=wt.LevenbergMarquardt(),
            derivative=wt.Unrolled(),
        ).value
    gradient = tape.gradient(x, theta)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(gradient[1], 1, rtol=1e-6)


@pytest.mark.parametrize(
    "derivative", [wt.Implicit(), wt.Implicit("cg"), wt.TrustRegion(0.1)], ids=str
)
def test_a_fixed_unknown_is_held_without_a_gradient(derivative):
    theta = tf.constant(1.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        value = wt.argmin(
            lambda x, t: (x[0] - t) ** 2 + (x[1] - x[0]) ** 2,
            tf.constant([1.0, 0.0], tf.float64),
            (theta,),
            solver=wt.GradientDescent(),
            derivative=derivative,
            bounds=([1.0, -9.0], [1.0, 9.0]),
        ).value
    np.testing.assert_allclose(tape.gradient(value, theta), 0, atol=1e-12)


@pytest.mark.parametrize("gap", [0.0, 1e-9])
def test_a_bound_is_active_within_a_tolerance(gap):
    theta = tf.constant(2.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        value = wt.argmin(
            lambda x, t: (x - t) ** 2,
            tf.constant(1.0 - gap, tf.float64),
            (theta,),
            solver=wt.given,
            bounds=(0.0, 1.0),
        ).value
    assert tape.gradient(value, theta) == 0


def test_complex_parameters_are_refused():
    with pytest.raises(TypeError, match=r"`parameters\[0\]` must be real .*complex128"):
        wt.argmin(
            lambda x, z: (x - tf.math.real(z)) ** 2,
            tf.constant(0.0, tf.float64),
            (tf.constant(1 + 2j, tf.complex128),),
        )


def test_given_has_nothing_to_unroll():
    with pytest.raises(ValueError, match=r"wt.given has no steps .*Unrolled\(\)"):
        wt.argmin(
            lambda x, t: (x - t) ** 2,
            tf.constant(1.0),
            (tf.constant(1.0),),
            solver=wt.given,
            derivative=wt.Unrolled(),
        )


@pytest.mark.parametrize("solver", [wt.Newton(), wt.LBFGS(), wt.GradientDescent()])
def test_what_runs_away_does_not_converge(solver):
    @tf.function
    def run():
        start = tf.zeros(2, tf.float64)
        return wt.argmin(lambda x: tf.reduce_sum(x), start, solver=solver).status

    assert run() != wt.Status.CONVERGED


@pytest.mark.parametrize("scale", [1e-20, 1e25])
def test_gradients_whose_squares_leave_the_range_of_numbers(scale):
    # In float32: the one was CONVERGED where it was not, the other NOT_FINITE.
    curvature = scale * tf.constant([3.0, 5.0])

    def energy(x, theta):
        return tf.reduce_sum(curvature * (tf.cosh(x - theta) - 1))

    def linear_solve(x, parameters, damping, right):
        return right / (2 * curvature)

    for solver in (wt.Newton(), wt.Newton(linear_solve=linear_solve)):
        theta = tf.constant([1.0, -2.0])
        found = wt.argmin(energy, theta - [1.0, 2.0], theta, solver=solver)
        assert found.status == wt.Status.CONVERGED
        np.testing.assert_allclose(found.value, theta, atol=1e-3)
    start = wt.argmin(energy, theta - [1.0, 2.0], theta, solver=wt.given)
    slope = tf.norm(curvature / scale * tf.sinh([-1.0, -2.0]))
    np.testing.assert_allclose(start.stats.gradient_norm / scale, slope, rtol=1e-5)
