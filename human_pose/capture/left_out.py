"""How well cameras agree: each view's detections beside joints from the others."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.baselines.linear import triangulated
from human_pose.calibrated.baselines.views import images, pinhole_views
from human_pose.geometry.cameras import Camera

# Less certain detections are no measure, unless there are few better ones.
_CERTAIN: Final = 0.8


class Detected(NamedTuple):
    """Detections of one person in each frame.

    Attributes:
      joints_2d_px: `[F, V, J, 2]`, as the lenses show them; NaN where not seen.
      confidence: `[F, V, J]`, 0 where not seen, or not to be used.
      exchanged: bool `[F, V]`, where left and right are exchanged; not to be used.
    """

    joints_2d_px: np.ndarray
    confidence: np.ndarray
    exchanged: np.ndarray

    def of(self, rows: np.ndarray) -> "Detected":
        """Of some frames."""
        return Detected(*(array[rows] for array in self))


def left_out_px(detected: Detected, cameras: Sequence[Camera]) -> float:
    """The mean over views of the median distance, px; NaN if nothing can be compared.

    Args:
      detected: in V views.
      cameras: of the views. Of two, joints are from both.
    """
    lengths = np.linalg.norm(_offsets(detected, cameras), axis=-1)
    medians = [
        float(np.median(known)) if (known := each[np.isfinite(each)]).size else np.nan
        for each in np.swapaxes(lengths, 0, 1)
    ]
    known = [median for median in medians if np.isfinite(median)]
    return float(np.mean(known)) if known else float("nan")


def common_share(detected: Detected, cameras: Sequence[Camera]) -> float:
    """What all joints of a view have in common of the lasting offsets, from 0 to 1."""
    offsets = _offsets(detected, cameras)  # [F, V, J, 2]
    some = np.isfinite(offsets).any(axis=0)
    lasting = np.nanmedian(np.where(some, offsets, 0.0), axis=0)
    count = np.maximum(some.sum(axis=1), 1)
    mean = np.where(some, lasting, 0.0).sum(axis=1) / count
    total = np.square(np.where(some, lasting, 0.0)).sum()
    return float((np.square(mean) * count).sum() / max(total, np.finfo(float).tiny))


def _offsets(detected: Detected, cameras: Sequence[Camera]) -> np.ndarray:
    """From joints of the other views to the certain detections `[F, V, J, 2]`, px."""
    views = pinhole_views(detected.joints_2d_px, detected.confidence, cameras)
    result = np.full(views.points_px.shape, np.nan)
    positive = views.weights[views.weights > 0]
    certain = min(_CERTAIN, float(np.median(positive))) if positive.size else _CERTAIN
    for view in range(len(cameras)):
        weights = views.weights.copy()
        if len(cameras) > 2:
            weights[:, view] = 0.0
        points_m = triangulated(views, weights)
        shown = images(points_m, views.projection[[view]])[:, 0, :, :2]
        used = (views.weights[:, view] >= certain) & np.isfinite(shown).all(axis=-1)
        offset = np.where(used[..., None], views.points_px[:, view] - shown, np.nan)
        result[:, view] = offset
    return result
