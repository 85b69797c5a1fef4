"""Trains the image network by a curriculum: what `main.py` does with `model` "i1".

Each stage starts from the weights of the one before; a network of another depth gets a
new last layer. The original's optimiser keeps its history from stage to stage, the
modern one starts anew with its schedule. A run that was stopped is continued exactly.
"""

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Final

import tensorflow as tf

from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.input.loader import naming_damage
from human_pose.i1.input.service import watched
from human_pose.i1.training.batches import list_skipped, open_samples, open_validation
from human_pose.i1.training.build import read_start
from human_pose.i1.training.conditions import conditions, continued
from human_pose.i1.training.plan import plan
from human_pose.i1.training.progress import Progress
from human_pose.i1.training.stages import Stages
from human_pose.runs import cluster, distribution
from human_pose.runs.folder import RunFolder
from human_pose.runs.interruption import noticed

# Large networks' states are quick to write and to read as `.npz`.
_STATE_NAME: Final = "training_state.npz"


def run_folder(path: str | os.PathLike[str]) -> RunFolder:
    """The folder of a training of the image network, with its state's own name."""
    return RunFolder(Path(path), state_name=_STATE_NAME)


def train(
    config: ImageTrainingConfig,
    folder: RunFolder,
    *,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Trains, or goes on training, and leaves everything in the run's folder.

    Nothing is written or removed before all input has been read and found good. Beside
    the last network of each stage, the best of its validations is kept. SIGTERM saves
    the state after the running step and ends the process with exit code 143, each one
    of those that train together.

    Args:
      config: what to train, on what.
      folder: of the run; its state has the name that `run_folder` gives it.
      strategy: by which replicas share each batch; None for that of the
        configuration. One process of those that train together writes files.

    Raises:
      InputError: if a file is not what it should be, the folder holds a training run
        that is neither to be resumed nor overwritten or that is at work, or the run to
        resume has other conditions.
      FloatingPointError: if the training diverges; what was saved before stays.
      LostWorker: if another process of those that train together is gone, or a
        service that makes batches.
    """
    folder = run_folder(folder.path)
    strategy = strategy or cluster.make_strategy(config.distribute)
    resume = folder.goes_on(
        resume=config.resume, resume_or_start=config.resume_or_start
    )
    config = dataclasses.replace(config, resume=resume)
    writes = distribution.is_chief(strategy)
    with contextlib.ExitStack() as stack:
        stack.enter_context(cluster.together(strategy))
        if writes:
            stack.enter_context(
                folder.training(
                    resume=config.resume,
                    overwrite=config.overwrite,
                    retried=config.resume_or_start,
                    starts=(config.check_path,),
                )
            )
        stack.enter_context(strategy.scope())
        chosen = plan(config)
        for stage in chosen.recipe.stages:
            distribution.check_shares(strategy, stage.batch_size)
        data = open_samples(config, "train", every=config.every)
        progress = Progress()
        if config.resume:
            chosen, progress = continued(config, chosen, data, folder.training_state)
        start = read_start(config)
        validation = open_validation(config)
        agreed = conditions(config, chosen, data)
        cluster.check_alike(strategy, agreed | vars(progress))
        stages = Stages(
            config,
            chosen,
            folder,
            agreed,
            progress,
            data,
            validation,
            strategy,
        )
        trainer = stages.first_trainer(start)
        stages.check_services()
        if writes:
            folder.prepare(dataclasses.asdict(config), overwrite=config.overwrite)
            list_skipped([data, validation], folder.skipped)
        stack.enter_context(naming_damage(data, validation))
        stack.enter_context(watched(config.data_service))
        # Also where another process writes, which cannot end its step alone.
        shared = distribution.place_of(strategy).processes > 1
        stages.go(trainer, stack.enter_context(noticed(shared=shared)))
