"""Poses and errors of every sample: the network's part of an evaluation."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.i1 import readout

Network = Callable[..., Mapping[str, tf.Tensor]]
# Poses and errors of one batch, by name.
Found = dict[str, np.ndarray]


def measured(
    network: Network,
    stream: tf.data.Dataset,
    count: int,
    depth_bins: int,
    verbose: bool,
) -> Found:
    """Everything measured, of all samples, by their indices.

    Args:
      network: called like a `PoseNetwork`.
      stream: batches of the samples, in any order.
      count: the number of samples.
      depth_bins: D.
      verbose: shows a progress bar with the running error.

    Returns:
      `index` and `actions` int `[F]`, `truth_mm` `[F, 16, 3]`, and by each readout r
      `r_pose_mm` `[F, 16, 3]`, `r_error_mm` and `r_published_mm` `[F]`; F is 0 for a
      process that has none of the samples.

    Raises:
      FloatingPointError: naming the sample, if a prediction is not finite.
    """
    shown = 1 if sys.stdout.isatty() else 2
    progress = keras.utils.Progbar(
        count,
        verbose=shown if verbose else 0,
        unit_name="sample",
        stateful_metrics=["mpjpe_mm"],
    )
    done, total_mm = 0, 0.0
    measure = _measure(network, depth_bins, stream.element_spec)
    parts = [_of_nothing(measure.structured_outputs)]
    for batch in stream:
        if not len(batch["index"]):
            continue  # of a process that has none of the last batch
        part = {name: value.numpy() for name, value in measure(batch).items()}
        _check_finite(part)
        parts.append(part)
        done += len(part["index"])
        total_mm += float(part["integral_error_mm"].sum())
        progress.update(done, [("mpjpe_mm", total_mm / done)])
    return in_order(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )


def _of_nothing(specs: Mapping[str, tf.TensorSpec]) -> Found:
    """What is found in no samples: the others' kinds and sizes, with F = 0."""
    return {
        name: np.zeros([0, *spec.shape[1:]], spec.dtype.as_numpy_dtype)
        for name, spec in specs.items()
    }


def in_order(found: Found) -> Found:
    """The same, sorted by the indices."""
    order = np.argsort(found["index"], kind="stable")
    return {name: values[order] for name, values in found.items()}


def _measure(
    network: Network, depth_bins: int, spec: Mapping[str, tf.TensorSpec]
) -> Any:
    """Heatmaps stay in the graph: only poses leave it.

    It is traced here, once for batches of any size. TensorFlow counts traces by calls,
    and would complain of those for one network after another.
    """

    # Nothing here needs autograph, and it takes longer than the rest of the tracing.
    @tf.function(autograph=False)
    def measure(batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        heatmap2 = network(batch["image"], training=False)["heatmap2"]
        truth_mm = batch["joints_3d_mm"]
        label_mm = readout.label_pose_mm(batch, readout.PUBLISHED)
        result = {
            "index": batch["index"],
            "actions": batch["action"],
            "truth_mm": truth_mm,
        }
        for name in readout.READOUTS:
            position = readout.positions(heatmap2, depth_bins, name)
            pose_mm = readout.pose_mm(position, batch)
            result[f"{name}_pose_mm"] = pose_mm
            result[f"{name}_error_mm"] = metrics.mpjpe(
                metrics.root_centred(truth_mm), metrics.root_centred(pose_mm)
            )
            result[f"{name}_published_mm"] = metrics.mpjpe(
                label_mm, readout.pose_mm(position, batch, readout.PUBLISHED)
            )
        return result

    return measure.get_concrete_function(spec)


def _check_finite(part: Found) -> None:
    for name in readout.READOUTS:
        bad = ~np.isfinite(part[f"{name}_pose_mm"]).all(axis=(1, 2))
        if bad.any():
            raise FloatingPointError(
                f"the prediction for sample {part['index'][bad][0]} is not finite"
            )
