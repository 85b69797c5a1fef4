"""Trains a lifter on pose files: what `main.py --train=1` does.

As in the original: Adam with its step size and ε = 0.1, clips after each step (the
lifter's constraints), a report, a summary and a checkpoint every so many batches and a
checkpoint after each epoch. Beyond it: short last batches, seeded order, and a state
from which a run that was stopped at any moment is continued exactly.
"""

import dataclasses
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import keras
from absl import logging

from human_pose.datasets.pose_files import read_pose_file
from human_pose.files.paths import atomic
from human_pose.lifting.build import build_lifter
from human_pose.lifting.config import LifterConfig, TrainingConfig
from human_pose.lifting.training.batches import FrameBatches
from human_pose.lifting.training.callbacks import (
    ErrorMeter,
    Illustrator,
    Reporter,
    Saver,
)
from human_pose.lifting.training.curves import Summaries
from human_pose.lifting.training.progress import Progress, TrainingState
from human_pose.lifting.training.trainer import LiftingTrainer
from human_pose.runs.folder import RunFolder


def train(
    lifter_config: LifterConfig, config: TrainingConfig, folder: RunFolder
) -> None:
    """Trains, or goes on training, and leaves everything in the run's folder.

    Nothing is written before all input has been read and found good.

    Raises:
      InputError: if a file is not what it should be, the folder holds a training run
        that is neither to be resumed nor overwritten, or the run to resume has other
        conditions.
      FloatingPointError: if the training diverges.
    """
    folder.check_training(resume=config.resume, overwrite=config.overwrite)
    batches = _read_batches(config)
    model = LiftingTrainer(build_lifter(lifter_config), config.metric)
    model.compile_as_published(config.learning_rate)
    progress = Progress()
    state = TrainingState(
        folder.training_state,
        model,
        _conditions(lifter_config, config, batches),
        progress,
    )
    if config.resume:
        state.restore()
    _prepare(folder, lifter_config, config)
    if not config.resume:
        state.save()
    _fit(model, batches, state, progress, config, folder)


def _read_batches(config: TrainingConfig) -> FrameBatches:
    poses = read_pose_file(config.input_path)[:: config.subsample]
    return FrameBatches(
        poses,
        batch_size=config.batch_size,
        shuffle=config.shuffle,
        seed=config.seed,
    )


def _conditions(
    lifter_config: LifterConfig, config: TrainingConfig, batches: FrameBatches
) -> dict[str, Any]:
    """What must be equal for a run to be continued."""
    return {
        "models": lifter_config.models,
        "solver": lifter_config.solver,
        "derivative": lifter_config.derivative,
        "damping": lifter_config.damping,
        "dtype": lifter_config.dtype,
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


def _prepare(
    folder: RunFolder, lifter_config: LifterConfig, config: TrainingConfig
) -> None:
    folder.make()
    if config.overwrite:
        folder.remove_training()
    folder.remove_leftovers()
    settings = {
        "lifter": dataclasses.asdict(lifter_config),
        "training": dataclasses.asdict(config),
    }
    text = json.dumps(settings, indent=2, default=str)
    with atomic(folder.settings) as temporary:
        temporary.write_text(text + "\n")
    logging.info("settings: %s", json.dumps(settings, default=str))


def _fit(
    model: LiftingTrainer,
    batches: FrameBatches,
    state: TrainingState,
    progress: Progress,
    config: TrainingConfig,
    folder: RunFolder,
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
        Summaries(folder.logger) as summaries,
        # A run of its own, so that the other has the original's tags and no more.
        Summaries(folder.logger / "pictures") as pictures,
    ):
        callbacks = keras.callbacks.CallbackList(
            [
                ErrorMeter(progress),
                Reporter(progress, batches, summaries, config.save_every),
                Illustrator(batches.frame(0), pictures),
                Saver(progress, batches, state, folder, config.save_every),
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
                batches.epoch(epoch, first=progress.batch),
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=callbacks,
                shuffle=False,  # done already
            )
