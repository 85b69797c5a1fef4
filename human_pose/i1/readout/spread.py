"""How sure a volume is of a joint: the spread of its distribution over voxels."""

from typing import NamedTuple

import numpy as np

from human_pose.i1.readout.plane import NEAR_CELLS
from human_pose.i1.readout.volume import SOFTMAX_SCALE


class Spread(NamedTuple):
    """What volumes say beside their means.

    Attributes:
      covariance: float64 `[..., J, 3, 3]`, of x, y and depth, each in [0, 1].
      confidence: float64 `[..., J]`, the share of the distribution that is near its
        mean in the picture.
    """

    covariance: np.ndarray
    confidence: np.ndarray


def spread(heatmap2: np.ndarray, scale: float = SOFTMAX_SCALE) -> Spread:
    """The spread of volumes.

    Args:
      heatmap2: `[..., H, W, J, D]`, before the softmax.
      scale: of the softmax.

    Returns:
      The second moments about the means that `volume.integral` reads, a voxel's own
      width included.
    """
    *lead, rows, columns, joints, bins = heatmap2.shape
    moved = np.moveaxis(np.asarray(heatmap2, np.float64), -2, -4)
    flat = scale * moved.reshape(*lead, joints, -1)
    mass = np.exp(flat - flat.max(axis=-1, keepdims=True))
    mass = (mass / mass.sum(axis=-1, keepdims=True)).reshape(moved.shape)
    places = [(np.arange(n) + 0.5) / n for n in (columns, rows, bins)]
    y, x, z = np.meshgrid(places[1], places[0], places[2], indexing="ij")
    grid = np.stack([x, y, z], axis=-1)
    mean = np.einsum("...yxz,yxzc->...c", mass, grid, optimize=True)
    second = np.einsum("...yxz,yxzc,yxzd->...cd", mass, grid, grid, optimize=True)
    within = np.diag([1 / (12 * n**2) for n in (columns, rows, bins)])
    covariance = second - mean[..., :, None] * mean[..., None, :] + within
    plane = mass.sum(axis=-1)
    far = np.maximum(
        np.abs(x[..., 0] - mean[..., None, None, 0]) * columns,
        np.abs(y[..., 0] - mean[..., None, None, 1]) * rows,
    )
    confidence = np.where(far <= NEAR_CELLS, plane, 0.0).sum(axis=(-2, -1))
    return Spread(covariance, confidence.clip(0.0, 1.0))
