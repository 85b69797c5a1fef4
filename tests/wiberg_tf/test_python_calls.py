"""Python within an energy, whose derivatives TensorFlow does not have right."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_THETA = tf.constant(0.7, tf.float64)
_STEPS = wt.GradientDescent(rate=0.3)


def _numpy(x):
    return tf.ensure_shape(tf.numpy_function(np.exp, [x], x.dtype), [])


def _python(x):
    return tf.ensure_shape(tf.py_function(tf.exp, [x], x.dtype), [])


def _within_map(call):
    return lambda x: tf.reduce_sum(tf.map_fn(call, x[None]))


def _within_branch(call):
    def run(x):
        return tf.cond(x < 100.0, lambda: call(x), lambda: tf.identity(x))

    return run


def _within_loop(call):
    """Reached in the second round of the loop alone."""

    def run(x):
        def body(k, first, second):
            return k + 1, x, second + call(first)

        zero = tf.zeros_like(x)
        return tf.while_loop(lambda k, *_: k < 2, body, (0, zero, zero))[2]

    return run


def _within_function(call):
    return tf.function(lambda x: call(x) + 1)


_PLACES = [lambda call: call, _within_map, _within_branch, _within_function]
places = pytest.mark.parametrize("place", [*_PLACES, _within_loop])
calls = pytest.mark.parametrize(
    ("call", "name"),
    [(_numpy, "tf.numpy_function"), (_python, "tf.py_function")],
    ids=["numpy", "python"],
)


def _gradient(energy, **options):
    @tf.function
    def run(theta):
        with tf.GradientTape() as tape:
            tape.watch(theta)
            x = wt.argmin(energy, tf.zeros_like(theta), (theta,), **options).value
        return tape.gradient(x, theta)

    return run(_THETA)


@places
@calls
def test_python_of_unknowns_is_refused_and_named(place, call, name):
    function = place(call)
    with pytest.raises(ValueError, match=f"`energy` must not .* received {name}"):
        _gradient(lambda x, t: tf.square(x - t) + function(x))


@calls
@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.Unrolled()], ids=["i", "u"])
def test_python_of_parameters_and_captures_is_refused(derivative, call, name):
    """Without Newton, whose Hessian would be looked at before."""
    options = {"solver": _STEPS, "derivative": derivative}
    with pytest.raises(ValueError, match=f"`energy` must not .* received {name}"):
        _gradient(lambda x, t: tf.square(x - t) + 0.1 * x * call(t), **options)
    held = tf.Variable(0.3, dtype=tf.float64)
    with pytest.raises(ValueError, match=f"`energy` must not .* received {name}"):
        _gradient(lambda x, t: tf.square(x - t) + 0.1 * x * call(held), **options)


@calls
@pytest.mark.parametrize("solve", [wt.root, wt.fixed_point])
def test_python_in_equations_is_refused(solve, call, name):
    @tf.function
    def run(theta):
        return solve(lambda x, t: x / 2 + 0.01 * call(x) - t, theta, (theta,)).value

    with pytest.raises(ValueError, match=f"`function` must not .* received {name}"):
        run(_THETA)


def test_python_that_no_derivative_goes_through_is_taken():
    def energy(x, t):
        loaded = tf.numpy_function(lambda: np.float64(3.0), [], x.dtype)
        held = tf.numpy_function(np.cos, [tf.stop_gradient(x)], x.dtype)
        whole = tf.numpy_function(np.negative, [tf.cast(x, tf.int32)], tf.int32)
        still = tf.stop_gradient(held) + tf.cast(whole, x.dtype)
        size = tf.cast(tf.size(_numpy(x)), x.dtype)
        return size * tf.square(x - loaded * t) + tf.reduce_sum(still)

    np.testing.assert_allclose(_gradient(energy, solver=_STEPS), 3, rtol=1e-9)


# TensorFlow takes no derivatives by hand within branches of a loop.
@pytest.mark.parametrize("place", [_PLACES[0], _within_map, _within_function])
def test_a_derivative_by_hand_is_the_callers(place):
    @tf.custom_gradient
    def exp(x):
        # Of exp(x) the derivative is exp(x), in TensorFlow's own operations.
        def backward(upstream):
            return upstream * tf.exp(x)

        return _numpy(x), backward

    # x minimises (x − t)² / 2 + exp(x), so dx/dt = 1 / (1 + exp(x)).
    def energy(x, t):
        return 0.5 * tf.square(x - t) + place(exp)(x)

    x = wt.argmin(lambda x, t: 0.5 * (x - t) ** 2 + tf.exp(x), _THETA, (_THETA,)).value
    np.testing.assert_allclose(_gradient(energy), 1 / (1 + np.exp(x)), rtol=1e-7)


def test_first_derivatives_are_enough_for_steps_of_gradients_alone():
    @tf.function
    def run(theta):
        return wt.argmin(
            lambda x, t: 0.5 * tf.square(x - t) + _python(x),
            tf.zeros_like(theta),
            (theta,),
            solver=_STEPS,
            derivative=wt.NoDerivative(),
        ).value

    x = run(_THETA)
    np.testing.assert_allclose(x + np.exp(x), _THETA, rtol=1e-7)
