"""Trains a lifter on frames: what `main.py` does with `train`.

As in the original: Adam with its step size and ε = 0.1, clips after each step (the
lifter's constraints), a report, a summary and a checkpoint every so many batches and a
checkpoint after each epoch. Beyond it: short last batches, seeded order, and a state
from which a run that was stopped at any moment is continued exactly.
"""

import contextlib
import dataclasses
import json
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from human_pose.datasets.pose_files import PoseSet, read_people
from human_pose.datasets.pose_shards import read_prepared
from human_pose.datasets.shards.folders import is_prepared
from human_pose.files.errors import InputError
from human_pose.lifting.build import build_lifter
from human_pose.lifting.config import LifterConfig, TrainingConfig
from human_pose.lifting.training.batches import FrameBatches
from human_pose.lifting.training.callbacks import (
    Checker,
    ErrorMeter,
    Illustrator,
    Reporter,
    Saver,
    place,
)
from human_pose.lifting.training.progress import Progress
from human_pose.lifting.training.trainer import LiftingTrainer
from human_pose.runs import cluster, distribution
from human_pose.runs.divergence import told_in_one_line
from human_pose.runs.folder import RunFolder
from human_pose.runs.interruption import Leaver, Notice, noticed
from human_pose.runs.state import read_progress, restore_variables, write_state
from human_pose.runs.tensorboard import Events


def train(
    lifter_config: LifterConfig,
    config: TrainingConfig,
    folder: RunFolder,
    *,
    strategy: tf.distribute.Strategy | None = None,
) -> None:
    """Trains, or goes on training, and leaves everything in the run's folder.

    Nothing is written before all input has been read and found good. SIGTERM saves the
    state after the running batch and ends the process with exit code 143, each one of
    those that train together.

    Args:
      lifter_config: of the lifter.
      config: of its training.
      folder: of the run.
      strategy: by which replicas share each batch; None for that of the
        configuration. One process of those that train together writes files.

    Raises:
      InputError: if a file is not what it should be, the folder holds a training run
        that is neither to be resumed nor overwritten or that is at work, or the run to
        resume has other conditions.
      FloatingPointError: if the training diverges; what was saved before stays.
      LostWorker: if another process of those that train together is gone.
    """
    strategy = strategy or cluster.make_strategy(config.distribute)
    distribution.check_shares(strategy, config.batch_size)
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
                    starts=(lifter_config.check_path,),
                )
            )
        stack.enter_context(strategy.scope())
        batches = _read_batches(config)
        model = LiftingTrainer(build_lifter(lifter_config), config.metric)
        model.compile_as_published(config.learning_rate)
        conditions = _conditions(lifter_config, config, batches)
        progress = Progress()
        if config.resume:
            progress = read_progress(folder.training_state, conditions, Progress)
            if progress.batch >= len(batches):
                raise InputError(
                    f"{folder.training_state}: is no training state of this kind"
                )
            restore_variables(folder.training_state, _variables(model))
        cluster.check_alike(strategy, conditions | vars(progress))

        def save() -> None:
            write_state(folder.training_state, progress, conditions, _variables(model))

        # Also where another process writes, which cannot end its step alone.
        shared = distribution.place_of(strategy).processes > 1
        notice = model.notice = stack.enter_context(noticed(shared=shared))
        if not writes:
            _follow(model, batches, progress, config, notice)
            return
        settings = {
            "lifter": dataclasses.asdict(lifter_config),
            "training": dataclasses.asdict(config),
        }
        folder.prepare(settings, overwrite=config.overwrite)
        logging.info("settings: %s", json.dumps(settings, default=str))
        if not config.resume:
            save()
        _fit(model, batches, progress, save, config, folder, notice)


def _read_batches(config: TrainingConfig) -> FrameBatches:
    return FrameBatches(
        _read_frames(config.input_path)[:: config.subsample],
        batch_size=config.batch_size,
        shuffle=config.shuffle,
        seed=config.seed,
    )


