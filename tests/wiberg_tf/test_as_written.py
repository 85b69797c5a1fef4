"""AutoGraph rewrites what the caller writes, and nothing of the library."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_THETA = tf.constant([1.0, -2.0], tf.float64)


def _energy(x, t):
    """One that needs AutoGraph in a graph: a branch, and a loop, by tensors."""
    if tf.reduce_sum(t) > 0:
        target = t
    else:
        target = 2 * t
    power = tf.ones_like(t)
    for _ in tf.range(2):
        power *= 1.5
    return tf.reduce_sum(0.5 * power * (x - target) ** 2, -1)


def _learned(solver=None, derivative=None, energy=_energy):
    @tf.function
    def run(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                energy,
                tf.zeros_like(theta),
                (theta,),
                solver=solver,
                derivative=derivative,
            ).value
            loss = tf.reduce_sum(x)
        return x, tape.gradient(loss, theta)

    return run(_THETA)


@pytest.mark.parametrize(
    "derivative",
    [
        wt.Implicit(),
        pytest.param(wt.Implicit("cg"), marks=pytest.mark.large),
        pytest.param(wt.Unrolled(), marks=pytest.mark.large),
        wt.Unrolled(checkpoint=True),
    ],
    ids=["implicit", "cg", "unrolled", "checkpointed"],
)
def test_an_energy_may_branch_and_loop_by_tensors(derivative):
    solver = wt.Newton(max_iterations=3) if "roll" in repr(derivative) else None
    x, gradient = _learned(solver, derivative)
    np.testing.assert_allclose(x, 2 * _THETA, rtol=1e-7)
    np.testing.assert_allclose(gradient, [2, 2], rtol=1e-7)


def test_so_may_residuals_and_a_loss_of_ones_own():
    class Bent(wt.losses.Loss):
        def __call__(self, squared):
            if tf.reduce_max(squared) > 1e9:
                return 0 * squared
            return squared

    def residuals(x, t):
        if t[0] > 0:
            return x - 3 * t
        return x

    def loss(t):
        if t[1] > 0:
            width = tf.constant(0.1, tf.float64)
        else:
            width = tf.constant(1e6, tf.float64)
        return wt.losses.Huber(width)

    for solver, chosen in ((wt.GaussNewton(), loss), (wt.IRLS(), Bent())):
        x, gradient = _learned(solver, energy=wt.ResidualEnergy(residuals, chosen))
        np.testing.assert_allclose(x, 3 * _THETA, rtol=1e-7)
        np.testing.assert_allclose(gradient, [3, 3], rtol=1e-7)


def test_so_may_solvers_and_linear_solves():
    class Descent(wt.Solver):
        max_iterations = 200

        def init(self, problem, x):
            return (x, *problem.value_and_gradient(x))

        def step(self, problem, state):
            if tf.norm(state[2]) > 1:
                rate = tf.constant(0.3, tf.float64)
            else:
                rate = tf.constant(0.35, tf.float64)
            return self.init(problem, state[0] - rate * state[2])

        def terminate(self, state):
            if tf.norm(state[2]) < 1e-9:
                done = tf.constant(True)
            else:
                done = tf.constant(False)
            return done, tf.constant(int(wt.Status.CONVERGED))

        def postprocess(self, state):
            return state

    def solve(x, parameters, damping, right):
        if damping > 1:
            return 0 * right
        return right / (1.5**2 + damping)

    def step(objective, initial):
        x = initial
        for _ in tf.range(40):
            with tf.GradientTape() as tape:
                tape.watch(x)
                energy = objective(x)
            x -= 0.4 * tape.gradient(energy, x)
        return x

    for solver in (Descent(), step, wt.Newton(linear_solve=solve)):
        x, gradient = _learned(solver, wt.TrustRegion(0.25, solve))
        np.testing.assert_allclose(x, 2 * _THETA, rtol=1e-7)
        np.testing.assert_allclose(gradient, 2 * 2.25 / 2.5 * np.ones(2), rtol=1e-7)


def test_so_may_equations_and_what_has_aux():
    def function(x, t):
        if t[0] > 0:
            return 0.5 * x + t, tf.reduce_sum(x)
        return x, tf.reduce_sum(x)

    @tf.function
    def run(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            found = wt.fixed_point(function, 0 * theta, (theta,), has_aux=True)
            loss = tf.reduce_sum(found.value)
        return found.value, found.aux, tape.gradient(loss, theta)

    x, aux, gradient = run(_THETA)
    np.testing.assert_allclose(x, 2 * _THETA, rtol=1e-6)
    np.testing.assert_allclose(aux, -2, rtol=1e-6)
    np.testing.assert_allclose(gradient, [2, 2], rtol=1e-6)


def test_without_autograph_there_is_none():
    run = tf.function(lambda t: wt.argmin(_energy, 0 * t, (t,)).value, autograph=False)
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        run(_THETA)


@pytest.mark.large
def test_a_minimiser_within_an_energy():
    def outer(y, t):
        if t[0] > 0:
            inner = wt.argmin(_energy, 0 * t, (t,)).value
        else:
            inner = t
        return tf.reduce_sum((y - inner) ** 2, -1)

    x, gradient = _learned(wt.Newton(max_iterations=1), energy=outer)
    np.testing.assert_allclose(x, 2 * _THETA, rtol=1e-7)
    np.testing.assert_allclose(gradient, [2, 2], rtol=1e-7)


def test_constraints():
    @tf.function
    def run(theta):
        row = tf.ones([1, 2], tf.float64)
        return wt.argmin(_energy, 0 * theta, (theta,), equality=(row, row[:, 0])).value

    np.testing.assert_allclose(run(_THETA), [2.0 + 1.5, -4.0 + 1.5], rtol=1e-7)


def test_the_library_itself_is_not_rewritten(monkeypatch):
    from tensorflow.python.autograph.impl import api

    rewritten = []
    convert = api._convert_actual

    def noting(entity, context):
        rewritten.append(entity)
        return convert(entity, context)

    monkeypatch.setattr(api, "_convert_actual", noting)

    def fresh(x, t):
        return tf.reduce_sum(tf.exp(x - t) - x + t, -1)

    _learned(wt.LBFGS(), wt.TrustRegion(0.1, "cg"), fresh)
    modules = {sys.modules[entity.__module__].__name__ for entity in rewritten}
    assert not [name for name in modules if name.startswith("wiberg_tf")]
    assert any(entity.__name__ == "fresh" for entity in rewritten)


def test_a_layers_energy_is_what_keras_makes_of_it():
    layer = wt.keras.ArgMin(lambda x, t: _energy(x, t), (2,))
    model = keras.Sequential([layer])
    pick = tf.constant([[1.0, 2.0]])
    np.testing.assert_allclose(model(pick), pick, rtol=1e-5)
