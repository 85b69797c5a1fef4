"""What a stage minimises: its loss terms, from a network's outputs and a batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from human_pose.i1 import curriculum
from human_pose.i1.curriculum import LossTerms
from human_pose.i1.objective import losses, targets
from human_pose.i1.readout import stage1, volume


@dataclass(frozen=True)
class Objective:
    """The terms of a loss over one batch.

    Labels are made here, on the device: at 64 depth bins one has 17 MB a sample.

    Attributes:
      terms: what is compared, and how it is weighted.
      depth_bins: D of the volumetric heatmap.
      gradient: of the softmax and of the first stage's readout, "true" or "published".
      peak: where heatmap labels peak, see `targets`.
    """

    terms: LossTerms
    depth_bins: int
    gradient: volume.Gradient = "true"
    peak: targets.Peak = "unbiased"

    def __call__(
        self, outputs: Mapping[str, tf.Tensor], batch: Mapping[str, Any]
    ) -> dict[str, tf.Tensor]:
        """What each term adds to the loss, by name; the loss is their sum.

        Args:
          outputs: `heatmap` `[B, S, S, J]` and `heatmap2` `[B, S, S, J D]`.
          batch: `joints_2d` `[B, J, 2]` and `depth` `[B, J]`, both of [0, 1].

        Returns:
          Scalars, named `adaptive_<term>`, `euclidean_<term>` or `absolute_<term>`.
        """
        pairs = self._pairs(outputs, batch)
        result = {}
        if self.terms.adaptive:
            added = losses.AdaptiveWeightEuclidean().terms(
                [pairs[name] for name in self.terms.adaptive]
            )
            for name, value in zip(self.terms.adaptive, added, strict=True):
                result[f"adaptive_{name}"] = value
        for kind, loss, weighted in (
            ("euclidean", losses.Euclidean, self.terms.euclidean),
            ("absolute", losses.Absolute, self.terms.absolute),
        ):
            if weighted:
                names, weights = zip(*weighted, strict=True)
                added = loss(weights).terms([pairs[name] for name in names])
                for name, value in zip(names, added, strict=True):
                    result[f"{kind}_{name}"] = value
        return result

    @property
    def names(self) -> tuple[str, ...]:
        """The keys of the result."""
        return (
            *(f"adaptive_{name}" for name in self.terms.adaptive),
            *(f"euclidean_{name}" for name, _ in self.terms.euclidean),
            *(f"absolute_{name}" for name, _ in self.terms.absolute),
        )

    def _pairs(
        self, outputs: Mapping[str, tf.Tensor], batch: Mapping[str, Any]
    ) -> dict[str, losses.Pair]:
        """Prediction and target of every term needed."""
        heatmap, heatmap2 = outputs["heatmap"], outputs["heatmap2"]
        joints_2d, depth = batch["joints_2d"], batch["depth"]
        size = heatmap.shape[1]
        needed = self.terms.names
        pairs: dict[str, losses.Pair] = {}
        if curriculum.HEATMAP_2D in needed:
            label = targets.heatmaps_2d(joints_2d, size, self.peak)
            pairs[curriculum.HEATMAP_2D] = (heatmap, label)
        if curriculum.HEATMAP_3D in needed:
            label = targets.heatmaps_3d(
                joints_2d, depth, self.depth_bins, size, self.peak
            )
            pairs[curriculum.HEATMAP_3D] = (heatmap2, label)
        if {curriculum.JOINTS_2D, curriculum.DEPTH} & set(needed):
            position = volume.integral(
                heatmap2, self.depth_bins, gradient=self.gradient
            )
            pairs[curriculum.JOINTS_2D] = (position[..., :2], joints_2d)
            pairs[curriculum.DEPTH] = (position[..., 2], depth)
        if curriculum.STAGE_1_JOINTS_2D in needed:
            early = stage1.integral(heatmap, self.gradient)
            pairs[curriculum.STAGE_1_JOINTS_2D] = (early, joints_2d)
        return pairs
