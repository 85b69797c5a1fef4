"""A `tf.function` that holds a gradient, or a minimiser without one, beside tapes."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_THETA = tf.constant(0.7, tf.float64)


def _minimum(theta, **options):
    return wt.argmin(
        lambda x, t: tf.cosh(x - t) + 0.5 * x**2, 0 * theta, (theta,), **options
    ).value


def _derivative(theta):
    with tf.GradientTape() as tape:
        tape.watch(theta)
        x = _minimum(theta)
    return tape.gradient(x, theta)


class _Saved(tf.Module):
    derivative = tf.function(
        lambda self, theta: _derivative(theta),
        input_signature=[tf.TensorSpec([], tf.float64)],
    )


def test_a_gradient_is_saved_without_its_own(tmp_path):
    model, path = _Saved(), str(tmp_path)
    with pytest.raises(ValueError, match="custom_gradients=False") as caught:
        tf.saved_model.save(model, path)
    assert "to save a gradient" in str(caught.value.__cause__)
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(model, path, options=options)
    x = _minimum(_THETA)
    # Of sinh(x − t) + x = 0.
    bend = np.cosh(x - _THETA)
    found = tf.saved_model.load(path).derivative(_THETA)
    np.testing.assert_allclose(found, bend / (bend + 1), rtol=1e-9)


@pytest.mark.parametrize("name", ["derivative", "no derivative"])
def test_what_an_outer_tape_does_not_take_goes_beside_it(name):
    """TensorFlow makes the derivative of a function where it is called."""
    inside = {
        "derivative": _derivative,
        "no derivative": lambda t: _minimum(t, derivative=wt.NoDerivative()),
    }[name]
    function = tf.function(inside)
    with tf.GradientTape() as tape:
        tape.watch(_THETA)
        with pytest.raises(
            (LookupError, tf.errors.UnimplementedError), match="stop_recording"
        ):
            function(_THETA)
        with tape.stop_recording():
            value = function(_THETA)
        loss = value * _THETA**2
    np.testing.assert_allclose(tape.gradient(loss, _THETA), 2 * value * _THETA)
