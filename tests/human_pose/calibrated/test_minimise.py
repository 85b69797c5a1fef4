"""The minimisers' derivatives equal differences of whole minimisations."""

import dataclasses

import made_up_problem as made
import numpy as np
import pytest
import tensorflow as tf

from human_pose.calibrated import minimise
from human_pose.calibrated.chains import Chain
from human_pose.calibrated.config import SolverConfig

# Differences see what steps leave undone.
EXACT = SolverConfig(frame_iterations=400, sequence_iterations=400, rtol=1e-13)


def minimiser(temporal):
    """A loss of the minimiser of three frames, a function of the weights."""
    x, start, observed, body, _ = made.problem(3)
    rng = np.random.default_rng(5)
    ways = tf.constant(rng.normal(size=x.joints_mm.shape))
    chain = Chain(tf.constant([0.0, 1.0, 0.0], tf.float64), start)

    @tf.function
    def loss(weights):
        rest = observed, body, weights, made.LAYOUT, EXACT
        if temporal:
            found = minimise.of_sequence(x, start, chain, *rest, tf.constant(9))
        else:
            found = minimise.of_frames(x, start, *rest)
        return tf.reduce_sum(ways * found.value.joints_mm)

    @tf.function
    def slope(weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = loss(weights)
        return tape.gradient(value, weights, unconnected_gradients="zero")

    return loss, slope


@pytest.mark.large
@pytest.mark.parametrize("temporal", [False, True], ids=["frames", "sequence"])
def test_gradients_in_each_weight_equal_differences(temporal):
    loss, slope = minimiser(temporal)
    weights = made.weights(prior=0.5, swaps=[0.7, 0.1, 0.1, 0.1])
    found = slope(weights)
    for name in weights._fields:
        value = getattr(weights, name)
        way = tf.constant(np.resize([1.0, -0.5, 0.25], value.shape)) * value
        step = 1e-4
        ends = [
            loss(weights._replace(**{name: value + sign * step * way})).numpy()
            for sign in (2, 1, -1, -2)
        ]
        # Fourth order, so that the step may be large beside the solver's rest.
        difference = (8 * (ends[1] - ends[2]) - (ends[0] - ends[3])) / (12 * step)
        along = np.sum(getattr(found, name) * way)
        assert along == pytest.approx(difference, rel=1e-6, abs=1e-6), name


@pytest.mark.large
def test_only_frames_by_themselves_are_first_smoothed():
    x, start, *problem = made.problem(30, turn=False)
    noise = np.random.default_rng(6).normal(0, 40, x.joints_mm.shape)
    noisy = x._replace(joints_mm=x.joints_mm + noise)
    chain = Chain(tf.constant([0.0] + 28 * [1.0] + [0.0], tf.float64), start)

    def lifted(x, steps, from_frames):
        config = dataclasses.replace(EXACT, sequence_iterations=steps)
        rest = *problem, made.LAYOUT, config, tf.constant(30)
        return minimise.of_sequence(
            x, start, chain, *rest, inference=True, from_frames=from_frames
        )

    smoothed = lifted(noisy, 4, from_frames=True)
    plain = lifted(noisy, 7, from_frames=False)
    assert smoothed.stats.energy < plain.stats.energy
    # A minimiser stays where it is.
    there = lifted(smoothed.value, 400, from_frames=False).value
    again = lifted(there, 1, from_frames=False).value
    np.testing.assert_allclose(again.joints_mm, there.joints_mm, atol=1e-6)
