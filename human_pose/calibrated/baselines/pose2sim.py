"""Pose2Sim's rule: drop cameras until the others agree, else give the joint up.

Pagnon et al., Pose2Sim: An End-to-End Workflow for 3D Markerless Sports Kinematics,
Sensors 2021; numbers are the defaults of version 0.10. Detections below a likelihood
are not used. While the mean reprojection error is above the threshold, every choice of
1, 2, ... cameras is left out, down to two that remain, and the best choice counts. The
number of choices explodes with the number of cameras: the rule is that way.
"""

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.interpolate import interp1d

from human_pose.calibrated.baselines.linear import grams, solved
from human_pose.calibrated.baselines.views import (
    Views,
    distances_px,
    in_chunks,
    pinhole_views,
)
from human_pose.geometry.cameras import Camera

ERROR_PX: Final = 15.0
_LEAST_LIKELIHOOD: Final = 0.3
_LEAST_CAMERAS: Final = 2
# Longer gaps are not interpolated, but hold the last value.
_LONGEST_GAP: Final = 20
# A cubic needs more points than it has coefficients.
_LEAST_KNOWN: Final = 5


def camera_dropping(
    joints_2d_px: np.ndarray, confidence: np.ndarray, cameras: Sequence[Camera]
) -> np.ndarray:
    """Triangulates the frames of one take, and fills gaps over time.

    Args:
      joints_2d_px: `[F, V, J, 2]`, as the lenses show them; NaN where not seen.
      confidence: `[F, V, J]`; 0 where not seen.
      cameras: of the V views, in their order.

    Returns:
      `[F, J, 3]`, world mm; NaN for joints that are found in too few frames.

    Raises:
      InputError: if shapes differ or there is not one camera for each view.
    """
    likely = np.where(confidence < _LEAST_LIKELIHOOD, 0.0, confidence)
    views = pinhole_views(joints_2d_px, likely, cameras)
    return gaps_filled(in_chunks(_agreeing, views))


def _agreeing(views: Views) -> np.ndarray:
    """Joints `[F, J, 3]`, m, NaN where no two cameras agree."""
    shares = grams(views) * (views.weights**2)[..., None, None]
    number = len(views.projection)
    missing = (views.weights == 0).sum(axis=1)  # [F, J]
    error, points = np.full(missing.shape, np.inf), np.full((*missing.shape, 3), np.nan)
    for off in range(number - _LEAST_CAMERAS + 1):
        # A view that does not see a joint is off already.
        bad = (error > ERROR_PX) & (missing + off <= number - _LEAST_CAMERAS)
        frames, joints = np.nonzero(bad)
        if not len(frames):
            continue
        chosen = Views(
            views.points_px[frames][np.arange(len(frames)), :, joints][:, :, None],
            views.weights[frames, :, joints][..., None],
            views.projection,
        )
        share = shares[frames, :, joints]  # [N, V, 4, 4]
        best, found = np.full(len(frames), np.inf), np.full((len(frames), 3), np.nan)
        for kept in itertools.combinations(range(number), number - off):
            tried, mean = _tried(chosen, share, list(kept))
            better = mean < best
            best = np.where(better, mean, best)
            found = np.where(better[:, None], tried, found)
        error[frames, joints], points[frames, joints] = best, found
    return np.where(error[..., None] <= ERROR_PX, points, np.nan)


def _tried(
    views: Views, share: np.ndarray, kept: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Points `[N, 3]` of some cameras, and their mean errors there, `[N]`, px."""
    seen = views.weights[:, kept, 0] > 0
    points = solved(share[:, kept].sum(axis=1), seen.sum(axis=1))
    distances = distances_px(points[:, None], views)[:, kept, 0]
    total = np.where(seen, distances, 0.0).sum(axis=1)
    mean = total / np.maximum(seen.sum(axis=1), 1)
    return points, np.where(np.isnan(points[:, 0]), np.inf, mean)


def gaps_filled(joints_mm: np.ndarray) -> np.ndarray:
    """Fills gaps of the joints `[F, J, 3]` of one take, as Pose2Sim does.

    Up to 20 frames by a cubic through what is known; a longer gap, and what has no
    known frame on both sides, holds the nearest earlier one, else the first.
    """
    result = joints_mm.copy()
    frames = np.arange(len(joints_mm))
    for joint in range(joints_mm.shape[1]):
        known = np.isfinite(joints_mm[:, joint]).all(axis=-1)
        if known.sum() < _LEAST_KNOWN or known.all():
            continue
        places = frames[known]
        after = np.searchsorted(places, frames)
        before = np.maximum(np.searchsorted(places, frames, side="right") - 1, 0)
        held = joints_mm[places[before], joint]
        inside = (after > 0) & (after < len(places))
        gap = places[np.minimum(after, len(places) - 1)] - places[before] - 1
        cubic = interp1d(places, joints_mm[places, joint], "cubic", axis=0)
        short = inside & (gap <= _LONGEST_GAP) & ~known
        result[:, joint] = np.where(known[:, None], joints_mm[:, joint], held)
        result[short, joint] = cubic(frames[short])
    return result
