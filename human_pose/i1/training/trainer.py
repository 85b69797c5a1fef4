"""The network as `keras.Model.fit` trains it on batches of `datasets.images`."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.i1 import readout
from human_pose.i1.objective.terms import Objective


class PoseTrainer(keras.Model):
    """A network and its objective; `fit` takes batches as dictionaries.

    Logged are the loss, each of its terms, and the mean error of both readouts: joints
    from the root, against the labels, standard decoding (see `readout`).

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
            name: keras.metrics.Mean(name)
            for name in (
                *objective.names,
                *(f"{name}_mpjpe_mm" for name in readout.READOUTS),
            )
        }

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Keras's own, and one mean for each logged value."""
        return [*super().metrics, *self._meters.values()]

    def call(
        self, batch: Mapping[str, Any], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """The network's heatmaps."""
        network = self._training_network if training else self.network
        return network(batch["image"], training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """The objective of one batch; measures the readouts on the way."""
        terms = self.objective(y_pred, x)
        size = tf.shape(x["image"])[0]
        for name, value in terms.items():
            self._meters[name].update_state(value, sample_weight=size)
        for name, error_mm in self._errors_mm(y_pred, x).items():
            self._meters[name].update_state(error_mm)
        return tf.add_n(list(terms.values()))

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
