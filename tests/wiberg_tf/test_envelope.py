"""The gradient of the minimum's value: ∂E/∂θ at the minimiser (envelope theorem)."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

_PRECISE = wt.Newton(tolerance=1e-13)


def _minimum(theta, derivative, scale=1.0, bounds=None):
    """min Σ eˣ − θx = θ − θ log θ."""
    return wt.argmin(
        lambda x, t: scale * (tf.exp(x) - t * x),
        tf.zeros_like(theta),
        (theta,),
        batch_dims=1,
        solver=_PRECISE,
        derivative=derivative,
        bounds=bounds,
    ).stats.energy


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    "derivative", [wt.Implicit(), wt.TrustRegion(0.5), wt.Unrolled()], ids=str
)
def test_the_minimum_moves_as_the_energy_does(derivative, mode):
    def gradients(theta, scale):
        with tf.GradientTape() as tape:
            tape.watch([theta, scale])
            energy = _minimum(theta, derivative, scale)
        return energy, *tape.gradient(energy, [theta, scale])

    run = tf.function(gradients) if mode == "graph" else gradients
    theta = np.array([0.5, 2.0])
    energy, by_theta, by_scale = run(tf.constant(theta), tf.constant(3.0, tf.float64))
    level = theta - theta * np.log(theta)
    np.testing.assert_allclose(energy, 3 * level, rtol=1e-12)
    np.testing.assert_allclose(by_theta, -3 * np.log(theta), rtol=1e-9)
    # A capture has its gradient too.
    np.testing.assert_allclose(by_scale, level.sum(), rtol=1e-9)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_the_second_derivative_follows_the_minimiser(mode):
    def second(theta):
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                energy = _minimum(theta, wt.Implicit())
            slope = inner.gradient(energy, theta)
        return outer.gradient(slope, theta)

    theta = np.array([0.5, 2.0])
    run = tf.function(second) if mode == "graph" else second
    np.testing.assert_allclose(run(tf.constant(theta)), -1 / theta, rtol=1e-9)


def test_the_minimum_within_bounds_rises_by_its_multiplier():
    theta = tf.constant([2.0], tf.float64)
    upper = tf.constant(0.3, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([theta, upper])
        energy = _minimum(theta, wt.Implicit(), bounds=(-1.0, upper))
    by_theta, by_upper = tape.gradient(energy, [theta, upper])
    np.testing.assert_allclose(by_theta, [-0.3])
    np.testing.assert_allclose(by_upper, np.exp(0.3) - 2)


@pytest.mark.parametrize(
    "mode", [pytest.param("eager", marks=pytest.mark.large), "graph"]
)
@pytest.mark.parametrize("derivative", [wt.Implicit(), wt.TrustRegion(0.5)], ids=str)
def test_the_minimum_moves_in_forward_mode(derivative, mode):
    def pushed(theta, scale, by_theta, by_scale):
        with tf.autodiff.ForwardAccumulator(
            [theta, scale], [by_theta, by_scale]
        ) as accumulator:
            energy = _minimum(theta, derivative, scale)
        return accumulator.jvp(energy)

    run = tf.function(pushed) if mode == "graph" else pushed
    theta = np.array([0.5, 2.0])
    inputs = theta, 3.0, np.array([1.0, -2.0]), 0.7
    found = run(*(tf.constant(entry, tf.float64) for entry in inputs))
    level = theta - theta * np.log(theta)
    expected = -3 * np.log(theta) * inputs[2] + level * inputs[3]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_minimum_in_both_modes_at_once():
    theta = tf.constant([0.5, 2.0], tf.float64)
    along = tf.constant([1.0, -2.0], tf.float64)
    with (
        tf.autodiff.ForwardAccumulator(theta, along) as accumulator,
        tf.GradientTape() as tape,
    ):
        tape.watch(theta)
        energy = _minimum(theta, wt.Implicit())
    np.testing.assert_allclose(accumulator.jvp(energy), -np.log(theta) * along)
    np.testing.assert_allclose(tape.gradient(energy, theta), -np.log(theta))
