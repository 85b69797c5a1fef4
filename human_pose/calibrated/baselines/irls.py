"""Triangulation that trusts detections less the farther away they are.

Iteratively reweighted least squares with the pseudo-Huber loss, each step linear: rows
are divided by the depth, so that they measure pixels (Hartley & Sturm, Triangulation,
CVIU 1997), and weighed by the loss.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from human_pose.calibrated.baselines.linear import grams, solved, triangulated
from human_pose.calibrated.baselines.views import (
    Views,
    images,
    in_chunks,
    pinhole_views,
)
from human_pose.geometry.cameras import Camera

# Where the loss goes over from squares to distances.
SCALE_PX: Final = 10.0
_STEPS: Final = 10


def irls(
    joints_2d_px: np.ndarray, confidence: np.ndarray, cameras: Sequence[Camera]
) -> np.ndarray:
    """Triangulates every joint of every frame by itself, from the weighted DLT on.

    Args:
      joints_2d_px: `[F, V, J, 2]`, as the lenses show them; NaN where not seen.
      confidence: `[F, V, J]`; 0 where not seen.
      cameras: of the V views, in their order.

    Returns:
      `[F, J, 3]`, world mm; NaN where fewer than two views see the joint.

    Raises:
      InputError: if shapes differ or there is not one camera for each view.
    """
    views = pinhole_views(joints_2d_px, confidence, cameras)
    return in_chunks(
        lambda part: refined(triangulated(part, part.weights), part, part.weights),
        views,
    )


def refined(points_m: np.ndarray, views: Views, weights: np.ndarray) -> np.ndarray:
    """Points `[F, J, 3]`, m, after the steps; weights `[F, V, J]`, of squares."""
    shares, count = grams(views), (weights > 0).sum(axis=1)
    for _ in range(_STEPS):
        shown = images(points_m, views.projection)
        squared = np.sum((shown[..., :2] - views.points_px) ** 2, axis=-1)
        # A point behind a camera says nothing about depth there; NaN stays NaN below.
        depth = np.where(shown[..., 2] > 0, shown[..., 2], 1.0)
        loss = weights / np.sqrt(1 + np.minimum(squared, 1e12) / SCALE_PX**2)
        total = np.einsum("fvjab,fvj->fjab", shares, np.nan_to_num(loss / depth**2))
        points_m = np.where(np.isfinite(points_m), solved(total, count), points_m)
    return points_m
