"""Confidence-weighted linear triangulation (DLT).

For each view the rows w (p₁ − x p₃) and w (p₂ − y p₃) of the projection's rows p; the
joint is the right singular vector of the least singular value: Hartley & Zisserman,
Multiple View Geometry, 2nd ed., section 12.2. The weights are Pose2Sim's.
"""

from collections.abc import Sequence

import numpy as np

from human_pose.calibrated.baselines.views import Views, in_chunks, pinhole_views
from human_pose.geometry.cameras import Camera


def weighted_dlt(
    joints_2d_px: np.ndarray, confidence: np.ndarray, cameras: Sequence[Camera]
) -> np.ndarray:
    """Triangulates every joint of every frame by itself.

    Args:
      joints_2d_px: `[F, V, J, 2]`, as the lenses show them; NaN where not seen.
      confidence: `[F, V, J]`, the rows' weights; 0 where not seen.
      cameras: of the V views, in their order.

    Returns:
      `[F, J, 3]`, world mm; NaN where fewer than two views see the joint.

    Raises:
      InputError: if shapes differ or there is not one camera for each view.
    """
    views = pinhole_views(joints_2d_px, confidence, cameras)
    return in_chunks(lambda part: triangulated(part, part.weights), views)


def triangulated(views: Views, weights: np.ndarray) -> np.ndarray:
    """Joints `[F, J, 3]`, m, of weighted rows; weights `[F, V, J]`."""
    return solved(
        np.einsum("fvjab,fvj->fjab", grams(views), weights**2), (weights > 0).sum(1)
    )


def grams(views: Views) -> np.ndarray:
    """Each view's share of the normal equations, `[F, V, J, 4, 4]`."""
    rows = views.projection[:, None, :2] - (
        views.points_px[..., None] * views.projection[:, None, 2:]
    )
    return np.asarray(np.swapaxes(rows, -1, -2) @ rows)


def solved(gram: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Points `[..., 3]` of summed shares `[..., 4, 4]` of `count` `[...]` views."""
    vector = np.linalg.eigh(gram)[1][..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        points = vector[..., :3] / vector[..., 3:]
    known = (count >= 2) & np.isfinite(points).all(axis=-1)
    return np.where(known[..., None], points, np.nan)
