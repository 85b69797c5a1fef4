"""How results and detections agree: by joint, by view, over time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf
from scipy import stats

from human_pose.exchange.numbering import moments
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.geometry import projection

_PART: Final = 2000  # frames at once
_MOST_PAIRS: Final = 200_000  # of errors that are ranked


@dataclass(frozen=True)
class Agreement:
    """Of the detections of one joint, or of one view.

    Attributes:
      median: of the reprojection errors, px.
      mean: of them.
      ninety_five: below which 95 % of them are.
      predicted: root mean square of the error that the joints' covariances imply in
        the image, px, the detections' own not included.
      missing: share of frames and views without a detection.
      outliers: share of the detections that were not believed.
    """

    median: float
    mean: float
    ninety_five: float
    predicted: float
    missing: float
    outliers: float


def by_joint(poses: Poses, predicted_px: np.ndarray) -> list[Agreement]:
    """The agreement of each of the J joints."""
    joints = range(len(poses.skeleton))
    return [_agreement(poses, predicted_px, np.s_[:, :, [j]]) for j in joints]


def by_view(poses: Poses, predicted_px: np.ndarray) -> list[Agreement]:
    """The agreement of each of the V views, in the joints that some view shows.

    The others are the prior's alone, as those that the detector does not have: no view
    lacks them.
    """
    joints = shown_joints(poses)
    views = range(len(poses.view_names))
    return [_agreement(poses, predicted_px, (slice(None), [v], joints)) for v in views]


def shown_joints(poses: Poses) -> np.ndarray:
    """Whether a view ever shows each joint: bool `[J]`."""
    return np.asarray(np.isfinite(poses.reprojection_px).any(axis=(0, 1)))


def predicted_px(poses: Poses, recording: Recording) -> np.ndarray:
    """Deviations of the joints' images by their covariances, `[F, V, J]`, px."""
    cameras = projection.stack(recording.cameras)
    result = np.empty(poses.reprojection_px.shape)
    for part in _parts(len(poses)):
        joints = tf.constant(poses.joints_3d_mm[part])
        shown, slope = projection.project_with_jacobian(cameras, joints)
        spread = np.einsum(
            "fvjra,fjab,fvjrb->fvj",
            *(slope.numpy(), poses.covariance_mm2[part], slope.numpy()),
            optimize=True,
        )
        deviation = np.sqrt(np.maximum(spread, 0.0))
        result[part] = np.where(shown.valid.numpy(), deviation, np.nan)
    return result


def images_px(
    poses: Poses, recording: Recording, chosen: slice | None = None
) -> np.ndarray:
    """Where the cameras show the joints, `[F, V, J, 2]`; NaN where they do not.

    Args:
      poses: the results.
      recording: its cameras are asked.
      chosen: frames; default: all.
    """
    cameras = projection.stack(recording.cameras)
    joints = poses.joints_3d_mm[chosen or slice(None)]
    shown = projection.project(cameras, tf.constant(joints))
    return np.where(shown.valid.numpy()[..., None], shown.pixels.numpy(), np.nan)


def offsets_px(poses: Poses, recording: Recording) -> np.ndarray:
    """From the joints' images to the detections believed, mean of each view `[V, 2]`.

    Far from 0 where a camera is not where its calibration says, or the detector puts
    joints elsewhere from that side. Frames in which the view is swapped do not count.
    """
    cameras = projection.stack(recording.cameras)
    total, count = np.zeros((len(recording.cameras), 2)), 0
    for part in _parts(len(poses)):
        shown = projection.project(cameras, tf.constant(poses.joints_3d_mm[part]))
        offset = recording.joints_2d_px[part, :, 0] - shown.pixels.numpy()
        used = poses.views_used[part] & shown.valid.numpy()
        used &= np.isfinite(offset).all(axis=-1)
        used &= ~np.any(poses.swapped[part], axis=-1, keepdims=True)
        total += np.where(used[..., None], offset, 0.0).sum(axis=(0, 2))
        count += used.sum(axis=(0, 2))
    return np.asarray(total / np.maximum(count, 1)[:, None])


def _parts(count: int) -> Iterator[slice]:
    """Frames in parts, so that memory does not grow with them."""
    for first in range(0, count, _PART):
        yield slice(first, first + _PART)


def rank_correlation(poses: Poses, predicted_px: np.ndarray) -> float:
    """Spearman's, of predicted and actual reprojection errors; NaN of too few."""
    both = np.isfinite(predicted_px) & np.isfinite(poses.reprojection_px)
    every = -(-int(both.sum()) // _MOST_PAIRS) or 1
    pair = predicted_px[both][::every], poses.reprojection_px[both][::every]
    if both.sum() < 3 or min(map(np.ptp, pair)) == 0:
        return float("nan")
    return float(stats.spearmanr(*pair).statistic)


def medians_px(poses: Poses) -> np.ndarray:
    """Median reprojection error of each view's joints, `[F, V]`; NaN where none is."""
    known = np.isfinite(poses.reprojection_px).any(axis=-1)
    filled = np.where(known[..., None], poses.reprojection_px, 0.0)
    return np.where(known, np.nanmedian(filled, axis=-1), np.nan)


def swap_ranges(poses: Poses) -> dict[str, dict[str, list[tuple[int, int]]]]:
    """First and last frames of each run of swaps, by view and pair of limbs.

    The frames are numbered as the recording numbers them; a run ends with its take, and
    where frames lack.
    """
    found: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for v, view in enumerate(poses.view_names):
        for s, limbs in enumerate(poses.swap_names):
            if runs := _runs(poses.swapped[:, v, s], poses):
                found.setdefault(view, {})[limbs] = runs
    return found


def _runs(swapped: np.ndarray, poses: Poses) -> list[tuple[int, int]]:
    places = np.flatnonzero(swapped)
    if not places.size:
        return []
    apart = np.diff(moments(poses.frames, poses.sequence)[places]) > 1
    apart |= np.diff(poses.sequence[places]) != 0
    runs = np.split(poses.frames[places], np.flatnonzero(apart) + 1)
    return [(int(run[0]), int(run[-1])) for run in runs]


def _agreement(poses: Poses, predicted_px: np.ndarray, part: Any) -> Agreement:
    errors = poses.reprojection_px[part]
    used = poses.views_used[part]
    predicted = predicted_px[part]
    seen = np.isfinite(errors)
    there, sure = errors[seen], predicted[seen & np.isfinite(predicted)]
    return Agreement(
        *_statistics(there),
        float(np.sqrt(np.mean(sure**2))) if sure.size else float("nan"),
        float(1 - seen.sum() / max(seen.size, 1)),
        float(np.mean(~used[seen])) if there.size else float("nan"),
    )


def _statistics(errors_px: np.ndarray) -> tuple[float, float, float]:
    if not errors_px.size:
        return (float("nan"),) * 3
    return (
        float(np.median(errors_px)),
        float(np.mean(errors_px)),
        float(np.percentile(errors_px, 95)),
    )
