"""Linear solvers as objects: what they are asked for, and what the words stand for."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf._linear.choice import linear_solver
from wiberg_tf._linear.dense import DENSE_LIMIT
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem

_OBJECTS = {"dense": wt.Dense(), "cg": wt.CG(), "minres": wt.MINRES()}
krylov = pytest.mark.parametrize("kind", [wt.CG, wt.MINRES])


def _spd(rng, size, condition=1e3):
    vectors, _ = np.linalg.qr(rng.normal(size=(size, size)))
    return vectors @ np.diag(np.geomspace(1, condition, size)) @ vectors.T


def _residual(solver, hessian, damping, right):
    """|u − (H + λI) v| / |u| of the solver's v, for ½ xᵀHx."""
    x = tf.zeros_like(right)
    problem = Problem(
        lambda x: 0.5 * tf.reduce_sum(x * tf.linalg.matvec(hessian, x), -1),
        Packing(x, x.shape.rank - 1),
        (),
    )
    batch = tf.shape(x)[:-1]
    damping = tf.fill(batch, tf.constant(damping, x.dtype))
    v = solver.solve(problem, x, damping, tf.constant(right), False)
    damped = hessian + damping[..., None, None] * np.eye(right.shape[-1])
    return np.linalg.norm(right - tf.linalg.matvec(damped, v)) / np.linalg.norm(right)


@krylov
def test_the_tolerance_bounds_the_residual_and_is_made_use_of(kind, rng):
    hessian, right = _spd(rng, 30), rng.normal(size=30)
    found = [
        _residual(kind(tolerance=tolerance), hessian, 0.1, right)
        for tolerance in (1e-1, 1e-3, 1e-6, 1e-10)
    ]
    assert found == sorted(found, reverse=True)
    for residual, tolerance in zip(found, (1e-1, 1e-3, 1e-6, 1e-10), strict=True):
        # Each product lowers it by far less than a factor of 1000.
        assert 1e-3 * tolerance < residual <= 2 * tolerance


@krylov
def test_the_default_is_the_documented_one(kind, rng):
    hessian, right = _spd(rng, 30), rng.normal(size=30)
    same = _residual(kind(), hessian, 0.1, right)
    assert same == _residual(kind(tolerance=1e-10), hessian, 0.1, right)
    single = [a.astype(np.float32) for a in (hessian, right)]
    assert _residual(kind(), *_at(single)) == _residual(
        kind(tolerance=1e-5), *_at(single)
    )


def _at(pair):
    return pair[0], 0.1, pair[1]


@krylov
def test_a_limit_that_is_too_low_raises_and_a_sufficient_one_does_not(kind, rng):
    # Five different eigenvalues take five products.
    vectors, _ = np.linalg.qr(rng.normal(size=(10, 10)))
    hessian = vectors @ np.diag([1.0, 3, 9, 20, 50] * 2) @ vectors.T
    right = rng.normal(size=10)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="do not converge to 1e-08 in 4 iterations"
    ):
        _residual(kind(tolerance=1e-8, max_iterations=4), hessian, 0.0, right)
    enough = kind(tolerance=1e-8, max_iterations=5)
    assert _residual(enough, hessian, 0.0, right) < 2e-8


@krylov
def test_a_loose_tolerance_that_is_missed_raises_too(kind, rng):
    hessian, right = _spd(rng, 40, 1e6), rng.normal(size=40)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"do not converge to 0\.01"
    ):
        _residual(kind(tolerance=1e-2, max_iterations=3), hessian, 0.0, right)


@krylov
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tolerance": 0}, ValueError, "`tolerance` must be above 0 .*received 0$"),
        ({"tolerance": 1.0}, ValueError, "below 1; received 1.0$"),
        ({"tolerance": -1e-3}, ValueError, "received -0.001$"),
        ({"tolerance": float("nan")}, ValueError, "received nan$"),
        ({"tolerance": "low"}, TypeError, "`tolerance` must be a number .*'low'$"),
        ({"tolerance": True}, TypeError, "received True$"),
        ({"max_iterations": 0}, ValueError, "`max_iterations` must be >= 1; .* 0$"),
        ({"max_iterations": 9.5}, TypeError, "must be an integer or None; .* 9.5$"),
        ({"max_iterations": True}, TypeError, "received True$"),
    ],
    ids=str,
)
def test_limits_that_are_none_are_refused_in_a_line(kind, options, error, message):
    with pytest.raises(error, match=message) as raised:
        kind(**options)
    assert "\n" not in str(raised.value)


