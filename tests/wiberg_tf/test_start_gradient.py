"""Gradients to `initial`: of a few unrolled steps, as in meta-learning (MAML)."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_MODES = [lambda function: function, tf.function]
_RATE = 0.05
_STEPS = wt.GradientDescent(rate=_RATE, max_iterations=3)
_START = tf.constant([[0.5, -1.0], [2.0, 0.1], [0.3, 0.7]], tf.float64)
_TASK = tf.constant([[1.0, 2.0], [-1.0, 0.5], [0.0, 1.0]], tf.float64)


def _energy(x, task):
    return tf.reduce_sum(tf.cosh(x - task) + tf.square(x[..., :1] * x), -1)


def _adapted(start, task, derivative):
    return wt.argmin(
        _energy, start, task, solver=_STEPS, derivative=derivative, batch_dims=1
    ).value


def _by_hand(start, task):
    x = start
    for _ in range(3):
        with tf.GradientTape() as tape:
            tape.watch(x)
            energy = tf.reduce_sum(_energy(x, task))
        x = x - _RATE * tape.gradient(energy, x)
    return x


def _first_and_second(adapt):
    """The outer loss, its gradient and the gradient of that gradient's length."""
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([_START, _TASK])
        with tf.GradientTape() as inner:
            inner.watch(_START)
            loss = tf.reduce_sum(tf.sin(adapt(_START, _TASK)))
        gradient = inner.gradient(loss, _START)
        length = tf.reduce_sum(gradient**2)
    return loss, gradient, *outer.gradient(length, [_START, _TASK])


@pytest.mark.parametrize("mode", _MODES)
def test_unrolled_steps_are_those_of_a_loop_by_hand(mode):
    expected = _first_and_second(_by_hand)
    actual = mode(_first_and_second)(lambda *xs: _adapted(*xs, wt.Unrolled()))
    for one, other in zip(expected, actual, strict=True):
        assert np.abs(one).max() > 0.1
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize(
    ("derivative", "solver"),
    [
        (wt.Unrolled(checkpoint=True), _STEPS),
        (wt.Unrolled(), lambda objective, initial: 0.5 * initial),
    ],
)
def test_first_derivatives_of_other_ways_to_unroll(mode, derivative, solver):
    @mode
    def gradient(start):
        with tf.GradientTape() as tape:
            tape.watch(start)
            value = wt.argmin(
                _energy,
                start,
                _TASK,
                solver=solver,
                derivative=derivative,
                batch_dims=1,
            ).value
            loss = tf.reduce_sum(tf.sin(value))
        return value, tape.gradient(loss, start)

    value, found = gradient(_START)
    if solver is _STEPS:
        expected = _first_and_second(_by_hand)[1]
    else:
        expected = 0.5 * np.cos(value)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize(
    ("derivative", "solver"),
    [
        (wt.Implicit(), _STEPS),
        (wt.TrustRegion(0.5), wt.Newton()),
        (wt.Implicit(), lambda objective, initial: 0.5 * initial + _TASK),
        (wt.Implicit(), wt.given),
        (wt.Unrolled(), wt.GridSeeds([[0.0, 0.5]])(wt.Newton())),
    ],
)
def test_other_derivatives_leave_the_start_alone(mode, derivative, solver):
    @mode
    def gradients(start):
        with tf.GradientTape() as tape:
            tape.watch([start, _TASK])
            solution = wt.argmin(
                lambda x, task: tf.reduce_sum(tf.cosh(x - task), -1),
                start,
                _TASK,
                solver=solver,
                derivative=derivative,
                batch_dims=1,
            )
            loss = tf.reduce_sum(solution.value) + tf.reduce_sum(solution.stats.energy)
        return tape.gradient(loss, [start, _TASK])

    start, task = gradients(_START)
    assert start is None
    assert np.abs(task).max() > 0.1


@pytest.mark.parametrize("mode", _MODES)
def test_the_start_of_equations(mode):
    solver = wt.NewtonKrylov(max_iterations=1)

    @mode
    def gradient(start, derivative):
        with tf.GradientTape() as tape:
            tape.watch(start)
            value = wt.root(
                lambda x, task: x**2 - task,
                start,
                tf.ones_like(start),
                solver=solver,
                derivative=derivative,
                batch_dims=2,
            ).value
        return tape.gradient(value, start)

    start = tf.constant([[1.5, 2.0]], tf.float64)[..., None]
    # Newton's step is to (x² + 1) / 2x.
    found = gradient(start, wt.Unrolled())
    np.testing.assert_allclose(found, 0.5 - 0.5 / start**2, rtol=1e-9)
    assert gradient(start, wt.Implicit()) is None


def test_forward_mode_in_the_start():
    def adapted(derivative):
        direction = tf.ones_like(_START)
        with tf.autodiff.ForwardAccumulator(_START, direction) as accumulator:
            value = _adapted(_START, _TASK, derivative)
        return accumulator.jvp(value)

    with tf.GradientTape() as tape:
        tape.watch(_START)
        value = _by_hand(_START, _TASK)
    rows = tape.batch_jacobian(value, _START)
    found = adapted(wt.Unrolled())
    np.testing.assert_allclose(found, tf.reduce_sum(rows, -1), rtol=1e-12)
    assert adapted(wt.Implicit()) is None
    with pytest.raises(tf.errors.UnimplementedError, match="Forward mode is not there"):
        adapted(wt.Unrolled(checkpoint=True))
