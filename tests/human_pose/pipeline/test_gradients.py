"""The 3D loss' gradient through network, readout and minimiser, by differences."""

import numpy as np
import pytest
import tensorflow as tf
from made_up_moments import (
    DEPTH_BINS,
    JOINTS,
    bumps,
    made_up_batch,
    small_pipeline,
)

from human_pose.lifting import PPCALifter, read_cameras, read_mixture
from human_pose.pipeline.averaged_head import AveragedHead
from human_pose.pipeline.config import LEARNED
from human_pose.pipeline.detections import VolumeReadout

WEIGHTS = 20


@pytest.fixture(scope="module")
def made():
    """A pipeline in float64, a batch, and the loss as a compiled function."""
    batch = made_up_batch(moments=2, views=3, input_size=16)
    # Steps to the last digit: what is left would be an error of the differences.
    pipeline = small_pipeline(batch, frame_iterations=200, rtol=1e-11)
    return pipeline, batch


def loss_of(pipeline, batch):
    joints = pipeline(batch)
    return tf.reduce_mean(tf.norm(joints - batch["joints_world_mm"], axis=-1))


def gradients_of(pipeline, batch, variables, derivative):
    pipeline.head.derive(derivative, 0.0)

    @tf.function(autograph=False)
    def found():
        with tf.GradientTape() as tape:
            loss = loss_of(pipeline, batch)
        return tape.gradient(loss, [variable.value for variable in variables])

    return [gradient.numpy() for gradient in found()]


@pytest.fixture(scope="module")
def loss(made):
    pipeline, batch = made
    compiled = tf.function(lambda: loss_of(pipeline, batch), autograph=False)
    return lambda: float(compiled())


@pytest.fixture(scope="module")
def found(made):
    """Gradients by all that is learned."""
    pipeline, batch = made
    variables = variables_of(pipeline)
    return gradients_of(pipeline, batch, variables, "trust_region")


def of_network(pipeline):
    """What the volumes depend on."""
    layers = pipeline.network.first, pipeline.network.last
    return [variable for layer in layers for variable in layer.trainable_variables]


def variables_of(pipeline):
    energy = pipeline.head.learnable(LEARNED)
    return [
        *of_network(pipeline),
        *pipeline.readout.trainable_variables,
        *energy,
    ]


def difference(loss, variable, place, step):
    """(f(w + h) - f(w - h)) / 2h of one entry of a variable."""
    value = np.asarray(variable.numpy())
    ends = []
    for sign in (1, -1):
        moved = np.array(value)
        moved[place] += sign * step
        variable.assign(moved)
        ends.append(loss())
    variable.assign(value)
    return (ends[0] - ends[1]) / (2 * step)


def test_the_networks_weights(made, loss, found):
    pipeline, _ = made
    variables = of_network(pipeline)
    rng = np.random.default_rng(0)
    scale = max(np.abs(g).max() for g in found[: len(variables)])
    for _ in range(WEIGHTS):
        number = rng.integers(len(variables))
        place = tuple(rng.integers(n) for n in variables[number].shape)
        expected = difference(loss, variables[number], place, 1e-5)
        assert found[number][place] == pytest.approx(
            expected, rel=1e-4, abs=1e-7 * scale
        )


def test_the_energys_weights(made, loss, found):
    pipeline, _ = made
    first = len(of_network(pipeline))
    variables = variables_of(pipeline)[first:]
    scale = max(np.abs(g).max() for g in found[first:])
    for variable, gradient in zip(variables, found[first:], strict=True):
        place = (0,) * len(variable.shape)
        expected = difference(loss, variable, place, 1e-4)
        assert gradient[place] == pytest.approx(expected, rel=1e-6, abs=1e-8 * scale), (
            variable.path
        )


@pytest.mark.large
@pytest.mark.parametrize("derivative", ["implicit", "unrolled"])
def test_derivatives_agree(made, found, derivative):
    pipeline, batch = made
    others = gradients_of(pipeline, batch, variables_of(pipeline), derivative)
    scale = max(np.abs(g).max() for g in found)
    for one, other in zip(found, others, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-7 * scale)


def test_the_published_lifters_gradient_has_size_and_place():
    """Both are those of the triangulated joints, which detections move."""
    batch = made_up_batch(moments=2, views=4, input_size=16)
    lifter = PPCALifter(
        read_mixture("data/model_parameters.h5", 3), read_cameras("data/avg_cameras.h5")
    )
    head = AveragedHead(lifter)
    head.derive("trust_region", 0.0)
    readout = VolumeReadout(DEPTH_BINS, JOINTS)
    detections = readout(bumps(batch["joints_2d"]), batch["box"], views=4)
    shape = detections.points_px.shape
    way = tf.constant(np.random.default_rng(0).normal(size=shape))

    def loss(step):
        moved = detections._replace(points_px=detections.points_px + step * way)
        joints = head(moved, batch["projection"])
        return tf.reduce_mean(tf.norm(joints - batch["joints_world_mm"], axis=-1))

    step = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(step)
        found = loss(step)
    difference = (loss(1e-3) - loss(-1e-3)) / 2e-3
    # Three reweightings stop a little short of the minimum.
    assert float(tape.gradient(found, step)) == pytest.approx(
        float(difference), rel=0.02
    )


def test_the_published_lifter_takes_residuals_in_units_of_their_deviations():
    """Its energy has squares of weighted residuals: (v r)² is to be (r / σ)²."""
    batch = made_up_batch(moments=2, views=4, input_size=16)
    taken = {}

    def lifter(inputs):
        taken.update(inputs)
        return {"pose": tf.zeros([2, 17, 3], tf.float64)}

    head = AveragedHead(lifter)
    readout = VolumeReadout(DEPTH_BINS, JOINTS)
    detections = readout(bumps(batch["joints_2d"]), batch["box"], views=4)
    sigma_px = np.random.default_rng(0).uniform(2, 20, (2, 4, JOINTS))
    head(detections._replace(sigma_px=tf.constant(sigma_px)), batch["projection"])
    there = head.places >= 0
    units = taken["visibility"].numpy() * sigma_px[:, :, np.maximum(head.places, 0)]
    assert not units[..., ~there].any()
    # The same for all detections of a moment: that of their mean precision.
    expected = np.mean(1 / sigma_px**2, (1, 2)) ** -0.5
    np.testing.assert_allclose(
        units[..., there], np.broadcast_to(expected[:, None, None], (2, 4, 15))
    )
