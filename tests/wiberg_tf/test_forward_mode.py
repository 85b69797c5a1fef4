"""Forward mode through minimisers, against differences of whole solves."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from default_cases import large_unless

import wiberg_tf as wt

_PRECISE = wt.Newton(tolerance=1e-12)
_MODES = ("eager", "graph")
modes = pytest.mark.parametrize("mode", _MODES)


def _curve(x, design, ridge):
    """A strictly convex energy of three unknowns with a Hessian that varies."""
    seen = tf.linalg.matvec(design, x)
    steep = tf.math.softplus(seen) + tf.exp(ridge)[..., None] * x**2
    return tf.reduce_sum(steep + tf.sin(0.3 * x), -1)


def _own_solve(x, parameters, damping, right):
    """(H + λI)⁻¹ for `_curve`, written by hand."""
    design, ridge = parameters
    slope = tf.math.sigmoid(tf.linalg.matvec(design, x))
    weighted = (slope * (1 - slope))[..., None] * design
    diagonal = 2 * tf.exp(ridge)[..., None] - 0.09 * tf.sin(0.3 * x)
    hessian = tf.matmul(design, weighted, transpose_a=True) + tf.linalg.diag(
        diagonal + damping[..., None]
    )
    return tf.linalg.solve(hessian, right[..., None])[..., 0]


def _draw(batch, rng):
    return rng.normal(size=(*batch, 3, 3)), rng.normal(size=batch) * 0.3 - 1


def _minimiser(derivative, batch, bounds=None):
    def minimise(design, ridge):
        return wt.argmin(
            _curve,
            tf.zeros([*batch, 3], tf.float64),
            (design, ridge),
            solver=_PRECISE,
            derivative=derivative,
            batch_dims=len(batch),
            bounds=bounds,
        ).value

    return minimise


def _forward(function, mode):
    def push(primals, tangents):
        with tf.autodiff.ForwardAccumulator(primals, tangents) as accumulator:
            value = function(*primals)
        return accumulator.jvp(value)

    return tf.function(push) if mode == "graph" else push


_SOLVES = {
    ("dense", "eager"),
    ("dense", "graph"),
    ("cg", "eager"),
    ("minres", "graph"),
    (_own_solve, "eager"),
}


@pytest.mark.parametrize(
    "batch", [pytest.param((), marks=pytest.mark.large), (2, 2)], ids=str
)
@pytest.mark.parametrize(
    ("solve", "mode"),
    large_unless(
        _SOLVES, itertools.product(["dense", "cg", "minres", _own_solve], _MODES)
    ),
)
def test_forward_mode_equals_differences_of_the_whole_solve(
    solve, batch, mode, rng, slope
):
    parameters, along = _draw(batch, rng), _draw(batch, rng)
    weights = rng.normal(size=(*batch, 3))
    minimise = _minimiser(wt.Implicit(solve), batch)

    def loss(*parameters):
        x = minimise(*parameters)
        return tf.reduce_sum(weights * x + tf.sin(x))

    constants = [tf.constant(p) for p in parameters]
    found = _forward(loss, mode)(constants, [tf.constant(a) for a in along])
    expected = slope(tf.function(loss), parameters, along)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("mode", large_unless(["graph"], _MODES))
def test_forward_mode_at_active_bounds(mode, rng, slope):
    parameters, along = _draw((4,), rng), _draw((4,), rng)
    minimise = _minimiser(wt.Implicit(), (4,), (-0.8, 0.3))
    constants = [tf.constant(p) for p in parameters]
    x = minimise(*constants)
    held = (x == -0.8) | (x == 0.3)
    assert 2 < np.sum(held) < 10
    found = _forward(minimise, mode)(constants, [tf.constant(a) for a in along])
    np.testing.assert_array_equal(found[held], 0)
    weights = rng.normal(size=x.shape)
    expected = slope(
        tf.function(lambda *p: tf.reduce_sum(weights * minimise(*p))), parameters, along
    )
    np.testing.assert_allclose(np.sum(weights * found), expected, rtol=1e-7)


_DAMPED = {
    "number": wt.TrustRegion(0.5),
    "tensor": wt.TrustRegion(tf.constant([0.0, 0.3, 5.0], tf.float64)),
    "adaptive": wt.TrustRegion(wt.Adaptive(condition=1.5)),
}


@pytest.mark.parametrize(
    ("name", "mode"),
    large_unless(
        {("number", "graph"), ("tensor", "eager"), ("adaptive", "graph")},
        itertools.product(_DAMPED, _MODES),
    ),
)
def test_forward_and_reverse_mode_agree_on_damped_derivatives(name, mode, rng):
    derivative, batch = _DAMPED[name], (3,)
    constants = [tf.constant(p) for p in _draw(batch, rng)]
    along = [tf.constant(a) for a in _draw(batch, rng)]
    weights = rng.normal(size=(3, 3))
    minimise = _minimiser(derivative, batch)
    with tf.GradientTape() as tape:
        tape.watch(constants)
        x = minimise(*constants)
    gradients = tape.gradient(x, constants, weights)
    expected = sum(np.sum(g * a) for g, a in zip(gradients, along, strict=True))
    found = np.sum(weights * _forward(minimise, mode)(constants, along))
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    plain = np.sum(
        weights * _forward(_minimiser(wt.Implicit(), batch), "eager")(constants, along)
    )
    assert abs(found / plain - 1) > 0.01


@pytest.mark.parametrize("scale", [0.0, 1e-200, 1e200])
def test_tangents_of_any_size(scale):
    theta = tf.constant([0.5, 2.0], tf.float64)
    push = _forward(_root_of_exponential(wt.Implicit()), "eager")
    found = push([theta], [tf.constant([scale, -scale], tf.float64)])
    np.testing.assert_allclose(found, [scale / 0.5, -scale / 2], rtol=1e-12)


def _root_of_exponential(derivative):
    """x*(θ) = log θ."""

    def minimise(theta):
        return wt.argmin(
            lambda x, t: tf.reduce_sum(tf.exp(x) - t * x),
            tf.zeros_like(theta),
            (theta,),
            solver=_PRECISE,
            derivative=derivative,
        ).value

    return minimise


@modes
def test_nests_variables_and_integers(mode):
    variable = tf.Variable([1.0, 2.0])

    def push(tangent):
        with tf.autodiff.ForwardAccumulator(variable, tangent) as accumulator:
            value = wt.argmin(
                lambda x, target, power, shift: tf.reduce_sum(
                    (x["a"] - target * tf.cast(power, tf.float32)) ** 2
                    + (x["b"] - shift) ** 2
                ),
                {"a": tf.zeros(2), "b": tf.zeros(2)},
                {"target": variable, "power": 3, "shift": tf.constant(4.0)},
            ).value
        return value, accumulator.jvp(value["a"]), accumulator.jvp(value["b"])

    run = tf.function(push) if mode == "graph" else push
    value, moved, still = run(tf.constant([1.0, -1.0]))
    np.testing.assert_allclose(value["a"], [3, 6], rtol=1e-6)
    np.testing.assert_allclose(moved, [3, -3], rtol=1e-6)
    np.testing.assert_allclose(still, [0, 0], atol=1e-6)


def test_forward_and_reverse_mode_together():
    theta = tf.constant([0.5, 2.0], tf.float64)
    minimise = _root_of_exponential(wt.Implicit())
    with tf.GradientTape() as tape:
        tape.watch(theta)
        with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
            value = minimise(theta)
    np.testing.assert_allclose(accumulator.jvp(value), 1 / theta, rtol=1e-12)
    np.testing.assert_allclose(tape.gradient(value, theta), 1 / theta, rtol=1e-12)


def test_forward_mode_under_xla():
    theta = tf.constant([0.5, 2.0], tf.float64)

    @tf.function(jit_compile=True)
    def push(theta):
        with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
            value = _root_of_exponential(wt.Implicit())(theta)
        return accumulator.jvp(value)

    np.testing.assert_allclose(push(theta), 1 / theta, rtol=1e-12)


def test_an_unused_parameter_is_named():
    theta = tf.constant([0.5, 2.0])

    def minimise(theta):
        return wt.argmin(lambda x, t: tf.reduce_sum(x**2), tf.zeros(2), (theta,)).value

    with pytest.raises(ValueError, match=r"does not use `parameters\[0\]`"):
        _forward(minimise, "eager")([theta], [tf.ones(2)])


def _reverse_over_forward(minimise, theta):
    with tf.GradientTape() as tape:
        tape.watch(theta)
        with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
            value = minimise(theta)
        tangent = accumulator.jvp(value)
    return tape.gradient(tangent, theta)


def _forward_over_reverse(minimise, theta):
    with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = minimise(theta)
        gradient = tape.gradient(value, theta)
    return accumulator.jvp(gradient)


def _forward_over_forward(minimise, theta):
    unit = tf.ones_like(theta)
    with tf.autodiff.ForwardAccumulator(theta, unit) as outer:
        with tf.autodiff.ForwardAccumulator(theta, unit) as inner:
            value = minimise(theta)
        tangent = inner.jvp(value)
    return outer.jvp(tangent)


def _around_a_function(minimise, theta):
    compiled = tf.function(minimise)
    with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
        value = compiled(theta)
    return accumulator.jvp(value)


@modes
@pytest.mark.parametrize(
    ("derive", "message"),
    [
        (_reverse_over_forward, "Second derivatives"),
        (_forward_over_reverse, "Second derivatives"),
        (_forward_over_forward, "several ForwardAccumulators"),
        (_around_a_function, "inside the tf.function"),
    ],
)
def test_what_is_not_there_is_refused(derive, message, mode):
    theta = tf.constant([0.5, 2.0], tf.float64)
    run = tf.function(derive) if mode == "graph" else derive
    with pytest.raises(tf.errors.UnimplementedError, match=message):
        run(_root_of_exponential(wt.Implicit()), theta)


def test_unrolled_steps_in_a_graph_refuse_forward_mode():
    @tf.function
    def pushed(theta):
        with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
            value = wt.argmin(
                lambda x, t: tf.reduce_sum(tf.cosh(x - t)),
                tf.zeros([2], tf.float64),
                (theta,),
                derivative=wt.Unrolled(),
            ).value
        return accumulator.jvp(value)

    with pytest.raises(tf.errors.UnimplementedError, match="use Implicit"):
        pushed(tf.constant([0.5, 2.0], tf.float64))
