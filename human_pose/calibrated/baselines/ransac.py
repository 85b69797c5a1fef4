"""Triangulation from the pair of views that most others agree with.

Every pair is tried instead of random ones, as there are few; what agrees with the best
pair is triangulated together and refined (Fischler & Bolles, CACM 1981).
"""

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np

from human_pose.calibrated.baselines.irls import refined
from human_pose.calibrated.baselines.linear import grams, solved, triangulated
from human_pose.calibrated.baselines.views import (
    Views,
    distances_px,
    in_chunks,
    pinhole_views,
)
from human_pose.geometry.cameras import Camera

# Nearer to its image than that, a detection agrees with a point.
INLIER_PX: Final = 15.0


def ransac(
    joints_2d_px: np.ndarray, confidence: np.ndarray, cameras: Sequence[Camera]
) -> np.ndarray:
    """Triangulates every joint of every frame by itself, without detections far off.

    Args:
      joints_2d_px: `[F, V, J, 2]`, as the lenses show them; NaN where not seen.
      confidence: `[F, V, J]`; 0 where not seen.
      cameras: of the V views, in their order.

    Returns:
      `[F, J, 3]`, world mm; NaN where fewer than two views see the joint.

    Raises:
      InputError: if shapes differ or there is not one camera for each view.
    """
    return in_chunks(_robust, pinhole_views(joints_2d_px, confidence, cameras))


def _robust(views: Views) -> np.ndarray:
    shares = grams(views) * (views.weights**2)[..., None, None]
    least = np.full(views.weights[:, 0].shape, np.inf)
    inliers = np.zeros(views.weights.shape, bool)
    for pair in itertools.combinations(range(len(views.projection)), 2):
        both = list(pair)
        count = (views.weights[:, both] > 0).sum(axis=1)
        points = solved(shares[:, both].sum(axis=1), count)
        distances = distances_px(points, views)
        cost = np.minimum(distances, INLIER_PX) ** 2 * views.weights
        cost = np.where(np.isnan(points[..., 0]), np.inf, cost.sum(axis=1))
        better = cost < least
        agree = distances < INLIER_PX
        agree[:, both] = True  # at worst the pair stands alone
        least = np.where(better, cost, least)
        inliers = np.where(better[:, None], agree, inliers)
    weights = np.where(inliers, views.weights, 0.0)
    return refined(triangulated(views, weights), views, weights)
