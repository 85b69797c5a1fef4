"""What TensorBoard shows of a pipeline in training beside its losses."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from human_pose.geometry.skeletons import IMAGE_16
from human_pose.i1.training.progress import Progress
from human_pose.pipeline.calibrated_head import CalibratedHead
from human_pose.pipeline.conditioning import diagnose
from human_pose.pipeline.model import Pipeline
from human_pose.runs.tensorboard import Events


class Watcher(keras.callbacks.Callback):
    """Writes the noise model, the energy's weights, and what λ meets.

    Args:
      pipeline: in training.
      batch: some moments, always the same.
      progress: for the step.
      events: where to.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        batch: Mapping[str, Any],
        progress: Progress,
        events: Events,
    ) -> None:
        super().__init__()
        self._pipeline, self._batch = pipeline, batch
        self._progress, self._events = progress, events
        self._conditions = _conditions_of(pipeline)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes what is so now."""
        found = {} if self._conditions is None else self._conditions(self._batch)
        scalars = {name: float(value) for name, value in found.items()}
        self._events.write(self._progress.total, scalars | noise(self._pipeline))


def noise(pipeline: Pipeline) -> dict[str, float]:
    """The readout's weights: floors in px of the crop, and both factors."""
    readout = pipeline.readout
    floors = np.exp(readout.log_floor.numpy()) * readout.crop_px
    return {
        **{
            f"noise/floor_px/{name}": float(floor)
            for name, floor in zip(IMAGE_16.names, floors, strict=True)
        },
        "noise/spread": float(np.exp(readout.log_spread.numpy())),
        "noise/power": float(np.exp(readout.log_power.numpy())),
    }


def _conditions_of(pipeline: Pipeline) -> Callable[[Any], Mapping[str, Any]] | None:
    """Figures of a batch's minimisers; None where the published lifter has them."""
    head = pipeline.head
    if not isinstance(head, CalibratedHead):
        return None

    @tf.function(autograph=False)
    def conditions(batch: Mapping[str, Any]) -> Mapping[str, tf.Tensor]:
        heatmap2 = pipeline.network(batch["image"], training=False)["heatmap2"]
        detections = pipeline.read(heatmap2, batch)
        # Derivatives without λ are said of λ = 0.
        damping = (
            head.lifter.damping if head.lifter.derivative == "trust_region" else 0.0
        )
        found = diagnose(head, detections, batch["projection"], damping)
        middle = tf.shape(found.condition)[0] // 2
        ordered = tf.sort(found.condition)
        return {
            "minimiser/condition_median": ordered[middle],
            "minimiser/condition_worst": ordered[-1],
            "minimiser/smallest_eigenvalue": tf.reduce_min(found.smallest_eigenvalue),
            "minimiser/damping_largest": tf.reduce_max(found.damping),
            "minimiser/change_by_damping": tf.reduce_mean(found.change),
        }

    return conditions
