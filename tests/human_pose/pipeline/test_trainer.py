"""What reaches which weights in a step of training."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from made_up_moments import CELLS, SmallNetwork, bumps, made_up_batch, small_pipeline

from human_pose.i1.curriculum import BALANCED
from human_pose.i1.objective.terms import Objective
from human_pose.lifting import PPCALifter, read_cameras, read_mixture
from human_pose.pipeline import Pipeline
from human_pose.pipeline.averaged_head import AveragedHead
from human_pose.pipeline.config import LossWeights, PipelineTrainingConfig
from human_pose.pipeline.training.trainer import PipelineTrainer

NEVER = 1 << 30
LOSS = LossWeights(joints_3d=0.1, network=0.5)


@pytest.fixture(scope="module")
def batch():
    return made_up_batch(moments=2, views=2, input_size=16)


class Normalised(SmallNetwork):
    """With batch statistics."""

    def build(self, shape):
        self.normal = keras.layers.BatchNormalization(dtype="float64")
        self.normal.build([None, CELLS, CELLS, 4])
        super().build(shape)

    def call(self, image, training=False):
        x = self.normal(self.first(image), training=training)
        return {"heatmap": self.early(x), "heatmap2": self.template + self.last(x)}


def trainer_of(batch, **options):
    config = PipelineTrainingConfig(Path(), loss=LOSS, iterations=4, **options)
    trainer = PipelineTrainer(small_pipeline(batch), config)
    trainer.compile_as_configured()
    return trainer


def slots(optimizer, count):
    """First moments after one step: a tenth of its gradients."""
    return [10 * np.asarray(slot) for slot in optimizer._momentums[:count]]


@pytest.fixture(scope="module")
def apart(batch):
    """A trainer after one step apart, and what it has measured."""
    trainer = trainer_of(batch, gradients="apart", network_from=NEVER)
    before = [np.asarray(v) for v in trainer.pipeline.variables]
    logs = tf.function(trainer.train_step, autograph=False)(batch)
    return trainer, before, {name: float(value) for name, value in logs.items()}


def test_apart_the_network_learns_by_its_own_loss_alone(batch, apart):
    trainer, _, _ = apart
    network = trainer.pipeline.network
    with tf.GradientTape() as tape:
        terms = Objective(BALANCED, network.depth_bins)(network(batch["image"]), batch)
        own = LOSS.network * tf.add_n([*terms.values()])
    variables = [v.value for v in trainer.network_variables]
    expected = tape.gradient(own, variables, unconnected_gradients="zero")
    found = slots(trainer.optimizer, len(variables))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9)


def test_a_part_stays_as_it_is_until_its_start(apart):
    trainer, before, _ = apart
    after = [np.asarray(v) for v in trainer.pipeline.variables]
    changed = {
        variable.path
        for variable, old, new in zip(
            trainer.pipeline.variables, before, after, strict=True
        )
        if not np.array_equal(old, new)
    }
    learned = {variable.path for variable in trainer.energy_variables}
    assert changed == learned


def test_weights_are_not_clipped_before_their_start():
    """The published lifter's start has entries that its constraints would clip."""
    batch = made_up_batch(moments=2, views=4, input_size=16)
    whole = small_pipeline(batch)
    lifter = PPCALifter(
        read_mixture("data/model_parameters.h5", 3), read_cameras("data/avg_cameras.h5")
    )
    pipeline = Pipeline(whole.network, whole.readout, AveragedHead(lifter))
    config = PipelineTrainingConfig(Path(), loss=LOSS, iterations=4, energy_from=1)
    trainer = PipelineTrainer(pipeline, config)
    trainer.compile_as_configured()
    step = tf.function(trainer.train_step, autograph=False)
    before = [np.asarray(v) for v in trainer.energy_variables]
    step(batch)
    for old, variable in zip(before, trainer.energy_variables, strict=True):
        np.testing.assert_array_equal(variable, old)
    deviations = lifter.parameters["sigma_variance"]
    assert np.max(deviations) > 5
    step(batch)
    assert np.max(deviations) == 5


def test_batch_statistics_stay_until_the_network_learns(batch):
    network = Normalised(3)
    network.template = bumps(batch["joints_2d"])
    whole = small_pipeline(batch)
    config = PipelineTrainingConfig(Path(), loss=LOSS, iterations=4, network_from=2)
    pipeline = Pipeline(network, whole.readout, whole.head)
    trainer = PipelineTrainer(pipeline, config)
    trainer.compile_as_configured()
    step = tf.function(trainer.train_step, autograph=False)
    trainer.test_step(batch)
    tested = float(trainer.get_metrics_result()["network_loss"])
    held = [np.asarray(v) for v in network.variables]
    for metric in trainer.metrics:
        metric.reset_state()
    # By the statistics that it has, not by those of the batch.
    assert float(step(batch)["network_loss"]) == pytest.approx(tested, rel=1e-9)
    step(batch)
    for before, variable in zip(held, network.variables, strict=True):
        np.testing.assert_array_equal(variable, before)
    step(batch)
    mean = network.normal.moving_mean
    assert np.abs(np.asarray(mean)).max() > 0
    assert not np.array_equal(network.first.kernel, held[0])


def test_what_is_logged(batch, apart):
    trainer, before, logs = apart
    for variable, value in zip(trainer.pipeline.variables, before, strict=True):
        variable.assign(value)
    joints = trainer.pipeline(batch)
    off = joints - batch["joints_world_mm"]
    assert logs["joints_3d_mm"] == pytest.approx(
        float(tf.reduce_mean(tf.norm(off, axis=-1))), rel=1e-6
    )
    centred = off - off[:, :1]
    assert logs["mpjpe_mm"] == pytest.approx(
        float(tf.reduce_mean(tf.norm(centred, axis=-1))), rel=1e-6
    )
    expected = LOSS.joints_3d * logs["joints_3d_mm"] + logs["network_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-6)
    # Of a mean of 16 distances: each joint pulls by 1 / 16, in a direction of its own.
    assert logs["gradient_joints"] == pytest.approx(LOSS.joints_3d / 4, rel=1e-5)
    assert logs["gradient_detections"] > 0
    assert logs["clipped"] == 0
    assert trainer.take_worst_loss() == pytest.approx(logs["loss"], rel=1e-5)
    assert trainer.take_worst_loss() == 0


@pytest.mark.large
def test_joint_training_adds_what_comes_through_the_minimiser(batch, apart):
    joint = trainer_of(batch, gradients="joint")
    tf.function(joint.train_step, autograph=False)(batch)
    count = len(joint.energy_variables)
    pairs = zip(
        slots(joint.energy_optimizer, count),
        slots(apart[0].energy_optimizer, count),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-12)
    variables = joint.network_variables
    own = slots(apart[0].optimizer, len(variables))
    found = slots(joint.optimizer, len(variables))
    kernel = [v.path for v in variables].index(joint.pipeline.network.last.kernel.path)
    assert np.abs(found[kernel] - own[kernel]).max() > 1e-3 * np.abs(own[kernel]).max()
