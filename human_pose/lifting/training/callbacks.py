"""What happens between the steps of a training: counting, reports, checkpoints.

In the list given to `fit` they stand in the order of this module: each relies on what
those before it have done to the shared `Progress`.
"""

import math
import sys
from pathlib import Path

import keras
from absl import logging

from human_pose.geometry.metrics import mpjpe
from human_pose.lifting import write_checkpoint
from human_pose.lifting.comparison import beside_truth
from human_pose.lifting.evaluation import pictures
from human_pose.lifting.training.batches import Batch, FrameBatches
from human_pose.lifting.training.curves import Summaries
from human_pose.lifting.training.progress import Progress, TrainingState
from human_pose.runs import drawing
from human_pose.runs.folder import RunFolder

Logs = dict[str, float]


class ErrorMeter(keras.callbacks.Callback):
    """Counts batches and errors, and stops a training that has diverged."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Counts; gives the progress bar the mean error of the epoch so far.

        Raises:
          FloatingPointError: if the loss or the gradient's norm is not finite.
        """
        for name in ("loss", "gradient_norm"):
            if not math.isfinite(logs[name]):
                step = int(self.model.optimizer.iterations)
                # What the first step found, no step has made.
                advice = "a smaller --wlr may help" if step > 1 else "check the input"
                raise FloatingPointError(
                    f"training diverged: {name} is {logs[name]} at step {step} (epoch "
                    f"{self._progress.epoch}, batch {self._progress.batch}); {advice}"
                )
        self._progress.add_batch(logs["loss"])
        logs["error_mm"] = self._progress.epoch_mean_mm

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Gives the epoch's line its mean error instead of the last batch's values."""
        logs.clear()
        logs["error_mm"] = self._progress.epoch_mean_mm


class Reporter(keras.callbacks.Callback):
    """Prints and summarises the errors, every `every` batches of an epoch.

    The summary is of the step just taken, `errors/current_error` of the same batch
    after it; the printed error is the loss, from before it.
    """

    def __init__(
        self,
        progress: Progress,
        batches: FrameBatches,
        summaries: Summaries,
        every: int,
    ) -> None:
        super().__init__()
        self._progress = progress
        self._batches = batches
        self._summaries = summaries
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
        current = self._batches.batch(self._progress.epoch, self._progress.batch - 1)
        scalars = {
            "errors/current_error": float(self.model.error(current)),
            "errors/epoch_error": self._progress.epoch_mean_mm,
            "errors/error_from_last": self._progress.recent_mean_mm,
            "learning_rate": float(optimizer.learning_rate),
            "gradient_norm": gradient_norm,
        }
        step = int(optimizer.iterations)
        self._summaries.write(step, self.model.lifter.parameters, scalars)


class Illustrator(keras.callbacks.Callback):
    """Draws the first training frame for TensorBoard after every epoch."""

    def __init__(self, frame: Batch, summaries: Summaries) -> None:
        super().__init__()
        self._inputs, self._joints_3d_mm = frame
        self._summaries = summaries

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
        step = int(self.model.optimizer.iterations)
        self._summaries.write_picture(step, "poses", drawing.figure_image(figure))


class Saver(keras.callbacks.Callback):
    """Writes checkpoints and the training state.

    The state comes last: if the process is killed before it is written, the resumed
    run repeats the steps since the state before and writes the same checkpoints again.
    """

    def __init__(
        self,
        progress: Progress,
        batches: FrameBatches,
        state: TrainingState,
        folder: RunFolder,
        every: int,
    ) -> None:
        super().__init__()
        self._progress = progress
        self._batches = batches
        self._state = state
        self._folder = folder
        self._every = every

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Saves, if it is time to."""
        if not self._progress.is_due(self._every):
            return
        self._write_checkpoint(self._folder.partial_checkpoint)
        # After its last batch an epoch is about to end, and a state that says so
        # follows at once.
        if self._progress.batch < len(self._batches):
            self._state.save()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Saves the epoch and goes on to the next."""
        self._write_checkpoint(self._folder.epoch_checkpoint(self._progress.epoch))
        self._progress.end_epoch()
        self._state.save()

    def _write_checkpoint(self, path: Path) -> None:
        write_checkpoint(path, self.model.lifter, self._progress.epoch)
