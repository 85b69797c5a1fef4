"""Heatmap labels, made on the device from joint positions.

A volumetric label at 64 depth bins has 17 MB a sample, so it is computed inside the
training step: each Gaussian is a product of one factor per axis, and only the product
has the label's size (int-3dhuman-I1: `GenHeatmap` layers).
"""

from dataclasses import dataclass
from typing import Final, Literal

import tensorflow as tf

Peak = Literal["published", "unbiased"]

# Farther from the map no Gaussian reaches it, whatever else a joint's number is.
_FAR: Final = 1e6


@dataclass(frozen=True)
class GaussianSizes:
    """Sizes of the label's Gaussians, in bins; int-3dhuman-I1's layer parameters.

    Attributes:
      sigma: along rows and columns.
      half_window: bins farther from the peak are 0.
      finest_bins: along rows and columns, by which a position is first rounded.
      depth_window: along depth, of `finest_depth_bins`; other depths have a
        proportional odd window.
      finest_depth_bins: bins by which a depth is first rounded up.
    """

    sigma: float = 2.0
    half_window: int = 6
    finest_bins: int = 64
    depth_window: int = 12
    finest_depth_bins: int = 64

    def depth_half_window(self, depth_bins: int) -> int:
        """Bins on either side of the peak along depth."""
        return int((self.depth_window * depth_bins / self.finest_depth_bins + 1) / 2)

    def depth_sigma(self, depth_bins: int) -> float:
        """Standard deviation along depth, bins."""
        return (2 * self.depth_half_window(depth_bins) + 1) / 6


SIZES: Final = GaussianSizes()


def heatmaps_2d(
    joints_2d: tf.Tensor, size: int = 64, peak: Peak = "published"
) -> tf.Tensor:
    """One Gaussian per joint, 1 at its peak.

    Args:
      joints_2d: floating `[B, J, 2]`, x and y, [0, 1] across the crop; may leave it.
      size: S, bins per side; the Gaussian's width in bins does not depend on it.
      peak: "published" puts the peak on bin round(64 x) of 64, half a bin right of the
        bin centre that a readout gives back, and at that place of a smaller map;
        "unbiased" puts it where the readout (k + 0.5) / S gives x, between bins.

    Returns:
      `[B, S, S, J]`, dtype of `joints_2d`.

    Raises:
      ValueError: if `peak` is neither.
    """
    columns, rows = _plane_factors(joints_2d, size, peak)
    return rows[:, :, None, :] * columns[:, None, :, :]


def heatmaps_3d(
    joints_2d: tf.Tensor,
    depth: tf.Tensor,
    depth_bins: int,
    size: int = 64,
    peak: Peak = "published",
) -> tf.Tensor:
    """One Gaussian per joint over depth, rows and columns.

    Args:
      joints_2d: see `heatmaps_2d`.
      depth: floating `[B, J]`, [0, 1] across the volume.
      depth_bins: D.
      size: S.
      peak: see `heatmaps_2d`; "published" moreover puts a depth outside [0, 1], also
        one that is too far, into the first bin, "unbiased" into the nearest.

    Returns:
      `[B, S, S, J D]`, channel `j D + d`, dtype of `joints_2d`.

    Raises:
      ValueError: if `peak` is neither.
    """
    columns, rows = _plane_factors(joints_2d, size, peak)
    depths = _depth_factor(tf.cast(depth, columns.dtype), depth_bins, peak)
    # Depth times row first: the product with columns is then the only large one.
    depth_rows = rows[:, :, None, :, None] * depths[:, None, None, :, :]
    volume = depth_rows * columns[:, None, :, :, None]  # [B, S, S, J, D]
    channels = depths.shape[1] * depth_bins
    return tf.reshape(volume, [-1, size, size, channels])


def _plane_factors(
    joints_2d: tf.Tensor, size: int, peak: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Factors along columns and rows, `[B, S, J]` each."""
    joints_2d = tf.convert_to_tensor(joints_2d)
    joints_2d = tf.clip_by_value(joints_2d, -_FAR, _FAR)
    if peak == "published":
        # The original casts to int, which rounds towards 0.
        fine = tf.cast(joints_2d * SIZES.finest_bins + 0.5, tf.int32)
        position = (tf.cast(fine, joints_2d.dtype) + 0.5) * (size / SIZES.finest_bins)
    elif peak == "unbiased":
        position = joints_2d * size
    else:
        raise ValueError(f"peak must be published or unbiased; received {peak!r}")
    centre = position - 0.5
    bins = tf.range(size, dtype=position.dtype)[None, :, None, None]
    factor = _gaussian(
        bins - centre[:, None], SIZES.sigma, SIZES.half_window
    )  # [B, S, J, 2]
    return factor[..., 0], factor[..., 1]


def _depth_factor(depth: tf.Tensor, depth_bins: int, peak: str) -> tf.Tensor:
    """Factor along depth, `[B, J, D]`."""
    finest = SIZES.finest_depth_bins
    outside = tf.ones_like(depth)
    if peak == "unbiased":
        outside = tf.where(depth > 1, finest * outside, outside)
    inside = (depth >= 0) & (depth <= 1)
    fine = tf.where(inside, tf.maximum(tf.math.ceil(depth * finest), 1), outside)
    centre = tf.math.ceil(fine * depth_bins / finest)  # 1 to D
    bins = tf.range(1, depth_bins + 1, dtype=depth.dtype)
    return _gaussian(
        bins - centre[..., None],
        SIZES.depth_sigma(depth_bins),
        SIZES.depth_half_window(depth_bins),
    )


def _gaussian(distance: tf.Tensor, sigma: float, half_window: int) -> tf.Tensor:
    value = tf.exp(-tf.square(distance) / (2 * sigma**2))
    return tf.where(tf.abs(distance) <= half_window, value, tf.zeros_like(value))
