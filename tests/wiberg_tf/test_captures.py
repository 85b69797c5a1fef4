"""What an energy captures: taken as it was at the call, and differentiated."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from default_cases import large_unless

import wiberg_tf as wt

_PRECISE = wt.Newton(tolerance=1e-12)
_THETA = tf.constant(2.0, tf.float64)
_MODES = ("eager", "graph")
modes = pytest.mark.parametrize("mode", _MODES)
_DERIVATIVES = (
    wt.Implicit(),
    wt.Implicit("cg"),
    wt.Implicit("minres"),
    wt.Unrolled(),
)
derivatives = pytest.mark.parametrize(
    "derivative",
    _DERIVATIVES,
    ids=["dense", "cg", "minres", "unrolled"],
)


def _run(function, mode, *arguments):
    return (tf.function(function) if mode == "graph" else function)(*arguments)


def _minimise(energy, parameters, derivative, **options):
    start = tf.constant(0.5, tf.float64)
    options = {"solver": _PRECISE, "derivative": derivative, **options}
    return wt.argmin(energy, start, parameters, **options).value


@pytest.mark.parametrize(
    ("derivative", "mode"),
    large_unless(
        [
            (wt.Implicit(), "graph"),
            (wt.Implicit("cg"), "eager"),
            (wt.Implicit("minres"), "eager"),
            (wt.Unrolled(), "eager"),
            (wt.Unrolled(), "graph"),
        ],
        itertools.product(_DERIVATIVES, _MODES),
    ),
    ids=str,
)
def test_a_loop_variable_is_what_it_was(derivative, mode):
    def gradient(theta):
        total = tf.zeros([], tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            for power in (1.0, 2.0):
                total += _minimise(
                    lambda x, t: tf.square(x - t**power),  # noqa: B023
                    (theta,),
                    derivative,
                )
        return tape.gradient(total, theta)

    # d(θ + θ²) / dθ
    np.testing.assert_allclose(_run(gradient, mode, _THETA), 5, rtol=1e-9)


@derivatives
def test_a_buffer_and_a_variable_are_what_they_were(derivative):
    buffer, weight = np.array([1.0, 2.0]), tf.Variable(1.0, dtype=tf.float64)

    def minimise(theta):
        return _minimise(
            lambda x, t: tf.reduce_sum(tf.cosh(buffer * x - t)) + weight * x**2,
            (theta,),
            derivative,
        )

    with tf.GradientTape() as tape:
        tape.watch(_THETA)
        x = minimise(_THETA)
        buffer[:] = [9.0, 0.0]
        weight.assign(10.0)
    found = tape.gradient(x, _THETA)
    buffer[:] = [1.0, 2.0]
    weight.assign(1.0)
    step = 1e-5
    expected = (minimise(_THETA + step) - minimise(_THETA - step)) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@modes
@derivatives
def test_captured_tensors_and_variables_have_their_gradients(derivative, mode):
    variable = tf.Variable(1.5, dtype=tf.float64)

    def gradients(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            # Captured twice, computed from a parameter, and itself a parameter.
            feature = tf.square(theta)
            x = _minimise(
                lambda x, t, f: tf.square(x - t * feature * f / feature - variable),
                (theta, feature),
                derivative,
            )
        return tape.gradient(x, [theta, feature, variable])

    # x = θ f + v, of which the feature in the numerator and denominator cancels.
    by_theta, by_feature, by_variable = _run(gradients, mode, _THETA)
    np.testing.assert_allclose(by_theta, 12, rtol=1e-8)
    np.testing.assert_allclose(by_feature, 2, rtol=1e-8)
    np.testing.assert_allclose(by_variable, 1, rtol=1e-8)


@modes
def test_captures_under_bounds_and_damping(mode):
    """Of two unknowns one is at its bound; the other moves by 2 / (2 + λ)."""

    def gradients(target):
        with tf.GradientTape() as tape:
            tape.watch(target)
            x = wt.argmin(
                lambda x: tf.reduce_sum((x - target) ** 2),
                tf.zeros(2, tf.float64),
                bounds=(0.0, 1.0),
                derivative=wt.TrustRegion(0.5),
            ).value
        return tape.gradient(x, target)

    found = _run(gradients, mode, tf.constant([0.5, 3.0], tf.float64))
    np.testing.assert_allclose(found, [0.8, 0], rtol=1e-12)


def test_captures_within_a_loop_under_xla():
    @tf.function(jit_compile=True)
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)

            def body(step, total):
                x = _minimise(
                    lambda x: tf.cosh(x - theta) + 0.5 * x**2, (), wt.Implicit()
                )
                return step + 1, total + x**2

            total = tf.zeros([], tf.float64)
            _, total = tf.while_loop(
                lambda step, _: step < 3, body, (0, total), maximum_iterations=3
            )
        return total, tape.gradient(total, theta)

    found = [float(gradient(_THETA + step)[0]) for step in (1e-5, -1e-5)]
    np.testing.assert_allclose(
        gradient(_THETA)[1], (found[0] - found[1]) / 2e-5, rtol=1e-8
    )


@modes
def test_tangents_of_captures(mode):
    def push(theta):
        with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
            feature = tf.square(theta)
            x = _minimise(
                lambda x, t: tf.square(x - t * feature), (theta,), wt.Implicit()
            )
        return accumulator.jvp(x)

    np.testing.assert_allclose(_run(push, mode, _THETA), 12, rtol=1e-9)


@pytest.mark.parametrize("mode", large_unless(["eager"], _MODES))
def test_second_derivatives_by_captures_are_refused(mode):
    def second(theta):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                x = _minimise(lambda x: tf.exp(x) - theta * x, (), wt.Implicit())
            gradient = inner.gradient(x, theta)
        return outer.gradient(gradient, theta)

    with pytest.raises(tf.errors.UnimplementedError, match="Second derivatives"):
        _run(second, mode, _THETA)


def test_a_captured_minimiser_in_an_unrolled_minimisation(slope):
    def outer(theta):
        def energy(x, t):
            inner = _minimise(
                lambda y: tf.cosh(y - t) + tf.square(y - x), (), wt.Unrolled()
            )
            return (x - t) ** 2 + inner**2

        return _minimise(
            energy,
            (theta,),
            wt.Unrolled(),
            solver=wt.GradientDescent(rate=0.1, max_iterations=2),
        )

    with tf.GradientTape() as tape:
        tape.watch(_THETA)
        x = outer(_THETA)
    expected = slope(outer, [_THETA], [1.0], 1e-3)
    np.testing.assert_allclose(tape.gradient(x, _THETA), expected, rtol=1e-7)


def _by_complex(theta):
    held = tf.complex(theta, theta**2)
    return lambda: tf.math.imag(held)


def _by_list(theta):
    held = tf.TensorArray(theta.dtype, 1, clear_after_read=False, element_shape=[])
    held = held.write(0, theta**2)
    return lambda: held.read(0)


# Captured tensors that are not floating, and what an energy reads of them: θ².
kinds = pytest.mark.parametrize(
    "capture", [_by_complex, _by_list], ids=["complex", "list"]
)


@modes
@kinds
def test_captured_tensors_of_any_kind_have_their_gradients(capture, mode):
    def beside(theta):
        feature = capture(theta)
        return _minimise(
            lambda x, t: tf.square(x - t * feature()), (theta,), wt.Implicit()
        )

    def alone(theta):
        feature = capture(theta)
        return _minimise(lambda x: tf.square(x - feature()), (), wt.Implicit("cg"))

    def energy(theta):
        feature = capture(theta)
        return wt.argmin(
            lambda x: tf.square(x - 1) + feature(), tf.zeros_like(theta)
        ).stats.energy

    def root(theta):
        feature = capture(theta)
        return wt.root(
            lambda x, t: x - t * feature(), tf.zeros_like(theta)[None], theta
        ).value[0]

    def gradient(function):
        def run(theta):
            with tf.GradientTape() as tape:
                tape.watch(theta)
                found = function(theta)
            return tape.gradient(found, theta)

        return _run(run, mode, _THETA)

    found = [gradient(function) for function in (beside, alone, energy, root)]
    # Of θ³, θ², θ² and θ³.
    np.testing.assert_allclose(found, [12, 4, 4, 12])


_LEAN = {
    "derivative": wt.Unrolled(checkpoint=True),
    "solver": wt.Newton(max_iterations=3),
}


@modes
def test_checkpoints_refuse_captured_tensors(mode):
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            feature = tf.square(theta)
            x = _minimise(lambda x, t: tf.cosh(x - t * feature), (theta,), **_LEAN)
        return tape.gradient(x, theta)

    with pytest.raises(tf.errors.UnimplementedError, match="captures a tensor"):
        _run(gradient, mode, _THETA)


@modes
@kinds
@pytest.mark.parametrize("asked", ["value", "energy"])
def test_checkpoints_refuse_captures_of_any_kind(asked, capture, mode):
    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            feature = capture(theta)
            solution = wt.argmin(
                lambda x, t: tf.cosh(x - t) + feature() * (1 + 0.1 * x**2),
                tf.zeros_like(theta),
                (theta,),
                **_LEAN,
            )
            found = {"value": solution.value, "energy": solution.stats.energy}[asked]
        return tape.gradient(found, theta)

    with pytest.raises(tf.errors.UnimplementedError, match="`energy` captures"):
        _run(gradient, mode, _THETA)


def test_captured_lists_are_named_where_a_graph_is_unrolled():
    def minimum(theta):
        feature = _by_list(theta)
        return _minimise(lambda x: tf.cosh(x - feature()), (), wt.Unrolled())

    with pytest.raises(tf.errors.UnimplementedError, match="captures `TensorArray"):
        tf.function(minimum)(_THETA)


@modes
def test_checkpoints_refuse_what_has_changed(mode):
    weight = np.array(1.0)

    def gradient(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = _minimise(lambda x, t: tf.cosh(x - t) + weight * x**4, theta, **_LEAN)
            weight[...] = 10.0
        return tape.gradient(x, theta)

    with pytest.raises(tf.errors.InvalidArgumentError, match="not what it was"):
        _run(gradient, mode, _THETA)


_SOFT_STEPS = {
    "scan": lambda x, t: tf.reduce_sum(
        tf.square(
            tf.scan(lambda y, _: y + 0.1 * tf.sin(y), tf.range(3), initializer=x)[-1]
            - t
        )
    ),
    "cond": lambda x, t: tf.cond(
        tf.reduce_sum(tf.square(x - t)) > 1.0,
        lambda: 2 * tf.sqrt(tf.reduce_sum(tf.square(x - t))) - 1,
        lambda: tf.reduce_sum(tf.square(x - t)),
    ),
}


@pytest.mark.parametrize("name", _SOFT_STEPS)
def test_control_flow_in_the_energy(name):
    @tf.function
    def derivative(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(
                _SOFT_STEPS[name], tf.zeros_like(theta), theta, solver=_PRECISE
            ).value
            loss = tf.reduce_sum(x)
        return loss, tape.gradient(loss, theta)

    theta = tf.constant([1.0, 1.5], tf.float64)
    loss, found = derivative(theta)
    step = tf.constant([1e-5, 0.0], tf.float64)
    expected = (derivative(theta + step)[0] - derivative(theta - step)[0]) / 2e-5
    assert np.isfinite(loss)
    np.testing.assert_allclose(found[0], expected, rtol=1e-7)
