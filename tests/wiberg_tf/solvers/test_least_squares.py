"""Gauss-Newton, reweighting and Levenberg-Marquardt on energies of residuals."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf import losses
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem

_SOLVERS = {
    "gauss-newton": wt.GaussNewton(tolerance=1e-10),
    "irls": wt.IRLS(tolerance=1e-10, max_iterations=500),
    "levenberg-marquardt": wt.LevenbergMarquardt(tolerance=1e-10),
}
each = pytest.mark.parametrize("solver", _SOLVERS.values(), ids=_SOLVERS)
_LOSSES = [
    losses.Squared(),
    losses.Huber(0.7),
    losses.PseudoHuber(0.7),
    losses.Cauchy(2.0),
    losses.Welsch(3.0),
    losses.GemanMcClure(4.0),
]


def _linear(x, design, observed):
    return tf.linalg.matvec(design, x) - observed


def _decay(x, times, observed):
    """The classical exponential fit: a exp(-b t) + c."""
    a, b, c = x[..., :1], x[..., 1:2], x[..., 2:]
    return a * tf.exp(-b * times) + c - observed


def _regression(rng, batch=()):
    design = rng.normal(size=(*batch, 20, 3))
    noise = 0.1 * rng.normal(size=(*batch, 20))
    noise[..., :2] += 1.5
    return design, design @ np.array([1.0, -2.0, 0.5]) + noise


def _alone_or_in_a_batch():
    """A convex loss and others in a batch, one alone; the rest are large tests."""
    for loss in _LOSSES:
        name = type(loss).__name__
        marks = () if name in ("Huber", "Cauchy", "Welsch") else pytest.mark.large
        yield pytest.param(loss, (3,), id=f"{name}-batch", marks=marks)
        marks = () if name == "PseudoHuber" else pytest.mark.large
        yield pytest.param(loss, (), id=f"{name}-alone", marks=marks)


@pytest.mark.parametrize(("loss", "batch"), list(_alone_or_in_a_batch()))
def test_robust_regressions_end_where_newton_does(loss, batch, rng):
    design, observed = _regression(rng, batch)
    energy = wt.ResidualEnergy(_linear, loss)
    start = np.linalg.lstsq(design.reshape(-1, 3), observed.reshape(-1), rcond=None)[0]
    start = tf.broadcast_to(tf.constant(start), (*batch, 3))

    def run(solver):
        return wt.argmin(
            energy,
            start,
            (tf.constant(design), tf.constant(observed)),
            solver=solver,
            batch_dims=len(batch),
        )

    newton = run(wt.Newton(tolerance=1e-10))
    for name, solver in _SOLVERS.items():
        solution = tf.function(run)(solver)
        assert np.all(solution.status == wt.Status.CONVERGED), name
        np.testing.assert_allclose(
            solution.value, newton.value, atol=1e-8, err_msg=name
        )


def test_plain_least_squares_takes_one_step(rng):
    design, observed = _regression(rng)
    expected = np.linalg.lstsq(design, observed, rcond=None)[0]
    for solver in (wt.GaussNewton(), wt.IRLS()):
        solution = wt.argmin(
            wt.ResidualEnergy(_linear),
            tf.zeros(3, tf.float64),
            (design, observed),
            solver=solver,
        )
        np.testing.assert_allclose(solution.value, expected, rtol=1e-10)
        assert solution.stats.iterations == 1


@each
def test_a_nonlinear_fit_recovers_the_curve(solver):
    times = np.linspace(0, 4, 12)
    truth = np.array([2.5, 1.3, 0.5])
    observed = truth[0] * np.exp(-truth[1] * times) + truth[2]
    solution = wt.argmin(
        wt.ResidualEnergy(_decay),
        tf.constant([1.0, 0.8, 0.0], tf.float64),
        (times, observed),
        solver=solver,
    )
    assert solution.status == wt.Status.CONVERGED
    np.testing.assert_allclose(solution.value, truth, rtol=1e-8)


def test_levenberg_marquardt_recovers_where_gauss_newtons_matrix_is_singular():
    # At x = 0 the Jacobian of x² - t is 0.
    solution = wt.argmin(
        wt.ResidualEnergy(lambda x, t: x**2 + 0.1 * x - t),
        tf.constant([-0.05], tf.float64),
        (tf.constant([4.0], tf.float64),),
        solver=wt.LevenbergMarquardt(),
    )
    assert solution.status == wt.Status.CONVERGED  # A maximum: nothing pulls.
    solution = wt.argmin(
        wt.ResidualEnergy(lambda x, t: x**2 + 0.1 * x - t),
        tf.constant([[-0.04], [10.0]], tf.float64),
        (tf.constant([4.0], tf.float64),),
        solver=wt.LevenbergMarquardt(tolerance=1e-10),
        batch_dims=1,
    )
    root = -0.05 + np.sqrt(0.05**2 + 4)
    np.testing.assert_allclose(solution.value, [[root], [root]], rtol=1e-10)


@pytest.mark.parametrize(
    "solver",
    [
        pytest.param(solver, marks=() if name == "irls" else pytest.mark.large, id=name)
        for name, solver in _SOLVERS.items()
    ],
)
def test_derivatives_are_those_of_any_energy(solver, rng, slope):
    design, observed = _regression(rng)
    direction = rng.normal(size=observed.shape)

    @tf.function
    def loss(observed, width):
        return wt.argmin(
            wt.ResidualEnergy(
                lambda x, design, observed, _: _linear(x, design, observed),
                lambda design, observed, width: losses.PseudoHuber(width),
            ),
            tf.zeros(3, tf.float64),
            (design, observed, width),
            solver=solver,
        ).value[0]

    tensors = [tf.constant(observed), tf.constant(0.7, tf.float64)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    by_observed, by_width = tape.gradient(value, tensors)
    expected = slope(loss, [observed, 0.7], [direction, 0.0])
    np.testing.assert_allclose(np.sum(by_observed * direction), expected, rtol=1e-6)
    expected = slope(loss, [observed, 0.7], [0 * direction, 1.0])
    np.testing.assert_allclose(by_width, expected, rtol=1e-6)


@pytest.mark.parametrize("loss", _LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("vectors", [False, True])
def test_the_curvature_is_the_hessian_of_linear_residuals(loss, vectors, rng):
    design, observed = _regression(rng, (2,))
    observed = observed * 0.2  # Inliers, where every loss is convex.

    def residuals(x):
        flat = 0.2 * _linear(x, design, 0.1 * observed)
        return tf.reshape(flat, [2, 10, 2]) if vectors else flat

    energy = wt.ResidualEnergy(residuals, loss, vectors)
    x = tf.constant(0.1 * rng.normal(size=(2, 3)))
    problem = Problem(energy, Packing(x, 1), ())
    found = energy.gauss_newton(problem, x, exact=True)
    np.testing.assert_allclose(found, problem.hessian(x), rtol=1e-9, atol=1e-12)


def test_vector_residuals_are_robust_as_a_whole():
    points = np.array([[0.0, 0], [0, 1], [1, 0], [30, 40]])
    energy = wt.ResidualEnergy(
        lambda x: x[None, :] - points, losses.Huber(1.0), vectors=True
    )
    value = energy(tf.zeros(2, tf.float64))
    np.testing.assert_allclose(value, 0.5 * (0 + 1 + 1 + 2 * 50 - 1))


@each
def test_other_energies_are_refused(solver):
    with pytest.raises(ValueError, match=r"`energy` must be a wt.ResidualEnergy for"):
        wt.argmin(lambda x: tf.reduce_sum(x**2), tf.ones(2), solver=solver)


@each
def test_a_lost_residual_is_reported(solver):
    solution = wt.argmin(
        wt.ResidualEnergy(lambda x, t: x - t),
        tf.zeros([2, 1], tf.float64),
        (tf.constant([[1.0], [np.nan]], tf.float64),),
        solver=solver,
        batch_dims=1,
    )
    ends = [wt.Status.CONVERGED, wt.Status.NOT_FINITE]
    np.testing.assert_array_equal(solution.status, ends)
    np.testing.assert_allclose(solution.value[0], [1], rtol=1e-9)
