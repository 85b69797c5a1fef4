"""What happens between the steps of a training: counting, reports, checkpoints.

In the list given to `fit` they stand in the order of this module: each relies on what
those before it have done to the shared `Progress`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import keras
from absl import logging

from human_pose.geometry.metrics import mpjpe
from human_pose.lifting import write_checkpoint
from human_pose.lifting.comparison import beside_truth
from human_pose.lifting.evaluation import pictures
from human_pose.lifting.training.batches import Batch, FrameBatches
from human_pose.lifting.training.curves import write_curves
from human_pose.lifting.training.progress import Progress
from human_pose.runs import divergence, drawing
from human_pose.runs.folder import RunFolder
from human_pose.runs.interruption import Notice
from human_pose.runs.tensorboard import Events

Logs = dict[str, float]


class ErrorMeter(keras.callbacks.Callback):
    """Counts batches and errors, and stops a training that has diverged."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Counts; gives the progress bar the mean error of the epoch so far.

        Raises:
          FloatingPointError: if the loss or the gradient's norm is not finite, or the
            loss is too large to be that of a person.
        """
        step = int(self.model.optimizer.iterations.numpy())
        divergence.check_values(
            {name: logs[name] for name in ("loss", "gradient_norm")},
            f"at step {step} ({place(self._progress)})",
            bounds={"loss": divergence.LARGEST_ERROR_MM},
            # What the first step found, no step has made.
            advice=divergence.ADVICE if step > 1 else "check the input",
        )
        self._progress.add_batch(logs["loss"])
        logs["error_mm"] = self._progress.epoch_mean_mm

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Gives the epoch's line its mean error instead of the last batch's values."""
        logs.clear()
        logs["error_mm"] = self._progress.epoch_mean_mm


class Checker(keras.callbacks.Callback):
    """Checks what the last step has left, before it is reported, drawn or saved.

    Args:
      progress: read only.
      batches: for the loss after a step.
      every: see `Progress.is_due`.
      notice: to end; then the state is saved after this batch, due or not.

    Attributes:
      leaves: whether this batch is the last one before the process ends.
      error_mm: the error of the batch of the last check, after its step.
    """

    def __init__(
        self,
        progress: Progress,
        batches: FrameBatches,
        every: int,
        notice: Notice,
    ) -> None:
        super().__init__()
        self._progress = progress
        self._batches = batches
        self._every = every
        self._notice = notice
        self._checked = False
        self.leaves = False
        self.error_mm = 0.0

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Checks, if something is to be saved.

        Raises:
          FloatingPointError: if parameters, slots or the error are not finite, or the
            error is too large; nothing has been saved then.
        """
        # Asked once: the notice may come at any moment.
        self.leaves = self._notice.received
        self._checked = self.leaves or self._progress.is_due(self._every)
        if self._checked:
            self._check()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Checks, if the last batch was not.

        Raises:
          FloatingPointError: likewise.
        """
        self.leaves = self._notice.received
        if not self._checked:
            self._check()

    def _check(self) -> None:
        model, progress = self.model, self._progress
        current = self._batches.batch(progress.epoch, progress.batch - 1)
        step = int(model.optimizer.iterations.numpy())
        self.error_mm = divergence.check_left(
            [*model.lifter.parameters.values(), *model.optimizer.variables],
            lambda: model.error(current),
            f"step {step} ({place(progress, before=1)})",
            bound=divergence.LARGEST_ERROR_MM,
        )


class Reporter(keras.callbacks.Callback):
    """Prints and summarises the errors, every `every` batches of an epoch.

    The summary is of the step just taken, `errors/current_error` of the same batch
    after it; the printed error is the loss, from before it.
    """

    def __init__(
        self, progress: Progress, checker: Checker, events: Events, every: int
    ) -> None:
        super().__init__()
        self._progress = progress
        self._checker = checker
        self._events = events
        self._every = every

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Reports, if it is time to."""
        if not self._progress.is_due(self._every):
            return
        self._print(logs["loss"])
        self._summarise(logs["gradient_norm"])
        self._progress.end_report()

    def _print(self, error_mm: float) -> None:
        if sys.stdout.isatty():
            print()  # leaves the line of the progress bar
        logging.info(
            "epoch %d, batch %d: error %.3f mm, mean of the epoch %.3f mm, "
            "since the last report %.3f mm",
            self._progress.epoch,
            self._progress.batch - 1,
            error_mm,
            self._progress.epoch_mean_mm,
            self._progress.recent_mean_mm,
        )

    def _summarise(self, gradient_norm: float) -> None:
        optimizer = self.model.optimizer
        scalars = {
            "errors/current_error": self._checker.error_mm,
            "errors/epoch_error": self._progress.epoch_mean_mm,
            "errors/error_from_last": self._progress.recent_mean_mm,
            "learning_rate": float(optimizer.learning_rate.numpy()),
            "gradient_norm": gradient_norm,
        }
        step = int(optimizer.iterations.numpy())
        write_curves(self._events, step, self.model.lifter.parameters, scalars)


class Illustrator(keras.callbacks.Callback):
    """Draws the first training frame for TensorBoard after every epoch."""

    def __init__(self, frame: Batch, events: Events) -> None:
        super().__init__()
        self._inputs, self._joints_3d_mm = frame
        self._events = events

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Draws the frame with the parameters as they are now."""
        pose = self.model(self._inputs)
        truth, reconstruction = beside_truth(pose, self._joints_3d_mm)
        error_mm = float(mpjpe(truth, reconstruction)[0])
        figure = pictures.frame_figure(
            self._inputs["joints_2d_px"][0],
            reconstruction[0],
            truth[0],
            title=f"after epoch {epoch}: {error_mm:.1f} mm",
        )
        step = int(self.model.optimizer.iterations.numpy())
        self._events.write_picture(step, "poses", drawing.figure_image(figure))


class Saver(keras.callbacks.Callback):
    """Writes checkpoints and the training state; ends the process when told to.

    The state comes last: if the process is killed before it is written, the resumed
    run repeats the steps since the state before and writes the same checkpoints again.

    Args:
      progress: goes on to the next epoch here.
      batches: for their number.
      checker: has found good what is saved.
      save: writes the training state.
      folder: the run's.
      every: see `Progress.is_due`.
      notice: to end.
    """

    def __init__(
        self,
        progress: Progress,
        batches: FrameBatches,
        checker: Checker,
        save: Callable[[], None],
        folder: RunFolder,
        every: int,
        notice: Notice,
    ) -> None:
        super().__init__()
        self._progress = progress
        self._batches = batches
        self._checker = checker
        self._save = save
        self._folder = folder
        self._every = every
        self._notice = notice

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Saves, if it is time to."""
        due = self._progress.is_due(self._every)
        if due:
            self._write_checkpoint(self._folder.partial_checkpoint)
        # After its last batch an epoch is about to end, and a state that says so
        # follows at once.
        if self._progress.batch == len(self._batches):
            return
        if due or self._checker.leaves:
            self._save()
        if self._checker.leaves:
            self._notice.leave(self._folder.training_state)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Saves the epoch and goes on to the next."""
        self._write_checkpoint(self._folder.epoch_checkpoint(self._progress.epoch))
        self._progress.end_epoch()
        self._save()
        if self._checker.leaves:
            self._notice.leave(self._folder.training_state)

    def _write_checkpoint(self, path: Path) -> None:
        write_checkpoint(path, self.model.lifter, self._progress.epoch)


def place(progress: Progress, before: int = 0) -> str:
    """Where a training is, in words: the batch that is next, or `before` it."""
    return f"epoch {progress.epoch}, batch {progress.batch - before}"
