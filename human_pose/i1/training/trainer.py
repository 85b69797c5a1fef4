"""The network as `keras.Model.fit` trains it on batches of `datasets.images`."""

import math
import os
from collections.abc import Mapping
from typing import Any, Final

import keras
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.i1 import readout
from human_pose.i1.network.checkpoint import save_network
from human_pose.i1.objective.terms import Objective
from human_pose.runs import distribution

_LOSS: Final = "loss"
# For each bin of the heatmaps. Labels are at most 1: an error of 45 in every bin, or of
# 500 where the loss is adaptive, is no network's that learns. Errors in mm are bounded
# by the crop and the depths that heatmaps cover, whatever these hold.
_LARGEST_LOSS: Final = 1e3


class PoseTrainer(distribution.BuiltModel):
    """A network and its objective; `fit` takes batches as dictionaries.

    Logged are the loss, each of its terms, and the mean error of both readouts: joints
    from the root, against the labels, standard decoding (see `readout`). On several
    replicas of `tf.distribute` all are those of the whole batch.

    Args:
      network: made by `build_network`.
      objective: what is minimised.
      training_network: runs in training in its place, on the same weights
        (`remat.rematerialized`).
    """

    def __init__(
        self,
        network: keras.Model,
        objective: Objective,
        training_network: keras.Model | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self._training_network = training_network or network
        self.objective = objective
        self._meters = {
            name: distribution.LocalMean(name)
            for name in (
                _LOSS,
                *objective.names,
                *(f"{name}_mpjpe_mm" for name in readout.READOUTS),
            )
        }
        self._worst_loss = distribution.Largest(self, "worst_loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """One mean for each logged value."""
        # Keras's own of the loss takes parts of a batch for batches.
        return [*self._meters.values()]

    @property
    def largest_loss(self) -> float:
        """The loss above which heatmaps mean nothing."""
        shapes = [output.shape[1:] for output in self.network.output.values()]
        return _LARGEST_LOSS * sum(math.prod(shape) for shape in shapes)

    @property
    def state_variables(self) -> list[Any]:
        """Everything that training changes, in the order of a state file."""
        return [*self.network.variables, *self.optimizer.variables]

    def write_model(self, path: str | os.PathLike[str]) -> None:
        """Writes the network, atomically; see `checkpoint.save_network`."""
        save_network(self.network, path)

    def take_worst_loss(self) -> float:
        """The largest loss of a step of training since this was last asked, or NaN."""
        return self._worst_loss.take()

    def loss_now(self, batch: Mapping[str, tf.Tensor]) -> float:
        """The loss of a batch by the weights as they are, measured nowhere."""
        outputs = self.network(batch["image"], training=False)
        return float(tf.add_n([*self.objective(outputs, batch).values()]))

    def call(
        self, batch: Mapping[str, Any], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """The network's heatmaps."""
        network = self._training_network if training else self.network
        return network(batch["image"], training=training)

    def train_step(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """One step of the optimiser; logged is what was found before it."""
        with tf.GradientTape() as tape:
            part = self.compute_loss(batch, y_pred=self(batch, training=True))
        variables = self.trainable_variables
        gradients = tape.gradient(part, [variable.value for variable in variables])
        self.optimizer.apply(gradients)  # adds those of all replicas
        return self.get_metrics_result()

    def test_step(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Measures a batch."""
        self.compute_loss(batch, y_pred=self(batch, training=False), training=False)
        return self.get_metrics_result()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """The objective of one batch; measures the readouts on the way.

        On a replica it is the part of its samples; the parts add up to the loss.
        """
        terms = self.objective(y_pred, x)
        part = tf.add_n(list(terms.values()))
        loss = self._measure({_LOSS: part, **terms}, self._errors_mm(y_pred, x))
        if training:
            self._worst_loss.note(loss)
        return part

    def _measure(
        self, parts: Mapping[str, tf.Tensor], errors_mm: Mapping[str, tf.Tensor]
    ) -> tf.Tensor:
        """Adds a batch to the means: parts of its losses, and errors of its samples.

        Returns:
          The first of its losses, that of all replicas.
        """
        sums = [tf.reduce_sum(errors) for errors in errors_mm.values()]
        number = tf.cast(tf.shape(next(iter(errors_mm.values())))[0], tf.float32)
        whole = distribution.total(tf.stack([*parts.values(), *sums, number]))
        *values, number = tf.unstack(tf.stop_gradient(whole))
        for name, value in zip((*parts, *errors_mm), values, strict=True):
            mean = value if name in parts else value / number
            self._meters[name].update_state(mean, sample_weight=number)
        return values[0]

    def _errors_mm(
        self, outputs: Mapping[str, tf.Tensor], batch: Mapping[str, Any]
    ) -> dict[str, tf.Tensor]:
        truth_mm = metrics.root_centred(readout.label_pose_mm(batch))
        heatmap2 = tf.stop_gradient(outputs["heatmap2"])
        errors_mm = {}
        for name in readout.READOUTS:
            position = readout.positions(heatmap2, self.objective.depth_bins, name)
            pose_mm = metrics.root_centred(readout.pose_mm(position, batch))
            errors_mm[f"{name}_mpjpe_mm"] = metrics.mpjpe(truth_mm, pose_mm)
        return errors_mm
