"""The damped solves of the backward pass, and what they refuse."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf._linear.conjugate_gradient import solve_conjugate_gradient
from wiberg_tf._linear.dense import DENSE_LIMIT, solve_dense
from wiberg_tf._linear.minres import solve_minres
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem

_SOLVES = {"dense": solve_dense, "cg": solve_conjugate_gradient}
both = pytest.mark.parametrize("solve", _SOLVES.values(), ids=_SOLVES.keys())
every = pytest.mark.parametrize(
    "solve", [*_SOLVES.values(), solve_minres], ids=[*_SOLVES, "minres"]
)


def _problem(hessian):
    """½ xᵀHx for each problem, at x = 0."""
    x = tf.zeros(hessian.shape[:-1], hessian.dtype)
    packing = Packing(x, x.shape.rank - 1)

    def energy(x):
        return 0.5 * tf.reduce_sum(x * tf.linalg.matvec(hessian, x), -1)

    return Problem(energy, packing, ()), x


def _solve(solve, hessian, damping, right):
    hessian = tf.convert_to_tensor(hessian)
    problem, x = _problem(hessian)
    damping = tf.broadcast_to(tf.constant(damping, hessian.dtype), tf.shape(x)[:-1])
    return solve(problem, x, damping, tf.constant(right, hessian.dtype))


def _rotated(rng, eigenvalues):
    vectors, _ = np.linalg.qr(rng.normal(size=(len(eigenvalues), len(eigenvalues))))
    return vectors @ np.diag(eigenvalues) @ vectors.T


@every
@pytest.mark.parametrize("batch", [(), (3,), (2, 2)], ids=str)
def test_the_system_is_solved(solve, batch, rng):
    factor = rng.normal(size=(*batch, 5, 5))
    hessian = factor @ np.swapaxes(factor, -1, -2)
    right, damping = rng.normal(size=(*batch, 5)), 0.1 + rng.random(batch)
    damped = hessian + damping[..., None, None] * np.eye(5)
    expected = np.linalg.solve(damped, right[..., None])[..., 0]
    np.testing.assert_allclose(_solve(solve, hessian, damping, right), expected, 1e-8)


@every
def test_single_precision(solve, rng):
    hessian = _rotated(rng, [1.0, 2.0, 5.0]).astype(np.float32)
    right = rng.normal(size=3)
    v = _solve(solve, hessian, 0.5, right)
    assert v.dtype == tf.float32
    expected = np.linalg.solve(hessian + 0.5 * np.eye(3), right)
    np.testing.assert_allclose(v, expected, rtol=1e-4)


@every
@pytest.mark.parametrize("size", [2, pytest.param(40, marks=pytest.mark.large)])
def test_a_singular_hessian_is_refused_and_damping_mends_it(solve, size, rng):
    # Rotated: its smallest eigenvalues come out as round-off, of either sign.
    hessian = _rotated(rng, [0.0] * (size // 2) + [1.0] * (size // 2))
    right = rng.normal(size=size)
    with pytest.raises(tf.errors.InvalidArgumentError, match="singular"):
        _solve(solve, hessian, 0.0, right)
    expected = np.linalg.solve(hessian + 0.1 * np.eye(size), right)
    np.testing.assert_allclose(_solve(solve, hessian, 0.1, right), expected, 1e-8)


@every
def test_a_zero_hessian_is_refused_and_damping_mends_it(solve):
    with pytest.raises(tf.errors.InvalidArgumentError, match="singular"):
        _solve(solve, np.zeros([2, 2]), 0.0, [1.0, 2.0])
    np.testing.assert_allclose(
        _solve(solve, np.zeros([2, 2]), 4.0, [1.0, 2.0]), [0.25, 0.5]
    )


@both
def test_an_indefinite_hessian_needs_enough_damping(solve, rng):
    hessian = _rotated(rng, [-0.5, 1.0, 2.0])
    right = rng.normal(size=3)
    for damping in (0.0, 0.4):
        with pytest.raises(tf.errors.InvalidArgumentError, match="indefinite"):
            _solve(solve, hessian, damping, right)
    expected = np.linalg.solve(hessian + 0.6 * np.eye(3), right)
    np.testing.assert_allclose(_solve(solve, hessian, 0.6, right), expected, 1e-8)


@both
def test_a_problem_left_out_of_the_loss_may_be_singular(solve):
    hessian = np.stack([np.diag([2.0, 4.0]), np.diag([0.0, -1.0])])
    v = _solve(solve, hessian, 0.0, [[1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(v, [[0.5, 0.25], [0, 0]])


@every
@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_an_incoming_gradient_that_is_not_finite_is_not_hidden(solve, lost):
    v = _solve(solve, np.stack([np.eye(2)] * 2), 0.1, [[1.0, lost], [1.1, 2.2]])
    assert not np.all(np.isfinite(v[0]))
    np.testing.assert_allclose(v[1], [1, 2])


def test_a_hessian_that_is_not_finite_is_refused():
    x = tf.zeros(2, tf.float64)
    problem = Problem(lambda x: tf.reduce_sum(x**1.5), Packing(x, 0), ())
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Hessian .* not finite"):
        solve_dense(problem, x, tf.constant(0.1, tf.float64), x + 1)


def test_conjugate_gradients_say_when_they_do_not_converge(rng):
    hessian = _rotated(rng, np.logspace(0, -17, 12))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"do not converge|singular"
    ):
        _solve(solve_conjugate_gradient, hessian, 0.0, rng.normal(size=12))


@every
def test_xla_gives_nan_where_eager_raises(solve):
    compiled = tf.function(
        lambda hessian: _solve(solve, hessian, 0.0, [1.0, 1.0]), jit_compile=True
    )
    np.testing.assert_allclose(compiled(np.diag([2.0, 4.0])), [0.5, 0.25])
    assert np.all(np.isnan(compiled(np.diag([0.0, -1.0]))))


def test_many_unknowns_never_form_the_hessian(monkeypatch):
    def refuse(*_):
        raise AssertionError("formed the Hessian")

    monkeypatch.setattr(Problem, "hessian", refuse)
    size = DENSE_LIMIT + 1
    curvature = tf.linspace(tf.constant(1.0, tf.float64), 5.0, size)
    theta = tf.ones(size, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = wt.argmin(
            lambda x, t: tf.reduce_sum(0.5 * curvature * x**2 - t * x),
            theta / curvature,
            (theta,),
            solver=wt.given,
            derivative=wt.TrustRegion(0.5),
        ).value
    np.testing.assert_allclose(tape.gradient(x, theta), 1 / (curvature + 0.5), 1e-9)


@pytest.mark.parametrize("batch", [(), (3,)], ids=str)
def test_indefinite_systems_are_solved_on_request(batch, rng):
    hessian = np.broadcast_to(
        _rotated(rng, [-3.0, -0.2, 0.5, 1.0, 4.0]), (*batch, 5, 5)
    )
    right = rng.normal(size=(*batch, 5))
    expected = np.linalg.solve(hessian, right[..., None])[..., 0]

    def dense(*arguments):
        return solve_dense(*arguments, indefinite=True)

    for solve in (dense, solve_minres):
        np.testing.assert_allclose(_solve(solve, hessian, 0.0, right), expected, 1e-8)
    # The matrix must still be regular.
    singular = np.zeros_like(hessian)
    for solve in (dense, solve_minres):
        with pytest.raises(tf.errors.InvalidArgumentError, match="singular"):
            _solve(solve, singular, 0.0, right)


def test_minimal_residuals_need_few_products_for_few_eigenvalues(rng):
    hessian = _rotated(rng, [-1.0] * 20 + [2.0] * 20)
    problem, x = _problem(tf.constant(hessian))
    products, plain = [], problem.hessian_product

    def counted(x, direction):
        products.append(1)
        return plain(x, direction)

    problem.hessian_product = counted
    right = rng.normal(size=40)
    damping = tf.zeros([], tf.float64)
    v = solve_minres(problem, x, damping, tf.constant(right))
    np.testing.assert_allclose(v, np.linalg.solve(hessian, right), rtol=1e-9)
    assert len(products) <= 4


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda d: d.name)
@every
def test_incoming_gradients_of_any_size(solve, dtype):
    # Of these the squares are 0, or infinite; the solution was 0.
    tiny, huge = (1e-25, 1e20) if dtype == tf.float32 else (1e-170, 1e160)
    hessian = tf.constant([[[4.0, 1.0], [1.0, 3.0]]] * 3, dtype)
    right = np.array([[tiny, 2 * tiny], [1.0, 2.0], [huge, 2 * huge]])
    found = _solve(solve, hessian, 0.0, right).numpy() / right[:, :1]
    expected = np.linalg.solve([[4.0, 1.0], [1.0, 3.0]], [1.0, 2.0])
    np.testing.assert_allclose(found, [expected] * 3, rtol=1e-5)
