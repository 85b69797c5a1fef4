"""The stages of one training, one after the other."""

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from human_pose.datasets.images import ImageSet
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.curriculum import Stage
from human_pose.i1.evaluation import run as evaluation
from human_pose.i1.input import Stream, batches
from human_pose.i1.training import build
from human_pose.i1.training.callbacks import Counter, Recorder, Saver
from human_pose.i1.training.plan import SEEDS_APART, Plan
from human_pose.i1.training.progress import Progress
from human_pose.i1.training.rounds import rounds, steps_at_once, validated
from human_pose.i1.training.saving import Keeper
from human_pose.i1.training.trainer import PoseTrainer
from human_pose.runs import distribution, drawing
from human_pose.runs.folder import RunFolder
from human_pose.runs.interruption import Leaver, Notice
from human_pose.runs.state import restore_variables


class Stages:
    """What the stages of one call of `train` share.

    Args:
      config: of the training.
      chosen: what it asks for.
      folder: of the run.
      conditions: under which the run can be continued.
      progress: how far it is; kept up in place.
      data: the samples.
      validation: those of the validations, or None.
      strategy: by which replicas share each batch.
    """

    def __init__(
        self,
        config: ImageTrainingConfig,
        chosen: Plan,
        folder: RunFolder,
        conditions: dict[str, Any],
        progress: Progress,
        data: ImageSet,
        validation: ImageSet | None,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self._config = config
        self._chosen = chosen
        self._folder = folder
        self._conditions = conditions
        self._progress = progress
        self._data = data
        self._validation = validation
        self._most_at_once = distribution.most_steps_at_once(
            strategy, chosen.steps_per_execution
        )
        self._strategy = strategy
        self._writes = distribution.is_chief(strategy)
        # The probe's and the first round's are one, which takes a second to make.
        self._made = functools.lru_cache(maxsize=1)(self._make_stream)

    def first_trainer(self, start: build.Start | None) -> PoseTrainer:
        """What the first of the stages that are left is trained by.

        It goes on where the run was stopped, or starts from the weights of `start`.

        Raises:
          InputError: naming the file, if these are for another network or not finite.
        """
        trainer = self._trainer(self._progress.stage)
        if self._config.resume:
            restore_variables(self._folder.training_state, trainer.state_variables)
        elif start is not None:
            build.start_from(start, trainer, self._config)
        return trainer

    def check_services(self) -> None:
        """Makes every stage's stream that services feed, so that mistakes are told.

        Raises:
          InputError: if one of them cannot be reached, or cannot have an equal part of
            each batch.
        """
        if not self._config.data_service:
            return
        place = distribution.place_of(self._strategy)
        first, stages = self._progress.stage, self._chosen.recipe.stages
        for number in range(first, len(stages)):
            step = self._progress.step if number == first else 0
            self._made(stages[number], number, step, place.processes, place.number)

    def go(self, trainer: PoseTrainer, notice: Notice) -> None:
        """Trains the stages that are left.

        Args:
          trainer: of the first of them, made by `first_trainer`.
          notice: to end; the state is saved then, by the process that writes.
        """
        stages = self._chosen.recipe.stages
        first = self._progress.stage
        for number in range(first, len(stages)):
            stage = stages[number]
            if number > first:
                before, trainer = trainer, self._trainer(number)
                build.go_on_from(before, trainer)
            keeper = self._keeper(trainer, stage)
            if self._writes and (number > first or not self._config.resume):
                keeper.save_state()
            logging.info(
                "stage %s (%d of %d): %d depth bins, %d updates",
                stage.name, number + 1, len(stages), stage.depth_bins, stage.iterations,
            )  # fmt: skip
            self._fit(trainer, stage, keeper, notice)
            if self._writes:
                keeper.save_network()
            if number + 1 < len(stages):
                self._progress.stage, self._progress.step = number + 1, 0
                self._progress.best_mm = None
        logging.info("all %d stages are trained", len(stages))

    def _trainer(self, number: int) -> PoseTrainer:
        chunk, total = self._chunk_and_total(self._chosen.recipe.stages[number])
        # Only a stage that goes on has steps behind it.
        done = self._progress.step if number == self._progress.stage else 0
        at_once = steps_at_once(total, chunk, self._most_at_once, done)
        return build.make_trainer(self._config, self._chosen, number, at_once)

    def _keeper(self, trainer: PoseTrainer, stage: Stage) -> Keeper:
        return Keeper(
            self._folder,
            self._conditions,
            self._progress,
            trainer,
            stage.name,
            # The weights of a state must give a loss: that of the stage's next batch.
            probe=next(iter(self._stream(stage))),
        )

    def _fit(
        self, trainer: PoseTrainer, stage: Stage, keeper: Keeper, notice: Notice
    ) -> None:
        config, progress = self._config, self._progress
        chunk, total = self._chunk_and_total(stage)
        trainer.notice = notice
        with contextlib.ExitStack() as stack:
            callbacks: list[keras.callbacks.Callback] = [
                Counter(progress, stage.name, config.accumulate)
            ]
            if self._writes:
                picture = self._picture(trainer)
                recorder = Recorder(self._folder.logger, progress, picture)
                stack.enter_context(contextlib.closing(recorder))
                callbacks += [recorder, Saver(keeper, notice)]
            else:
                callbacks.append(Leaver(notice))
            for first, last, steps in rounds(progress.step, total, chunk):
                trainer.fit(
                    self._part(stage, self._stream),
                    initial_epoch=first,
                    epochs=last,
                    steps_per_epoch=steps,
                    validation_data=None
                    if self._validation is None
                    else self._part(stage, self._validation_stream),
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

    def _part(
        self, stage: Stage, make: Callable[[Stage, int, int], tf.data.Dataset]
    ) -> Any:
        """This process's part of the batches of a stream."""
        return distribution.batches_for(
            self._strategy,
            stage.batch_size,
            lambda workers, worker: make(stage, workers, worker),
        )

    def _stream(
        self, stage: Stage, workers: int = 1, worker: int = 0
    ) -> tf.data.Dataset:
        """The running stage's batches that are left, or a worker's part of each."""
        progress = self._progress
        return self._made(stage, progress.stage, progress.step, workers, worker)

    def _make_stream(
        self, stage: Stage, number: int, step: int, workers: int, worker: int
    ) -> tf.data.Dataset:
        recipe = self._chosen.recipe
        return batches(
            self._data,
            Stream(
                stage.batch_size,
                augment=recipe.augment,
                shuffle=True,
                sampling=recipe.sampling,
                # Stages see other orders and augmentations.
                seed=self._config.seed + SEEDS_APART * number,
                start_step=step,
                input_size=self._chosen.input_size,
                repeat=True,
                skip_bad=self._config.skip_bad,
                workers=workers,
                worker=worker,
            ),
            services=self._config.data_service,
        )

    def _validation_stream(
        self, stage: Stage, workers: int, worker: int
    ) -> tf.data.Dataset:
        """Batches as in training, lest their statistics differ; always the same."""
        assert self._validation is not None
        return batches(
            self._validation,
            Stream(
                stage.batch_size,
                shuffle=True,
                input_size=self._chosen.input_size,
                skip_bad=self._config.skip_bad,
                workers=workers,
                worker=worker,
            ),
        )

    def _picture(self, trainer: PoseTrainer) -> Callable[[], np.ndarray] | None:
        """Draws the first validation sample by the network as it is."""
        if self._validation is None:
            return None
        first = int(self._validation.good_indices(skip_bad=True)[0])
        batch = evaluation.sample(self._validation, first, self._chosen.input_size)

        def picture() -> np.ndarray:
            bins = trainer.objective.depth_bins
            figure = evaluation.sample_figure(
                trainer.network, batch, bins, "integral", f"sample {first}"
            )
            return drawing.figure_image(figure)

        return picture
