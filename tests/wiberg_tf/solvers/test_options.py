"""Numbers that are no options are refused where they are given."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        # A step of size 0 goes nowhere, and promises nothing: it was CONVERGED.
        (wt.GradientDescent, {"rate": 0.0}, "`rate` must be finite and above 0"),
        (wt.GradientDescent, {"rate": np.float32(-1)}, "`rate` must be finite"),
        (wt.Newton, {"tolerance": float("inf")}, "`tolerance` must be finite and >= 0"),
        (wt.Newton, {"tolerance": float("nan")}, "`tolerance` must be finite"),
        (wt.Newton, {"damping": -1.0}, "`damping` must be finite and >= 0"),
        (wt.GaussNewton, {"max_iterations": -1}, "`max_iterations` must be an integer"),
        (wt.LBFGS, {"max_iterations": 2.5}, "`max_iterations` must be an integer >= 0"),
        (wt.LevenbergMarquardt, {"initial_damping": 0}, "`initial_damping` must be"),
        (wt.NewtonKrylov, {"max_iterations": -1}, "`max_iterations` must be"),
        (wt.Anderson, {"max_iterations": 0.5}, "received 0.5"),
        # λ was 1, in no units: 0.01 of the derivative where H is 0.01.
        (wt.Adaptive, {"condition": float("inf")}, "`condition` must be finite"),
        (wt.Adaptive, {"floor": float("nan")}, "`floor` must be finite"),
        # The energy would be 0 everywhere, and any x a minimiser.
        (wt.losses.Huber, {"width": 0.0}, "`width` must be finite and above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_tensors_are_options():
    rate = tf.constant(0.25, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(rate)
        value = wt.argmin(
            lambda x: tf.square(x - 1),
            tf.constant(0.0, tf.float64),
            solver=wt.GradientDescent(rate=rate, tolerance=0.0, max_iterations=1),
            derivative=wt.Unrolled(),
        ).value
    np.testing.assert_allclose(tape.gradient(value, rate), 2)


def test_an_energy_of_another_dtype_is_named():
    with pytest.raises(ValueError, match="`energy` must return float64, as `initial`"):
        wt.argmin(lambda x: tf.cast(x, tf.float32) ** 2, tf.constant(1.0, tf.float64))