def _gradient(linear_solve, rng, damping=0.2, size=6, **options):
    """Of a sum of the minimiser of ½ xᵀHx − xᵀθ, which is (H + λI)⁻¹ 1."""
    hessian = tf.constant(_spd(rng, size))
    theta = tf.constant(rng.normal(size=size))
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, t: (
                0.5 * tf.reduce_sum(x * tf.linalg.matvec(hessian, x))
                - tf.reduce_sum(x * t)
            ),
            tf.zeros(size, tf.float64),
            (theta,),
            derivative=wt.TrustRegion(damping, linear_solve),
            **options,
        ).value
    gradient = tape.gradient(x, theta)
    if not isinstance(damping, float):
        return gradient, None
    return gradient, np.linalg.solve(hessian + damping * np.eye(size), np.ones(size))


@pytest.mark.parametrize("word", _OBJECTS)
@pytest.mark.parametrize("damping", [0.2, wt.Adaptive(condition=10.0)], ids=str)
def test_a_word_is_its_object_with_the_defaults(word, damping):
    found = [
        _gradient(choice, np.random.default_rng(0), damping)[0]
        for choice in (word, _OBJECTS[word])
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("solver", _OBJECTS.values(), ids=str)
def test_derivatives_take_objects(solver, rng):
    found, expected = _gradient(solver, rng)
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    assert np.abs(expected).max() > 0.01


@krylov
def test_a_derivatives_error_follows_the_tolerance(kind):
    errors = []
    for tolerance in (0.3, 1e-3, 1e-10):
        solver = kind(tolerance=tolerance)
        found, expected = _gradient(solver, np.random.default_rng(0), size=30)
        errors.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    assert errors[0] > 1e-2 > errors[1] > 1e-6 > errors[2]


@pytest.mark.parametrize("solver", _OBJECTS.values(), ids=str)
def test_objects_go_with_bounds(solver, rng):
    found, _ = _gradient(solver, rng, bounds=(-10.0, 0.0))
    found = np.asarray(found)
    # Unknowns at their bound move with no θ, and of six some are.
    assert np.all(np.isfinite(found))
    assert 0 < np.sum(found == 0) < 6


def test_matrix_free_objects_never_form_the_hessian(rng, monkeypatch):
    def refuse(*_):
        raise AssertionError("formed the Hessian")

    hessian, right = _spd(rng, 5), rng.normal(size=5)
    monkeypatch.setattr(Problem, "hessian", refuse)
    for solver in (wt.CG(), wt.MINRES()):
        assert _residual(solver, hessian, 0.1, right) < 1e-9
    with pytest.raises(AssertionError, match="formed"):
        _residual(wt.Dense(), hessian, 0.1, right)


def test_auto_goes_by_size_and_signature():
    assert linear_solver("auto", DENSE_LIMIT, False) == wt.Dense()
    assert linear_solver("auto", DENSE_LIMIT, True) == wt.Dense()
    assert linear_solver("auto", DENSE_LIMIT + 1, False) == wt.CG()
    assert linear_solver("auto", DENSE_LIMIT + 1, True) == wt.MINRES()


@pytest.mark.parametrize("choice", [wt.CG, "lu", 3, None], ids=str)
def test_what_is_no_solver_is_refused(choice):
    with pytest.raises(ValueError, match=r"`linear_solve` must be .*; received ") as e:
        wt.TrustRegion(0.1, choice)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("choice", ["cg", wt.CG(tolerance=0.1)], ids=str)
def test_conjugate_gradients_solve_nothing_indefinite(choice):
    with pytest.raises(ValueError, match=r"indefinite='solve'; received ('cg'|CG\()"):
        wt.Implicit(choice, indefinite="solve")


def test_steps_of_solvers_take_functions_only():
    with pytest.raises(TypeError, match=r"`linear_solve` must be a function .*CG\("):
        wt.argmin(
            lambda x: tf.reduce_sum(x**2),
            tf.ones(2),
            solver=wt.Newton(linear_solve=wt.CG()),
        )
