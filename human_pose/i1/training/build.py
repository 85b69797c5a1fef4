"""What trains a stage: the network, its objective and its optimiser."""

from pathlib import Path
from typing import TypeAlias

import keras
from absl import logging

from human_pose.files.errors import InputError
from human_pose.i1.caffe import caffemodel
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.network.checkpoint import load_network
from human_pose.i1.network.hourglass import PoseNetwork, build_network
from human_pose.i1.network.normalization import ScaledBatchNormalization
from human_pose.i1.network.remat import rematerialized
from human_pose.i1.network.transfer import transfer
from human_pose.i1.objective.terms import Objective
from human_pose.i1.optimizers.rmsprop import CaffeRMSProp
from human_pose.i1.training.optimizer import hand_over, make_optimizer
from human_pose.i1.training.plan import Plan
from human_pose.i1.training.trainer import PoseTrainer
from human_pose.runs import divergence

# A network, or Caffe's blobs by layer.
Start: TypeAlias = keras.Model | caffemodel.Blobs


def make_trainer(
    config: ImageTrainingConfig, chosen: Plan, number: int, at_once: int
) -> PoseTrainer:
    """A stage's trainer, with fresh weights and an optimiser whose slots are made.

    Args:
      config: of the training.
      chosen: what it asks for.
      number: of the stage, from 0; each has another seed.
      at_once: steps that Keras runs in one call.
    """
    recipe = chosen.recipe
    stage = recipe.stages[number]
    network = build_network(
        stage.depth_bins,
        input_size=chosen.input_size,
        preset=config.preset,
        batch_norm=recipe.batch_norm,
        initializer=recipe.initializer,
        last_layer_std=stage.last_layer_std,
        dtype="mixed_bfloat16" if config.mixed_precision else "float32",
        seed=config.seed + number,
    )
    for layer in network.layers:
        if isinstance(layer, ScaledBatchNormalization):
            layer.synchronized = config.sync_bn
    objective = Objective(stage.loss, stage.depth_bins, recipe.gradient, recipe.peak)
    trainer = PoseTrainer(network, objective, _lean(network, config))
    optimizer = make_optimizer(recipe, stage, config.accumulate)
    trainer.compile(optimizer, jit_compile=config.jit, steps_per_execution=at_once)
    optimizer.build(trainer.trainable_variables)
    return trainer


def _lean(network: PoseNetwork, config: ImageTrainingConfig) -> keras.Model | None:
    """What runs in training in the network's place, if memory counts."""
    if config.remat:
        return rematerialized(network)
    # The tiny network has little to keep, and would start half as fast.
    return rematerialized(network, "unit") if config.preset == "published" else None


def read_start(config: ImageTrainingConfig) -> Start | None:
    """The weights that the first stage starts from, if it does not start anew.

    Raises:
      InputError: naming the file, if it is not what it should be.
    """
    # A resumed run has its own weights.
    if config.check_path is None or config.resume:
        return None
    path = Path(config.check_path)
    is_caffes = path.suffix in (".caffemodel", ".solverstate")
    return caffemodel.read(path) if is_caffes else load_network(path)


def start_from(start: Start, trainer: PoseTrainer, config: ImageTrainingConfig) -> None:
    """Gives the first stage the weights of a file, of the layers that it has.

    Raises:
      InputError: naming the file, if these are for another network or not finite.
    """
    try:
        _take_over(start, trainer)
        if not divergence.are_finite(trainer.network.variables):
            raise InputError("has weights that are not finite")
    except InputError as error:
        raise InputError(f"{config.check_path}: {error}") from None


def go_on_from(before: PoseTrainer, trainer: PoseTrainer) -> None:
    """Gives a stage the weights of the one before, and the optimiser its history."""
    if isinstance(trainer.optimizer, CaffeRMSProp):
        hand_over(before.optimizer, trainer.optimizer)
    _take_over(before.network, trainer)


def _take_over(start: Start, trainer: PoseTrainer) -> None:
    """Gives a network the weights of the layers that `start` has, too."""
    new = (
        transfer(start, trainer.network)
        if isinstance(start, keras.Model)
        else caffemodel.assign(trainer.network, start, partial=True)
    )
    logging.info("new layers: %s", ", ".join(new) or "none")
