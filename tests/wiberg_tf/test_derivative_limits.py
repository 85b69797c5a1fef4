"""Forward mode of `Unrolled`, and parameters that an energy does not use."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_PRECISE = wt.Newton(tolerance=1e-12)


def _root_of_exponential(derivative):
    """x*(θ) = log θ, and its loss θ ↦ Σ x."""

    def loss(theta):
        return tf.reduce_sum(
            wt.argmin(
                lambda x, t: tf.reduce_sum(tf.exp(x) - t * x),
                tf.zeros_like(theta),
                (theta,),
                solver=_PRECISE,
                derivative=derivative,
            ).value
        )

    return loss


def test_unrolled_has_forward_mode_eagerly():
    # In graphs TensorFlow lacks it for custom gradients in loops, such as Newton's.
    theta = tf.constant([0.5, 2.0], tf.float64)
    with tf.autodiff.ForwardAccumulator(theta, tf.ones_like(theta)) as accumulator:
        loss = _root_of_exponential(wt.Unrolled())(theta)
    np.testing.assert_allclose(accumulator.jvp(loss), 2.5, rtol=1e-9)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ((tf.constant(1.0), tf.constant(2.0)), r"parameters\[1\]"),
        ({"used": tf.constant(1.0), "idle": tf.constant(2.0)}, r"parameters\['idle'\]"),
    ],
)
def test_an_unused_parameter_is_named(parameters, name):
    def energy(x, used, idle):
        del idle
        return tf.reduce_sum((x - used) ** 2)

    entries = tf.nest.flatten(parameters)
    with tf.GradientTape() as tape:
        tape.watch(entries)
        loss = tf.reduce_sum(wt.argmin(energy, tf.zeros(2), parameters).value)
    with pytest.raises(ValueError, match=f"does not use `{name}`"):
        tape.gradient(loss, entries)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_an_unused_parameter_is_named_when_unrolling(mode):
    def minimise(used, idle):
        return wt.argmin(
            lambda x, used, idle: tf.reduce_sum((x - used) ** 2),
            tf.zeros(2),
            (used, idle),
            derivative=wt.Unrolled(),
        ).value

    run = tf.function(minimise) if mode == "graph" else minimise
    with pytest.raises(ValueError, match=r"does not use `parameters\[1\]`"):
        run(tf.constant(1.0), tf.constant(2.0))


def test_a_parameter_that_only_shifts_the_energy_has_derivative_zero():
    theta, shift = tf.constant(1.0), tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch([theta, shift])
        loss = tf.reduce_sum(
            wt.argmin(
                lambda x, t, s: tf.reduce_sum((x - t) ** 2) + s,
                tf.zeros(2),
                (theta, shift),
            ).value
        )
    np.testing.assert_allclose(tape.gradient(loss, [theta, shift]), [2, 0])


def test_a_gather_in_the_energy_is_differentiated():
    table = tf.constant([1.0, 5.0, 7.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(table)
        x = wt.argmin(
            lambda x, t: tf.reduce_sum(
                (tf.gather(x, [0, 1]) - tf.gather(t, [2, 0])) ** 2
            ),
            tf.zeros(2, tf.float64),
            (table,),
        ).value
        loss = x[0]
    np.testing.assert_allclose(tape.gradient(loss, table), [0, 0, 1])
