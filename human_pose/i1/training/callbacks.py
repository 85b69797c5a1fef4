"""What happens between the steps of a stage: checks, TensorBoard, saved states.

`fit` is given them in the order of this module. An epoch of `fit` is the time between
two saved states here, not a pass over the data.
"""

import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from human_pose.i1.training.progress import Progress
from human_pose.i1.training.saving import Keeper, Kept
from human_pose.runs import divergence
from human_pose.runs.interruption import Leaver, Notice
from human_pose.runs.tensorboard import Events

Logs = dict[str, float]

_VALIDATION = "val_"
# Of the network that is kept beside the last, by validation.
BEST_BY = "val_integral_mpjpe_mm"


class Counter(keras.callbacks.Callback):
    """Counts steps, and stops a training that has diverged.

    Args:
      progress: counted in place.
      stage: name of the stage, for messages.
      accumulate: batches to an update.
    """

    model: Kept

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
          FloatingPointError: if the loss of one of them is not finite or means nothing.
        """
        before = self._progress.step
        self._progress.step += batch + 1 - self._counted
        self._counted = batch + 1
        self._progress.total += (
            self._progress.step // self._accumulate - before // self._accumulate
        )
        first, last = before + 1, self._progress.step
        steps = f"step {last}" if first == last else f"steps {first} to {last}"
        divergence.check_values(
            # Not the logged one: that is the mean since a state was last saved.
            {"loss": self.model.take_worst_loss()},
            f"in stage {self._stage}, {steps}",
            bounds={"loss": self.model.largest_loss},
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
        folder: str | os.PathLike[str],
        progress: Progress,
        picture: Callable[[], np.ndarray] | None,
    ) -> None:
        super().__init__()
        self._train = Events(Path(folder) / "train")
        self._validation = Events(Path(folder) / "validation")
        self._progress = progress
        self._picture = picture

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Writes what the steps since the last time have found."""
        step = self._progress.total
        rate = float(np.asarray(self.model.optimizer.learning_rate))
        train = {k: v for k, v in logs.items() if not k.startswith(_VALIDATION)}
        self._train.write(step, train | {"learning_rate": rate})
        validation = {
            name.removeprefix(_VALIDATION): value
            for name, value in logs.items()
            if name.startswith(_VALIDATION)
        }
        if not validation:
            return
        self._validation.write(step, validation)
        if self._picture is not None:
            self._validation.write_picture(step, "sample", self._picture())

    def close(self) -> None:
        """Closes the files."""
        self._train.close()
        self._validation.close()


class Saver(Leaver):
    """Saves the training, last of all, and ends the process when it is told to.

    Args:
      keeper: of the stage.
      notice: to end.
      best_by: name of the validation's error by which the best is kept.
    """

    def __init__(self, keeper: Keeper, notice: Notice, best_by: str = BEST_BY) -> None:
        super().__init__(notice)
        self._keeper, self._best_by = keeper, best_by

    def save(self, logs: Logs) -> Path:
        """Saves checkpoints and the state."""
        self._keeper.save(logs.get(self._best_by))
        return self._keeper.state
