"""Adaptive damping from Hessian-vector products, against eigenvalues."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf._linear.lanczos import adaptive_damping, spectrum_ends
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem

_SPECTRA = {
    "positive": np.linspace(1.0, 9.0, 40),
    "one negative": np.append(np.linspace(0.5, 4.0, 39), -2.0),
    "rank 1": np.append(np.zeros(39), 5.0),
    "negative": -np.linspace(1.0, 2.0, 40),
    "identity": np.ones(40),
    "zero": np.zeros(40),
}


def _rotated(rng, eigenvalues):
    size = len(eigenvalues)
    vectors, _ = np.linalg.qr(rng.normal(size=(size, size)))
    return vectors @ np.diag(eigenvalues) @ vectors.T


def _problem(hessian):
    x = tf.zeros(hessian.shape[:-1], hessian.dtype)

    def energy(x):
        return 0.5 * tf.reduce_sum(x * tf.linalg.matvec(hessian, x), -1)

    return Problem(energy, Packing(x, x.shape.rank - 1), ()), x


def _dense_damping(values, floor):
    least = max(np.abs(values).max() / 1e3, floor) or 1.0
    return max(0.0, least - values.min())


@pytest.mark.parametrize("scale", [1.0, 1e-12])
@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_damping_equals_that_of_the_eigenvalues(scale, floor, rng):
    spectra = [scale * values for values in _SPECTRA.values()]
    problem, x = _problem(tf.constant(np.stack([_rotated(rng, v) for v in spectra])))
    found = adaptive_damping(wt.Adaptive(floor=floor), problem, x, tf.ones_like(x))
    expected = [_dense_damping(values, floor) for values in spectra]
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12 * scale)


def test_a_process_cut_short_errs_on_the_safe_side(rng):
    values = np.append(np.linspace(0.1, 10.0, 299), -1.0)
    problem, x = _problem(tf.constant(_rotated(rng, values)))
    short, long = (
        adaptive_damping(wt.Adaptive(products=products), problem, x, tf.ones_like(x))
        for products in (10, 50)
    )
    assert 1.01 < short < 1.2
    np.testing.assert_allclose(long, 1.0 + 10 / 1e3, rtol=1e-4)


def test_ends_of_the_spectrum_in_single_precision(rng):
    hessian = _rotated(rng, _SPECTRA["one negative"]).astype(np.float32)
    ends = spectrum_ends(*_problem(tf.constant(hessian)), 40)
    assert ends.smallest.dtype == tf.float32
    np.testing.assert_allclose(ends.smallest, -2, rtol=1e-5)
    np.testing.assert_allclose(ends.norm, 4, rtol=1e-5)


def test_a_hessian_that_is_not_finite_is_refused_unless_it_is_left_out():
    hessian = tf.constant([np.eye(3), np.full([3, 3], np.nan)])
    problem, x = _problem(hessian)
    rule, one = wt.Adaptive(), tf.ones_like(x)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Hessian .* not finite"):
        adaptive_damping(rule, problem, x, one)
    idle = one * [[1.0], [0.0]]
    np.testing.assert_array_equal(adaptive_damping(rule, problem, x, idle), [0, 0])


def _own_solve(hessian):
    def solve(x, parameters, damping, right):
        return tf.linalg.solve(
            hessian + damping * tf.eye(40, dtype=x.dtype), right[:, None]
        )[:, 0]

    return solve


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("method", ["cg", "minres", "own"])
def test_the_derivative_with_adaptive_damping_never_forms_the_hessian(
    method, mode, rng, monkeypatch
):
    hessian = _rotated(rng, _SPECTRA["one negative"])
    coupling, incoming = rng.normal(size=(40, 2)), rng.normal(size=40)
    linear_solve = _own_solve(hessian) if method == "own" else method

    def gradient(theta, linear_solve):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                lambda x, theta: tf.reduce_sum(
                    x
                    * (
                        0.5 * tf.linalg.matvec(hessian, x)
                        + tf.linalg.matvec(coupling, theta)
                    )
                ),
                tf.zeros(40, tf.float64),
                (theta,),
                solver=wt.given,
                derivative=wt.TrustRegion("adaptive", linear_solve),
            ).value
        return tape.gradient(x, theta, tf.constant(incoming))

    theta = tf.ones(2, tf.float64)
    expected = gradient(theta, "dense")
    monkeypatch.setattr(Problem, "hessian", None)
    run = tf.function(gradient) if mode == "graph" else gradient
    np.testing.assert_allclose(run(theta, linear_solve), expected, rtol=1e-7)
    damped = hessian + (2 + 4 / 1e3) * np.eye(40)
    np.testing.assert_allclose(
        expected, -coupling.T @ np.linalg.solve(damped, incoming), rtol=1e-8
    )


def test_held_unknowns_have_no_part_in_the_damping(rng):
    # The first two are at a bound, and their curvature is negative.
    diagonal = tf.constant([-5.0, -7.0, 1.0, 2.0, 4.0], tf.float64)
    theta = tf.ones(5, tf.float64)
    gradients = []
    for linear_solve in ("dense", "cg"):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                lambda x, t: tf.reduce_sum(0.5 * diagonal * x**2 - t * x),
                tf.ones(5, tf.float64),
                (theta,),
                bounds=(-1.0, 1.0),
                derivative=wt.TrustRegion("adaptive", linear_solve),
            ).value
        gradients.append(tape.gradient(x, theta))
    np.testing.assert_allclose(gradients[0][:2], [0, 0])
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-8)


def test_the_smallest_eigenvalue_of_many_unknowns(monkeypatch):
    monkeypatch.setattr(Problem, "hessian", None)
    curvature = np.append(np.linspace(1.0, 2.0, 999), 0.25)
    solution = wt.argmin(
        lambda x: tf.reduce_sum(0.5 * curvature * x**2),
        tf.zeros(1000, tf.float64),
        solver=wt.given,
        smallest_eigenvalue=True,
    )
    np.testing.assert_allclose(solution.stats.smallest_eigenvalue, 0.25, rtol=1e-9)


def test_products_must_be_positive():
    with pytest.raises(ValueError, match="`products` must be >= 1; received 0"):
        wt.Adaptive(products=0)


@pytest.mark.parametrize("scale", [1e-25, 1e20])
def test_ends_of_the_spectrum_of_any_size_in_single_precision(scale, rng):
    # Their squares leave the range of numbers; the process ended after one step.
    eigenvalues = np.linspace(1.0, 9.0, 10)
    hessian = tf.constant(scale * _rotated(rng, eigenvalues), tf.float32)
    ends = spectrum_ends(*_problem(hessian), 10)
    np.testing.assert_allclose(ends.smallest / scale, 1, rtol=1e-4)
    np.testing.assert_allclose(ends.norm / scale, 9, rtol=1e-4)
