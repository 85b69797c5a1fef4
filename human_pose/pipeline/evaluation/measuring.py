"""Poses, detections and their errors of every test moment."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from human_pose.geometry import metrics
from human_pose.geometry.projection import by_matrices
from human_pose.pipeline.config import Outliers
from human_pose.pipeline.model import Pipeline
from human_pose.pipeline.outliers import displaced
from human_pose.runs import measures

# Of the length of a 2D Gaussian with deviation 1 in each direction: shares within one
# and within two deviations, 1 - exp(-r² / 2).
GAUSSIAN_WITHIN: Final = {1: 1 - np.exp(-0.5), 2: 1 - np.exp(-2.0)}
# Marks outliers of evaluations; no step of a training has it.
_EVALUATION: Final = 1


@dataclass(frozen=True, eq=False)
class Measured:
    """What was found of N moments, in order.

    Attributes:
      poses_mm: `[N, J, 3]`, world.
      truth_mm: `[N, J, 3]`, likewise.
      points_px: `[N, V, J, 2]`, detections, px of the cameras' frames.
      covariance_px2: `[N, V, J, 2, 2]`, what they are trusted to.
      images_px: `[N, V, J, 2]`, of the truth.
    """

    poses_mm: np.ndarray
    truth_mm: np.ndarray
    points_px: np.ndarray
    covariance_px2: np.ndarray
    images_px: np.ndarray

    @cached_property
    def standard(self) -> np.ndarray:
        """`measures.COMMON_MEASURES` of each moment, `[N, 5]`."""
        return measures.common(self.truth_mm, self.poses_mm)

    @property
    def absolute_mm(self) -> np.ndarray:
        """Mean distances in the world, `[N]`."""
        return np.asarray(metrics.mpjpe(self.truth_mm, self.poses_mm))

    @property
    def joint_errors_mm(self) -> np.ndarray:
        """Distances about the hip, means over moments, `[J]`."""
        off = metrics.root_centred(self.poses_mm) - metrics.root_centred(self.truth_mm)
        return np.asarray(np.linalg.norm(off, axis=-1).mean(axis=0))

    @cached_property
    def detection_errors_px(self) -> np.ndarray:
        """`[N, V, J]`."""
        off = self.points_px - self.images_px
        return np.asarray(np.linalg.norm(off, axis=-1))

    def share_within(self, deviations: float) -> float:
        """Of the detections, those whose error is within so many deviations."""
        off = (self.points_px - self.images_px)[..., None]
        squared = off.swapaxes(-1, -2) @ np.linalg.solve(self.covariance_px2, off)
        return float((squared <= deviations**2).mean())


def measured(
    pipeline: Pipeline,
    batches: tf.data.Dataset,
    count: int,
    outliers: Outliers,
    seed: int,
    verbose: bool,
) -> Measured:
    """Measures all moments.

    Args:
      pipeline: the model.
      batches: of `MomentSet`, in any order.
      count: how many moments they have.
      outliers: see `config.Outliers`.
      seed: of these.
      verbose: shows a progress bar with the running error.

    Raises:
      FloatingPointError: naming the moment, if a pose is not finite.
    """
    progress = keras.utils.Progbar(
        count,
        verbose=(1 if sys.stdout.isatty() else 2) if verbose else 0,
        unit_name="moment",
        stateful_metrics=["mpjpe_mm"],
    )

    @tf.function(autograph=False, reduce_retracing=True)
    def measure(batch: Mapping[str, Any]) -> Any:
        heatmap2 = pipeline.network(batch["image"], training=False)["heatmap2"]
        detections = pipeline.read(heatmap2, batch)
        moment = batch["moment"]
        mark = tf.fill(tf.shape(moment), tf.constant(_EVALUATION, tf.int64) + seed)
        detections = displaced(detections, outliers, tf.stack([moment, mark], -1))
        truth = batch["joints_world_mm"]
        homogeneous = by_matrices(truth, batch["projection"])
        images = homogeneous[..., :2] / homogeneous[..., 2:]
        poses = pipeline.lift(detections, batch)
        return poses, truth, detections.points_px, detections.covariance_px2, images

    parts: list[list[np.ndarray]] = []
    numbers: list[np.ndarray] = []
    done, total = 0, 0.0
    for batch in batches:
        found = [value.numpy() for value in measure(batch)]
        lost = ~np.isfinite(found[0]).all(axis=(1, 2))
        numbers.append(batch["moment"].numpy())
        if lost.any():
            number = int(numbers[-1][lost][0])
            raise FloatingPointError(f"the pose of moment {number} is not finite")
        parts.append(found)
        done += len(found[0])
        poses, truth = map(metrics.root_centred, found[:2])
        total += float(np.sum(metrics.mpjpe(truth, poses)))
        progress.update(done, [("mpjpe_mm", total / done)])
    order = np.argsort(np.concatenate(numbers))
    columns = zip(*parts, strict=True)
    return Measured(*(np.concatenate(column)[order] for column in columns))
