"""Trains a pipeline: what `main.py` does with `model` "pipeline" and `train`.

The network and the lifter start from what was trained by itself before, and learn from
the 3D joints of moments: together through the minimiser, or, to compare, apart. A run
that was stopped is continued exactly.
"""

import contextlib
import dataclasses
import functools
import json
import sys
import zlib
from typing import Any, Final

import keras
import tensorflow as tf
from absl import logging

from human_pose.files.errors import InputError
from human_pose.i1.input import Stream
from human_pose.i1.input.loader import naming_damage
from human_pose.i1.training.batches import list_skipped
from human_pose.i1.training.callbacks import Counter, Recorder, Saver
from human_pose.i1.training.progress import Progress
from human_pose.i1.training.rounds import rounds
from human_pose.i1.training.run import run_folder
from human_pose.i1.training.saving import Keeper
from human_pose.pipeline.batches import MomentSet, open_moments
from human_pose.pipeline.checkpoint import open_pipeline
from human_pose.pipeline.config import PipelineTrainingConfig
from human_pose.pipeline.evaluation.run import moment_picture
from human_pose.pipeline.training.trainer import PipelineTrainer
from human_pose.pipeline.training.watching import Watcher
from human_pose.runs.divergence import told_in_one_line
from human_pose.runs.drawing import figure_image
from human_pose.runs.folder import RunFolder
from human_pose.runs.interruption import noticed
from human_pose.runs.state import read_conditions, read_progress, restore_variables
from human_pose.runs.tensorboard import Events

# Of the checkpoint in the run's folder, and of what messages are about.
STAGE: Final = "pipeline"
# Moments whose minimisers TensorBoard tells of.
_WATCHED: Final = 4
_BEST_BY: Final = "val_mpjpe_mm"
# What may change in a run that goes on.
_FREE: Final = (
    "data_dir", "check_path", "parameters_dir", "skip_bad", "resume", "overwrite",
    "resume_or_start",
)  # fmt: skip
# May, too, but then errors of validations do not compare.
_VALIDATED: Final = "validation_moments"


def train(config: PipelineTrainingConfig, folder: RunFolder) -> None:
    """Trains, or goes on training, and leaves everything in the run's folder.

    Nothing is written or removed before all input has been read and found good. Beside
    the last pipeline the best of its validations is kept. SIGTERM saves the state after
    the running step and ends the process with exit code 143.

    Args:
      config: what to train, on what.
      folder: of the run; its state has the name that `run_folder` gives it.

    Raises:
      InputError: if a file is not what it should be, the folder holds a training run
        that is neither to be resumed nor overwritten or that is at work, or the run to
        resume has other conditions.
      FloatingPointError: if the training diverges; what was saved before stays.
    """
    folder = run_folder(folder.path)
    resume = folder.goes_on(
        resume=config.resume, resume_or_start=config.resume_or_start
    )
    config = dataclasses.replace(config, resume=resume)
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            folder.training(
                resume=config.resume,
                overwrite=config.overwrite,
                retried=config.resume_or_start,
                starts=config.check_path,
            )
        )
        data = _open(config, "train")
        validation = _open(config, "test").some(config.validation_moments)
        trainer = make_trainer(config)
        conditions = _conditions(config, data)
        progress = Progress()
        if config.resume:
            progress = continued(folder, conditions)
            _restore(folder, trainer)
        _wanted(trainer, config, progress.step)  # so that a seed is refused by now
        folder.prepare(dataclasses.asdict(config), overwrite=config.overwrite)
        list_skipped([data.pictures, validation.pictures], folder.skipped)
        stack.enter_context(naming_damage(data.pictures, validation.pictures))
        logging.info(
            "%d moments of %d views to learn from, %d to measure; %d updates",
            len(data), len(config.views), len(validation), config.iterations,
        )  # fmt: skip
        _fit(trainer, data, validation, config, progress, conditions, folder, stack)


def continued(folder: RunFolder, conditions: dict[str, Any]) -> Progress:
    """How far the run of a folder is, if it may go on.

    Args:
      folder: of the run.
      conditions: those under which it is to go on, JSON values by name.

    Raises:
      InputError: if it was under others, its state cannot be read, or there is none.
    """
    path, now = folder.training_state, conditions[_VALIDATED]
    before = read_conditions(path, Progress).get(_VALIDATED, now)
    progress = read_progress(path, conditions, Progress, free=(_VALIDATED,))
    progress.validated_by(now, before, "moments")
    return progress


