"""The state and the checkpoints of a stage, written only while they are good."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf

from human_pose.i1.training.progress import Progress
from human_pose.runs import divergence
from human_pose.runs.folder import RunFolder
from human_pose.runs.state import write_state


class Kept(Protocol):
    """A trainer, as a `Keeper` knows it."""

    @property
    def state_variables(self) -> list[Any]:
        """Everything that training changes, in the order of a state file."""

    @property
    def largest_loss(self) -> float:
        """The loss above which the model's outputs mean nothing."""

    def loss_now(self, batch: Mapping[str, tf.Tensor]) -> float:
        """The loss of a batch by the weights as they are."""

    def take_worst_loss(self) -> float:
        """The largest loss of a step since this was last asked, or NaN."""

    def write_model(self, path: str | os.PathLike[str]) -> None:
        """Writes the model that is trained, atomically."""


class Keeper:
    """Saves what a stage has come to.

    Args:
      folder: of the run.
      conditions: under which the run can be continued.
      progress: saved; its best error is kept up here.
      trainer: of the stage.
      stage: its name.
      probe: the batch whose loss the weights of a state must give.
    """

    def __init__(
        self,
        folder: RunFolder,
        conditions: Mapping[str, Any],
        progress: Progress,
        trainer: Kept,
        stage: str,
        probe: Mapping[str, tf.Tensor],
    ) -> None:
        self._folder = folder
        self._conditions = conditions
        self._progress = progress
        self._trainer = trainer
        self._stage = stage
        self._probe = probe

    @property
    def state(self) -> Path:
        """The file that a resumed training starts from."""
        return self._folder.training_state

    def save(self, error_mm: float | None = None) -> None:
        """Saves checkpoints and a state, unless the last update has spoilt them.

        The state comes last: if the process is killed before it is written, the resumed
        run repeats the steps since the state before and writes the same files again.

        Args:
          error_mm: of a validation; if it is the stage's lowest so far, the network is
            kept as its best.

        Raises:
          FloatingPointError: if weights, slots or their loss are not finite, or the
            loss means nothing; the files stay.
        """
        divergence.check_left(
            self._trainer.state_variables,
            lambda: self._trainer.loss_now(self._probe),
            f"step {self._progress.step} of stage {self._stage}",
            bound=self._trainer.largest_loss,
        )
        self._write(self._stage)
        best_mm = self._progress.best_mm
        if error_mm is not None and math.isfinite(error_mm):
            if best_mm is None or error_mm < best_mm:
                self._write(f"{self._stage}_best")
                self._progress.best_mm = error_mm
        self.save_state()

    def save_network(self) -> None:
        """Saves the network alone."""
        self._write(self._stage)

    def save_state(self) -> None:
        """Saves the state alone."""
        write_state(
            self.state,
            self._progress,
            self._conditions,
            self._trainer.state_variables,
        )

    def _write(self, name: str) -> None:
        self._trainer.write_model(self._folder.stage_checkpoint(name))
