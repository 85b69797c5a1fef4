"""What happens between the steps of a stage: checks, TensorBoard, saved states.

`fit` is given them in the order of this module. An epoch of `fit` is the time between
two saved states here, not a pass over the data.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from human_pose.i1.training.progress import Progress

Logs = dict[str, float]

_VALIDATION = "val_"


class Counter(keras.callbacks.Callback):
    """Counts steps, and stops a training that has diverged.

    Args:
      progress: counted in place.
      stage: name of the stage, for messages.
      accumulate: batches to an update.
    """

    def __init__(self, progress: Progress, stage: str, accumulate: int) -> None:
        super().__init__()
        self._progress = progress
        self._stage = stage
        self._accumulate = accumulate
        self._counted = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Batches are numbered from 0 in each epoch."""
        self._counted = 0

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Counts the steps of one call, which may be several.

        Raises:
          FloatingPointError: if the loss is not finite.
        """
        before = self._progress.step
        self._progress.step += batch + 1 - self._counted
        self._counted = batch + 1
        self._progress.total += (
            self._progress.step // self._accumulate - before // self._accumulate
        )
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"training diverged: loss is {logs['loss']} in stage {self._stage}, "
                f"step {self._progress.step}; a smaller --wlr may help"
            )


class Recorder(keras.callbacks.Callback):
    """Writes means of losses and errors, the rate and pictures for TensorBoard.

    Args:
      folder: of the events; `train` and `validation` beneath it.
      progress: for the step.
      picture: draws a sample by the network as it is, uint8 `[H, W, 3]`; or None.
    """

    def __init__(
        self,
        folder: Path,
        progress: Progress,
        picture: Callable[[], np.ndarray] | None,
    ) -> None:
        super().__init__()
        self._writers = {
            part: tf.summary.create_file_writer(str(folder / part))
            for part in ("train", "validation")
        }
        self._progress = progress
        self._picture = picture

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Writes what the steps since the last time have found."""
        rate = float(np.asarray(self.model.optimizer.learning_rate))
        train = {k: v for k, v in logs.items() if not k.startswith(_VALIDATION)}
        self._write("train", train | {"learning_rate": rate})
        validation = {
            name.removeprefix(_VALIDATION): value
            for name, value in logs.items()
            if name.startswith(_VALIDATION)
        }
        self._write("validation", validation)
        if validation and self._picture is not None:
            writer = self._writers["validation"]
            with writer.as_default(self._progress.total):
                tf.summary.image("sample", self._picture()[None])
            writer.flush()

    def close(self) -> None:
        """Closes the files."""
        for writer in self._writers.values():
            writer.close()

    def _write(self, part: str, values: dict[str, Any]) -> None:
        writer = self._writers[part]
        with writer.as_default(self._progress.total):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        writer.flush()


class Saver(keras.callbacks.Callback):
    """Saves the training, last of all.

    Args:
      save: does it.
    """

    def __init__(self, save: Callable[[], None]) -> None:
        super().__init__()
        self._save = save

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Saves."""
        self._save()