def _read_frames(path: Path) -> PoseSet:
    """All training frames, of a pose file or a prepared set."""
    if is_prepared(path):
        return read_prepared(path, "train").poses
    return read_people(path)


def _conditions(
    lifter_config: LifterConfig, config: TrainingConfig, batches: FrameBatches
) -> dict[str, Any]:
    """What must be equal for a run to be continued."""
    # States older than this choice are of published evidence, and do not name it.
    chosen = lifter_config.evidence
    evidence = {} if chosen == "published" else {"evidence": chosen}
    return {
        "models": lifter_config.models,
        "solver": lifter_config.solver,
        "derivative": lifter_config.derivative,
        "damping": lifter_config.damping,
        "dtype": lifter_config.dtype,
        **evidence,
        "metric": config.metric,
        "wlr": config.learning_rate,
        "batch_size": config.batch_size,
        "shuffle": config.shuffle,
        "seed": config.seed,
        "number of frames": batches.frames,
        "checksum of the frames": batches.checksum,
        "checksum of model_parameters.h5": _checksum(lifter_config.mixture_path),
        "checksum of avg_cameras.h5": _checksum(lifter_config.cameras_path),
    }


def _checksum(path: Path) -> int:
    return zlib.crc32(path.read_bytes())


def _variables(model: LiftingTrainer) -> dict[str, Any]:
    """Everything that training changes, by the names in a state file."""
    parameters = model.lifter.parameters.items()
    slots = enumerate(model.optimizer.variables)
    return {
        **{f"parameters/{name}": variable for name, variable in parameters},
        **{f"optimizer/{index}": variable for index, variable in slots},
    }


def _part(
    batches: FrameBatches, epoch: int, progress: Progress, model: LiftingTrainer
) -> Any:
    """This process's part of the batches of an epoch that are left."""
    return distribution.batches_for(
        model.distribute_strategy,
        batches.batch_size,
        lambda workers, worker: batches.epoch(
            epoch, progress.batch, workers=workers, worker=worker
        ),
    )


def _follow(
    model: LiftingTrainer,
    batches: FrameBatches,
    progress: Progress,
    config: TrainingConfig,
    notice: Notice,
) -> None:
    """Takes the part in a training of a process that writes nothing."""
    for epoch in range(progress.epoch, config.epochs):
        model.fit(
            _part(batches, epoch, progress, model),
            callbacks=[ErrorMeter(progress), Leaver(notice)],
            shuffle=False,  # done already
            verbose=0,
        )
        progress.end_epoch()


def _fit(
    model: LiftingTrainer,
    batches: FrameBatches,
    progress: Progress,
    save: Callable[[], None],
    config: TrainingConfig,
    folder: RunFolder,
    notice: Notice,
) -> None:
    if progress.epoch >= config.epochs:
        logging.info("all %d epochs are trained already", config.epochs)
        return
    logging.info(
        "%d frames, %d batches an epoch; results go to %s",
        batches.frames,
        len(batches),
        folder.path,
    )
    with (
        told_in_one_line(lambda: f"in {place(progress)},"),
        Events(folder.logger) as events,
        # A run of its own, so that the other has the original's tags and no more.
        Events(folder.logger / "pictures") as pictures,
    ):
        checker = Checker(progress, batches, config.save_every, notice)
        callbacks = keras.callbacks.CallbackList(
            [
                ErrorMeter(progress),
                checker,
                Reporter(progress, checker, events, config.save_every),
                Illustrator(batches.frame(0), pictures),
                Saver(
                    progress, batches, checker, save, folder, config.save_every, notice
                ),
            ],
            add_history=True,
            add_progbar=True,
            model=model,
            # A bar that redraws itself makes no sense in a log file.
            verbose=1 if sys.stdout.isatty() else 2,
            epochs=config.epochs,
            steps=len(batches),
        )
        # One call per epoch: the first may begin in the middle of one.
        for epoch in range(progress.epoch, config.epochs):
            model.fit(
                _part(batches, epoch, progress, model),
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=callbacks,
                shuffle=False,  # done already
            )
