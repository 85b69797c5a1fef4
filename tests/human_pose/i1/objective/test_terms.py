import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1 import curriculum
from human_pose.i1.objective import losses, targets
from human_pose.i1.objective.terms import Objective
from human_pose.i1.readout import volume

SIZE, DEPTH_BINS = 16, 4


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    return {
        "joints_2d": tf.constant(random.uniform(0.2, 0.8, (2, 16, 2)), tf.float32),
        "depth": tf.constant(random.uniform(0.2, 0.8, (2, 16)), tf.float32),
    }


@pytest.fixture
def outputs():
    random = np.random.default_rng(1)
    shapes = {"heatmap": 16, "heatmap2": 16 * DEPTH_BINS}
    return {
        name: tf.constant(random.normal(0.1, 0.1, (2, SIZE, SIZE, c)), tf.float32)
        for name, c in shapes.items()
    }


def test_adds_the_terms_of_its_losses(batch, outputs):
    terms = curriculum.PUBLISHED.stage("d8_ada").loss
    values = Objective(terms, DEPTH_BINS, "published", "published")(outputs, batch)
    label_2d = targets.heatmaps_2d(batch["joints_2d"], SIZE)
    label_3d = targets.heatmaps_3d(batch["joints_2d"], batch["depth"], DEPTH_BINS, SIZE)
    position = volume.integral(outputs["heatmap2"], DEPTH_BINS)
    adaptive = losses.AdaptiveWeightEuclidean()
    expected = {
        "adaptive_heatmap_2d": adaptive([(outputs["heatmap"], label_2d)]),
        "adaptive_heatmap_3d": adaptive([(outputs["heatmap2"], label_3d)]),
        "adaptive_joints_2d": adaptive([(position[..., :2], batch["joints_2d"])]),
        "adaptive_depth": adaptive([(position[..., 2], batch["depth"])]),
        "euclidean_heatmap_3d": 0.1
        * tf.reduce_sum((outputs["heatmap2"] - label_3d) ** 2)
        / 4,
    }
    assert set(values) == {*expected, "adaptive_stage_1_joints_2d"}
    for name, value in expected.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-5)


@pytest.mark.parametrize("name", curriculum.LOSSES)
def test_names_its_terms_in_order(name, batch, outputs):
    objective = Objective(curriculum.LOSSES[name], DEPTH_BINS)
    assert tuple(objective(outputs, batch)) == objective.names


def test_is_nothing_at_perfect_heatmaps(batch):
    joints_2d, depth = batch["joints_2d"], batch["depth"]
    perfect = {
        "heatmap": targets.heatmaps_2d(joints_2d, SIZE, "unbiased"),
        "heatmap2": targets.heatmaps_3d(joints_2d, depth, DEPTH_BINS, SIZE, "unbiased"),
    }
    values = Objective(curriculum.ADAPTIVE_H1, DEPTH_BINS)(perfect, batch)
    assert [float(value) for value in values.values()] == [0.0, 0.0]


def test_only_the_gradient_of_the_readout_differs_by_mode(batch, outputs):
    """Forward the modes agree; backward the published one has the diagonal only."""
    heatmap2 = outputs["heatmap2"]
    losses_, gradients = [], []
    for mode in ("true", "published"):
        objective = Objective(curriculum.LOSSES["integral"], DEPTH_BINS, mode)
        with tf.GradientTape() as tape:
            tape.watch(heatmap2)
            loss = tf.add_n(list(objective(outputs, batch).values()))
        losses_.append(loss)
        gradients.append(tape.gradient(loss, heatmap2))
    np.testing.assert_allclose(*losses_, rtol=1e-6)
    # A constant added to all voxels changes nothing: the true gradient sums to 0.
    sums = [float(tf.reduce_sum(gradient)) for gradient in gradients]
    assert abs(sums[0]) < 1e-3 * float(tf.reduce_sum(tf.abs(gradients[0])))
    assert abs(sums[1]) > 1e-2 * float(tf.reduce_sum(tf.abs(gradients[1])))
