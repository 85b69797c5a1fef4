"""Trains the image network by a curriculum: what `main.py --model=i1 --train=1` does.

Each stage starts from the weights of the one before; a network of another depth gets a
new last layer. The original's optimiser keeps its history from stage to stage, the
modern one starts anew with its schedule. A run that was stopped is continued exactly.
"""

import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from human_pose.datasets.images import ImageDataset
from human_pose.files.errors import InputError
from human_pose.i1.caffe import caffemodel
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.curriculum import Stage
from human_pose.i1.evaluation import run as evaluation
from human_pose.i1.input import Stream, batches
from human_pose.i1.network.checkpoint import load_network, save_network
from human_pose.i1.network.hourglass import build_network
from human_pose.i1.network.remat import rematerialized
from human_pose.i1.network.transfer import transfer
from human_pose.i1.objective.terms import Objective
from human_pose.i1.optimizers.rmsprop import CaffeRMSProp
from human_pose.i1.training.batches import (
    identity,
    list_skipped,
    open_samples,
    open_validation,
)
from human_pose.i1.training.callbacks import Counter, Recorder, Saver
from human_pose.i1.training.optimizer import hand_over, make_optimizer
from human_pose.i1.training.plan import SEEDS_APART, Plan, plan
from human_pose.i1.training.progress import Progress
from human_pose.i1.training.rounds import rounds, steps_at_once, validated
from human_pose.i1.training.trainer import PoseTrainer
from human_pose.runs import drawing
from human_pose.runs.folder import RunFolder
from human_pose.runs.state import read_progress, restore_variables, write_state

# A network, or Caffe's blobs by layer.
Start: TypeAlias = keras.Model | caffemodel.Blobs


def train(config: ImageTrainingConfig, folder: RunFolder) -> None:
    """Trains, or goes on training, and leaves everything in the run's folder.

    Nothing is written or removed before all input has been read and found good.

    Raises:
      InputError: if a file is not what it should be, the folder holds a training run
        that is neither to be resumed nor overwritten or that is at work, or the run to
        resume has other conditions.
      FloatingPointError: if the training diverges.
    """
    with folder.training(resume=config.resume, overwrite=config.overwrite):
        chosen = plan(config)
        data = open_samples(config, "train", every=config.every)
        conditions = _conditions(config, chosen, data)
        progress = Progress()
        if config.resume:
            progress = read_progress(folder.training_state, conditions, Progress)
        start = _read_start(config)
        validation = open_validation(config)
        run = _Run(config, chosen, folder, conditions, progress, data, validation)
        trainer = run.first_trainer(start)
        folder.prepare(dataclasses.asdict(config), overwrite=config.overwrite)
        list_skipped([data, validation], folder.skipped)
        run.go(trainer)


