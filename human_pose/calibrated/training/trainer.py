"""The calibrated lifter as `keras.Model.fit` trains it, and the choice of an epoch."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from human_pose.calibrated.energy import Unknowns
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.training.clips import Batch
from human_pose.calibrated.training.config import WEIGHTS, CalibratedTrainingConfig
from human_pose.runs import divergence

# Frames that chunks of a step's system share: it changes the speed alone.
_OVERLAP: Final = 16


class CalibratedTrainer(keras.Model):
    """A lifter and its loss: the mean distance of joints from the truth's, mm.

    Sequences and frames by themselves are minimised from where the weights before
    training had brought them; gradients come through both minimisers. `fit` is given
    numbers of batches: batches of other rigs have other shapes.

    Args:
      lifter: the model to train.
      batches: what numbers stand for.
      config: which weights are learned, and how.
    """

    def __init__(
        self,
        lifter: CalibratedLifter,
        batches: Sequence[Batch],
        config: CalibratedTrainingConfig,
    ) -> None:
        super().__init__(dtype="float64")
        self.lifter = lifter
        self._batches, self._config = tuple(batches), config
        self.learned = [lifter.weight(WEIGHTS[name]) for name in config.learned]
        self._start = [variable.numpy() for variable in self.learned]
        # From the joints of sequences that were solved before the training.
        self._sequence = tf.function(
            functools.partial(lifter.sequence, from_frames=False), autograph=False
        )
        self._frames = tf.function(lifter.refined, autograph=False)
        optimizer = keras.optimizers.Adam(
            config.learning_rate, global_clipnorm=config.clip_norm
        )
        optimizer.build(self.learned)
        self.compile(optimizer=optimizer, jit_compile=False, run_eagerly=True)
        self.built = True

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of the optimiser; the errors are from before it, in mm."""
        batch = self._batches[int(_number(data))]
        with tf.GradientTape() as tape:
            together, alone = self.errors(batch)
            share = self._config.frame_share
            loss = (1 - share) * together + share * alone
            whole = loss + self._moved()
        gradients = tape.gradient(
            whole,
            [variable.value for variable in self.learned],
            unconnected_gradients="zero",
        )
        self.optimizer.apply(gradients, self.learned)
        return {
            "loss": loss,
            "sequence_mm": together,
            "frame_mm": alone,
            "gradient_norm": tf.linalg.global_norm(gradients),
        }

    def _moved(self) -> tf.Tensor:
        """What it costs that logarithms of weights have moved, mm."""
        moves = [
            tf.reduce_mean(tf.square(variable - start))
            for variable, start in zip(self.learned, self._start, strict=True)
            if variable.name.startswith("log_")
        ]
        cost = tf.constant(self._config.stay_mm, tf.float64)
        return cost * tf.add_n([tf.zeros_like(cost), *moves])

    def errors(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        """The mean errors of sequences, and of frames by themselves, mm."""
        return self.error(batch, True), self.error(batch, False)

    def error(self, batch: Batch, temporal: bool) -> tf.Tensor:
        """One of them."""
        solved, rows = batch.source.solved, batch.rows
        turn = tf.constant(solved.frames.turns[rows])
        still = tf.zeros([len(rows), 3], turn.dtype)
        problem = batch.problem(temporal)
        if temporal:
            x = Unknowns(tf.constant(solved.joints_mm[rows]), still)
            inside, overlap = tf.constant(batch.inside), tf.constant(_OVERLAP)
            return batch.error(
                self._sequence(x, turn, inside, *problem, overlap).joints_mm
            )
        x = Unknowns(tf.constant(solved.frames.joints_mm[rows]), still)
        return batch.error(self._frames(x, turn, *problem)[0].joints_mm)

    def mean_errors(self, batches: Sequence[Batch]) -> np.ndarray:
        """Mean errors of sequences, and of frames, over batches: `[2]`, mm."""
        counts = [batch.known.sum() for batch in batches]
        errors = [[float(e) for e in self.errors(batch)] for batch in batches]
        return np.average(errors, axis=0, weights=counts)

    def loss_of(self, errors_mm: np.ndarray) -> float:
        """The loss of errors as of `mean_errors`."""
        share = self._config.frame_share
        return float(np.dot([1 - share, share], errors_mm))


class Best(keras.callbacks.Callback):
    """Keeps the weights of the epoch that errs least on held-out clips.

    Those before training count as an epoch. The model has them after training, however
    that ends.

    Args:
      held: batches of clips that nothing is learned from.
      patience: epochs without a better one after which training ends.
      tell: told the epoch and the errors as of `CalibratedTrainer.mean_errors`.
    """

    def __init__(
        self,
        held: Sequence[Batch],
        patience: int,
        tell: Callable[[int, np.ndarray], None],
    ) -> None:
        super().__init__()
        self._held, self._patience, self._tell = held, patience, tell
        self.epoch = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Measures what the weights are worth before."""
        self._values = [variable.numpy() for variable in self.model.learned]
        self._least = self._measure(0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops a training that has diverged.

        Raises:
          FloatingPointError: if the loss or the gradient's norm is not finite, or the
            loss is too large to be that of a person.
        """
        divergence.check_values(
            {name: float(logs[name]) for name in ("loss", "gradient_norm")},
            f"in batch {batch} of an epoch",
            bounds={"loss": divergence.LARGEST_ERROR_MM},
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the weights if they are better; ends where none were for long."""
        loss = self._measure(epoch + 1)
        if loss < self._least:
            self._least, self.epoch = loss, epoch + 1
            self._values = [variable.numpy() for variable in self.model.learned]
        self.model.stop_training = epoch + 1 - self.epoch >= self._patience

    def restore(self) -> None:
        """Gives the model the weights that were kept."""
        for variable, value in zip(self.model.learned, self._values, strict=True):
            variable.assign(value)

    def _measure(self, epoch: int) -> float:
        errors = self.model.mean_errors(self._held)
        self._tell(epoch, errors)
        return float(self.model.loss_of(errors))


def _number(data: Any) -> Any:
    """The one number in what Keras hands on."""
    while isinstance(data, tuple | list):
        data = data[0]
    return np.asarray(data).reshape(-1)[0]