def _restore(folder: RunFolder, trainer: PipelineTrainer) -> None:
    try:
        restore_variables(folder.training_state, trainer.state_variables)
    except InputError as error:
        hint = "or `check_path` does not name the parts that the run began with"
        raise InputError(f"{error} ({hint})") from None


def make_trainer(config: PipelineTrainingConfig) -> PipelineTrainer:
    """What trains by a configuration, from the files that it names.

    Raises:
      InputError: as of `checkpoint.open_pipeline`.
    """
    pipeline = open_pipeline(
        config.check_path,
        derivative=config.derivative,
        damping=config.damping,
        preset=config.preset,
        seed=config.seed,
        parameters_dir=config.parameters_dir,
    )
    # Once `fit` calls the model, Keras wraps what is said, and an old run is removed.
    pipeline.head.check_views(len(config.views))
    trainer = PipelineTrainer(pipeline, config)
    trainer.compile_as_configured()
    return trainer


def stream(
    data: MomentSet, trainer: PipelineTrainer, config: PipelineTrainingConfig, step: int
) -> tf.data.Dataset:
    """The batches of a training from a step on, without end."""
    return data.batches(_wanted(trainer, config, step))


def _wanted(
    trainer: PipelineTrainer, config: PipelineTrainingConfig, step: int
) -> Stream:
    return Stream(
        config.batch_size,
        shuffle=True,
        seed=config.seed,
        start_step=step,
        input_size=trainer.pipeline.network.input_size,
        repeat=True,
    )


def _open(config: PipelineTrainingConfig, part: Any) -> MomentSet:
    return open_moments(
        config.data_dir, config.split, part, config.views, skip_bad=config.skip_bad
    )


def _conditions(config: PipelineTrainingConfig, data: MomentSet) -> dict[str, Any]:
    """What must be equal for a run to be continued, JSON values by name."""
    settings = dataclasses.asdict(config)
    kept = {name: settings[name] for name in settings if name not in _FREE}
    cameras = zlib.crc32(data.moments.projection.tobytes())
    samples = {"samples": data.pictures.identity, "checksum of the cameras": cameras}
    return dict(json.loads(json.dumps(kept | samples)))


def _fit(
    trainer: PipelineTrainer,
    data: MomentSet,
    validation: MomentSet,
    config: PipelineTrainingConfig,
    progress: Progress,
    conditions: dict[str, Any],
    folder: RunFolder,
    stack: contextlib.ExitStack,
) -> None:
    @functools.lru_cache(maxsize=1)  # The probe's and the first round's are one.
    def left(step: int) -> tf.data.Dataset:
        return stream(data, trainer, config, step)

    probe = next(iter(left(progress.step)))
    keeper = Keeper(folder, conditions, progress, trainer, STAGE, probe)
    if not config.resume:
        keeper.save_state()
    notice = trainer.notice = stack.enter_context(noticed())
    recorder = Recorder(
        folder.logger,
        progress,
        lambda: figure_image(
            moment_picture(trainer.pipeline, validation, 0, "moment 0")
        ),
    )
    stack.enter_context(contextlib.closing(recorder))
    events = stack.enter_context(Events(folder.logger / "minimiser"))
    size = trainer.pipeline.network.input_size
    watched = validation.some(_WATCHED).batches(Stream(_WATCHED, input_size=size))
    callbacks: list[keras.callbacks.Callback] = [
        Counter(progress, STAGE, 1),
        recorder,
        Watcher(trainer.pipeline, next(iter(watched)), progress, events),
        Saver(keeper, notice, _BEST_BY),
    ]
    # Batches as in training, lest their statistics differ.
    held = validation.batches(Stream(config.batch_size, shuffle=True, input_size=size))
    for first, last, steps in rounds(
        progress.step, config.iterations, config.save_every
    ):
        with told_in_one_line(lambda: f"after update {progress.step}"):
            trainer.fit(
                left(progress.step),
                initial_epoch=first,
                epochs=last,
                steps_per_epoch=steps,
                validation_data=held,
                callbacks=callbacks,
                shuffle=False,  # done already
                verbose=1 if sys.stdout.isatty() else 2,
            )
    logging.info("all %d updates are made", config.iterations)