class _Run:
    """One call of `train`: what its stages share."""

    def __init__(
        self,
        config: ImageTrainingConfig,
        chosen: Plan,
        folder: RunFolder,
        conditions: dict[str, Any],
        progress: Progress,
        data: ImageDataset,
        validation: ImageDataset | None,
    ) -> None:
        self._config = config
        self._recipe = chosen.recipe
        self._input_size = chosen.input_size
        self._most_at_once = chosen.steps_per_execution
        self._folder = folder
        self._conditions = conditions
        self._progress = progress
        self._data = data
        self._validation = validation

    def first_trainer(self, start: Start | None) -> PoseTrainer:
        """What the first of the stages that are left is trained by.

        It goes on where the run was stopped, or starts from the weights of `start`.

        Raises:
          InputError: naming the file, if these are for another network or not finite.
        """
        number = self._progress.stage
        trainer = self._trainer(self._recipe.stages[number], number)
        if self._config.resume:
            restore_variables(self._folder.training_state, _variables(trainer))
        elif start is not None:
            try:
                _take_over(start, trainer)
                if not _are_finite(trainer.network.variables):
                    raise InputError("has weights that are not finite")
            except InputError as error:
                raise InputError(f"{self._config.check_path}: {error}") from None
        return trainer

    def go(self, trainer: PoseTrainer) -> None:
        """Trains the stages that are left, the first by what `first_trainer` made."""
        stages = self._recipe.stages
        first = self._progress.stage
        for number in range(first, len(stages)):
            stage = stages[number]
            if number > first:
                trainer = self._next_trainer(trainer, stage, number)
            if number > first or not self._config.resume:
                self._save(trainer)
            logging.info(
                "stage %s (%d of %d): %d depth bins, %d updates",
                stage.name, number + 1, len(stages), stage.depth_bins, stage.iterations,
            )  # fmt: skip
            self._fit(trainer, stage)
            save_network(trainer.network, self._folder.stage_checkpoint(stage.name))
            if number + 1 < len(stages):
                self._progress.stage, self._progress.step = number + 1, 0
        logging.info("all %d stages are trained", len(stages))

    def _next_trainer(
        self, before: PoseTrainer, stage: Stage, number: int
    ) -> PoseTrainer:
        """A stage's trainer, with what it takes over from the one before."""
        trainer = self._trainer(stage, number)
        if isinstance(trainer.optimizer, CaffeRMSProp):
            hand_over(before.optimizer, trainer.optimizer)
        _take_over(before.network, trainer)
        return trainer

    def _trainer(self, stage: Stage, number: int) -> PoseTrainer:
        config, recipe = self._config, self._recipe
        keras.utils.set_random_seed(config.seed + number)
        with _policy("mixed_bfloat16" if config.mixed_precision else "float32"):
            network = build_network(
                stage.depth_bins,
                input_size=self._input_size,
                preset=config.preset,
                batch_norm=recipe.batch_norm,
                initializer=recipe.initializer,
                last_layer_std=stage.last_layer_std,
            )
        objective = Objective(
            stage.loss, stage.depth_bins, recipe.gradient, recipe.peak
        )
        lean = rematerialized(network, config.preset) if config.remat else None
        trainer = PoseTrainer(network, objective, lean)
        optimizer = make_optimizer(recipe, stage, config.accumulate)
        chunk, total = self._chunk_and_total(stage)
        trainer.compile(
            optimizer,
            jit_compile=config.jit,
            steps_per_execution=steps_at_once(total, chunk, self._most_at_once),
        )
        optimizer.build(trainer.trainable_variables)
        return trainer

    def _fit(self, trainer: PoseTrainer, stage: Stage) -> None:
        config = self._config
        chunk, total = self._chunk_and_total(stage)
        # The weights of a state must give a loss: that of the stage's next batch.
        probe = next(iter(self._stream(stage, self._progress.step)))
        recorder = Recorder(self._folder.logger, self._progress, self._picture(trainer))
        callbacks = [
            Counter(self._progress, stage.name, config.accumulate),
            recorder,
            Saver(lambda: self._save_checked(trainer, stage, probe)),
        ]
        with contextlib.closing(recorder):
            for first, last, steps in rounds(self._progress.step, total, chunk):
                trainer.fit(
                    self._stream(stage, first * chunk),
                    initial_epoch=first,
                    epochs=last,
                    steps_per_epoch=steps,
                    validation_data=self._validation_stream(stage),
                    validation_freq=validated(
                        first, last, config.validate_every, ends=last * chunk >= total
                    ),
                    callbacks=callbacks,
                    shuffle=False,  # done already
                    verbose=1 if sys.stdout.isatty() else 2,
                )

    def _chunk_and_total(self, stage: Stage) -> tuple[int, int]:
        """Steps between two saved states, and of the whole stage."""
        batches = self._config.accumulate
        return self._config.save_every * batches, stage.iterations * batches

    def _stream(self, stage: Stage, step: int) -> tf.data.Dataset:
        return batches(
            self._data,
            Stream(
                stage.batch_size,
                augment=self._recipe.augment,
                shuffle=True,
                sampling=self._recipe.sampling,
                # Stages see other orders and augmentations.
                seed=self._config.seed + SEEDS_APART * self._progress.stage,
                start_step=step,
                input_size=self._input_size,
                repeat=True,
                skip_bad=self._config.skip_bad,
            ),
        )

    def _validation_stream(self, stage: Stage) -> tf.data.Dataset | None:
        """Batches as in training, lest their statistics differ; always the same."""
        if self._validation is None:
            return None
        return batches(
            self._validation,
            Stream(
                stage.batch_size,
                shuffle=True,
                input_size=self._input_size,
                skip_bad=self._config.skip_bad,
            ),
        )

    def _picture(self, trainer: PoseTrainer) -> Callable[[], np.ndarray] | None:
        """Draws the first validation sample by the network as it is."""
        if self._validation is None:
            return None
        first = int(self._validation.annotations.index[0])
        batch = evaluation.sample(self._validation, first, self._input_size)

        def picture() -> np.ndarray:
            bins = trainer.objective.depth_bins
            figure = evaluation.sample_figure(
                trainer.network, batch, bins, "integral", f"sample {first}"
            )
            return drawing.figure_image(figure)

        return picture

    def _save_checked(
        self, trainer: PoseTrainer, stage: Stage, probe: Mapping[str, tf.Tensor]
    ) -> None:
        """Saves a state and a checkpoint, unless the last update has spoilt them.

        The step's own loss is that of the weights before it.

        Raises:
          FloatingPointError: if weights or their loss are not finite; the files stay.
        """
        outputs = trainer.network(probe["image"], training=False)
        loss = float(tf.add_n([*trainer.objective(outputs, probe).values()]))
        if not (math.isfinite(loss) and _are_finite(_variables(trainer))):
            raise FloatingPointError(
                f"training diverged: step {self._progress.step} of stage {stage.name} "
                f"has left weights that are not finite or whose loss is not (it is "
                f"{loss}); the state saved before is kept; a smaller --wlr may help"
            )
        save_network(trainer.network, self._folder.stage_checkpoint(stage.name))
        self._save(trainer)

    def _save(self, trainer: PoseTrainer) -> None:
        write_state(
            self._folder.training_state,
            self._progress,
            self._conditions,
            _variables(trainer),
        )


