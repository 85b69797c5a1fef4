"""Derivatives by many unknowns are traced eagerly: same numbers, less time."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from default_cases import large_unless

import wiberg_tf as wt
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Problem

_SIZE = 30
_MATRIX = np.random.default_rng(0).normal(size=(_SIZE, _SIZE)) / _SIZE**0.5
_TARGET = tf.constant(np.linspace(-1.0, 1.0, _SIZE))


class _Counting:
    """An energy that knows how often Python ran it."""

    def __init__(self, scale=1.0):
        self.scale = scale
        self.calls = 0

    def __call__(self, x, target):
        self.calls += 1
        return _energy(x, self.scale * target)


def _energy(x, target):
    residuals = tf.linalg.matvec(_MATRIX, x) - target
    robust = tf.reduce_sum(tf.sqrt(1 + tf.square(residuals)), -1)
    # Not a power: its third derivative is NaN at 0.
    squared = tf.square(x)
    return robust + 0.5 * tf.reduce_sum(squared + 0.1 * tf.square(squared), -1)


def _start(*batch):
    return tf.zeros([*batch, _SIZE], tf.float64)


def test_one_trace_serves_all_points():
    energy = _Counting()
    problem = Problem(energy, Packing(_start(2), 1), (_TARGET,))
    for shift in (0.0, 1.0, 2.0):
        x = _start(2) + shift
        traced = problem.hessian(x)
        calls = energy.calls
        plain = tf.stack(
            [
                problem.hessian_product(x, tf.broadcast_to(row, x.shape))
                for row in tf.eye(_SIZE, dtype=tf.float64)
            ],
            -1,
        )
        np.testing.assert_allclose(traced, plain, rtol=1e-12, atol=1e-14)
        energy.calls = calls
    assert energy.calls == 1


def test_few_unknowns_are_not_traced():
    seen = []

    def energy(x):
        seen.append(tf.executing_eagerly())
        return tf.reduce_sum(x**4 + x**2, -1)

    wt.argmin(energy, tf.ones([5]))
    assert all(seen)


@pytest.mark.parametrize("kind", ["numbers", "branch"])
@pytest.mark.parametrize("residuals", [False, True])
def test_energies_that_cannot_be_traced_are_evaluated(kind, residuals):
    def energy(x, target):
        return 0.5 * tf.reduce_sum(tf.square(residual(x, target)), -1)

    def residual(x, target):
        weights = tf.constant(np.arange(1.0, _SIZE + 1))
        if kind == "numbers":
            scale = 1.0 + 0.0 * float(tf.reduce_sum(x).numpy())
        else:
            scale = 1.0 if tf.reduce_sum(x) > -100 else 2.0
        return weights * (x - scale * target)

    with tf.GradientTape() as tape:
        tape.watch(_TARGET)
        solution = wt.argmin(
            wt.ResidualEnergy(residual) if residuals else energy,
            _start(),
            _TARGET,
            solver=wt.LevenbergMarquardt() if residuals else wt.Newton(),
        ).raise_if_failed()
        loss = tf.reduce_sum(solution.value**2)
    np.testing.assert_allclose(solution.value, _TARGET, atol=1e-8)
    np.testing.assert_allclose(tape.gradient(loss, _TARGET), 2 * _TARGET, atol=1e-8)


def _gradients(compute, mode):
    scale = tf.Variable(1.5, dtype=tf.float64)
    shift = tf.constant(0.25, tf.float64)

    def run():
        with tf.GradientTape() as tape:
            tape.watch([_TARGET, shift])
            loss = compute(scale, shift)
        return loss, *tape.gradient(loss, [_TARGET, scale, shift])

    return mode(run)()


@pytest.mark.parametrize(
    ("derivative", "residuals"),
    large_unless(
        [(wt.Implicit(), False), (wt.Unrolled(), True)],
        itertools.product([wt.Implicit(), wt.Unrolled()], [False, True]),
    ),
)
def test_gradients_reach_parameters_and_captures(derivative, residuals):
    """Eagerly as in a graph, after few iterations."""

    def compute(scale, shift):
        def residual(x, target):
            flat = tf.linalg.matvec(_MATRIX, x) - scale * target + shift
            return tf.concat([flat, 0.1 * x**2 + x], -1)

        def energy(x, target):
            return tf.reduce_sum(tf.sqrt(1 + residual(x, target) ** 2), -1)

        value = wt.argmin(
            wt.ResidualEnergy(residual) if residuals else energy,
            _start(2),
            _TARGET,
            solver=(wt.GaussNewton if residuals else wt.Newton)(max_iterations=2),
            derivative=derivative,
            batch_dims=1,
        ).value
        return tf.reduce_sum(tf.sin(value))

    eager = _gradients(compute, lambda function: function)
    graph = _gradients(compute, tf.function)
    for one, other in zip(eager, graph, strict=True):
        assert np.abs(one).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.large
def test_second_derivatives_and_forward_mode_of_unrolled_steps():
    def solve(target):
        return tf.reduce_sum(
            wt.argmin(
                _energy,
                _start(),
                target,
                solver=wt.Newton(max_iterations=1),
                derivative=wt.Unrolled(),
            ).value
            ** 2
        )

    direction = tf.cos(_TARGET)

    def slope(target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            value = solve(target)
        return tf.reduce_sum(tape.gradient(value, target) * direction)

    with tf.GradientTape() as tape:
        tape.watch(_TARGET)
        first = slope(_TARGET)
    second = tf.reduce_sum(tape.gradient(first, _TARGET) * direction)
    step = 1e-5
    ahead, behind = (slope(_TARGET + sign * step * direction) for sign in (1, -1))
    np.testing.assert_allclose(second, (ahead - behind) / (2 * step), rtol=1e-6)
    with tf.autodiff.ForwardAccumulator(_TARGET, direction) as accumulator:
        value = solve(_TARGET)
    np.testing.assert_allclose(accumulator.jvp(value), first, rtol=1e-9)


def test_an_assertion_of_the_energy_is_its_own():
    def energy(x):
        tf.debugging.assert_less(x, 0.5, "too large:")
        return tf.reduce_sum((x - 1) ** 2, -1)

    with pytest.raises(tf.errors.InvalidArgumentError, match="too large:"):
        wt.argmin(energy, tf.zeros(_SIZE))


def test_variables_are_read_at_each_call():
    scale = tf.Variable(2.0, dtype=tf.float64)
    problem = Problem(
        lambda x: scale * tf.reduce_sum(x**2, -1), Packing(_start(), 0), ()
    )
    np.testing.assert_allclose(problem.hessian(_start()), 4 * np.eye(_SIZE))
    scale.assign(3.0)
    np.testing.assert_allclose(problem.hessian(_start()), 6 * np.eye(_SIZE))