def _take_over(start: Start, trainer: PoseTrainer) -> None:
    """Gives a network the weights of the layers that `start` has, too."""
    new = (
        transfer(start, trainer.network)
        if isinstance(start, keras.Model)
        else caffemodel.assign(trainer.network, start, partial=True)
    )
    logging.info("new layers: %s", ", ".join(new) or "none")


def _variables(trainer: PoseTrainer) -> list[Any]:
    return [*trainer.network.variables, *trainer.optimizer.variables]


def _are_finite(variables: Iterable[Any]) -> bool:
    return all(np.isfinite(np.asarray(variable)).all() for variable in variables)


@contextlib.contextmanager
def _policy(name: str) -> Iterator[None]:
    """Layers made in the block compute by a precision policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _read_start(config: ImageTrainingConfig) -> Start | None:
    """The weights that the first stage starts from, if it does not start anew."""
    path = config.check_path
    # A resumed run has its own weights.
    if path is None or config.resume:
        return None
    is_caffes = path.suffix in (".caffemodel", ".solverstate")
    return caffemodel.read(path) if is_caffes else load_network(path)


def _conditions(
    config: ImageTrainingConfig, chosen: Plan, data: ImageDataset
) -> dict[str, Any]:
    """What must be equal for a run to be continued."""
    names = (
        "split", "every", "preset", "accumulate", "mixed_precision", "seed",
        "save_every",
    )  # fmt: skip
    text = json.dumps(dataclasses.asdict(chosen.recipe))
    return {
        **{name: getattr(config, name) for name in names},
        "samples": identity(data),
        "recipe": json.loads(text),
    }
