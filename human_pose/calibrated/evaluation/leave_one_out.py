"""Errors without truth: joints from some cameras, seen by the cameras left out.

A method gets the detections of some views; its joints are projected into the others and
compared with what was detected there. Part of such an error is the detections' own.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from human_pose.exchange.recording import Recording
from human_pose.geometry import projection

# Less certain detections are no measure.
LEAST_CONFIDENCE: Final = 0.8
NEAR_PX: Final = 50.0
# Cameras to lift from besides all but one.
_FEW: Final = 2
# So many subsets show what there is to see; 16 cameras have 120 pairs.
MOST_SUBSETS: Final = 6

Method = Callable[[Recording], np.ndarray]


@dataclass(frozen=True)
class Errors:
    """Of joints in the views left out, px.

    Attributes:
      median: of the distances from detections.
      mean: of them.
      ninety: below which 90 % of them are.
      within_50: share of the detections that a joint is nearer to than 50 px; one
        without a joint is not near.
      coverage: share of the detections that have a joint.
      detections: how many there are.
    """

    median: float
    mean: float
    ninety: float
    within_50: float
    coverage: float
    detections: int


def leave_out(
    method: Method,
    recording: Recording,
    used: Sequence[str],
    joints: Sequence[int] | None = None,
) -> Errors:
    """Errors in the views that a method is not given.

    Args:
      method: a recording of one person with cameras -> `[F, J, 3]`, world mm.
      recording: of one person, with cameras.
      used: names of the views that the method is given.
      joints: those that count; default: all.
    """
    points_mm = np.asarray(method(recording.of_views(used)), np.float64)
    others = [name for name in recording.view_names if name not in used]
    return _errors(points_mm, recording.of_views(others), joints)


def subsets(names: Sequence[str], count: int) -> list[tuple[str, ...]]:
    """Choices of `count` views, at most `MOST_SUBSETS`, evenly drawn from all."""
    every = list(itertools.combinations(names, count))
    if len(every) <= MOST_SUBSETS:
        return every
    places = np.linspace(0, len(every) - 1, MOST_SUBSETS).round().astype(int)
    return [every[place] for place in places]


def sizes(views: int) -> tuple[int, ...]:
    """How many cameras are used: all but one, and two."""
    return tuple(
        dict.fromkeys(size for size in (views - 1, _FEW) if _FEW <= size < views)
    )


def leave_cameras_out(
    method: Method,
    recording: Recording,
    count: int,
    joints: Sequence[int] | None = None,
    title: str = "cameras left out",
) -> Errors:
    """The mean of `leave_out` over subsets of `count` views.

    Subsets beside which no other view has a detection sure enough do not count.

    Args:
      method: a recording of one person with cameras -> `[F, J, 3]`, world mm.
      recording: of one person, with cameras.
      count: of views that the method is given.
      joints: those that count; default: all.
      title: of the progress bar.
    """
    bar = tqdm(
        subsets(recording.view_names, count), desc=title, leave=False, disable=None
    )
    return _mean(leave_out(method, recording, used, joints) for used in bar)


def distances_px(points_mm: np.ndarray, recording: Recording) -> np.ndarray:
    """How far joints' images are from detections, `[F, V, J]`, px.

    Infinite where the camera cannot see the joint, NaN without joint or detection.

    Args:
      points_mm: `[F, J, 3]`, world; NaN where missing.
      recording: of one person, with cameras.
    """
    missing = ~np.isfinite(points_mm).all(axis=-1)[:, None]
    shown = projection.project(
        projection.stack(recording.cameras), tf.constant(points_mm, tf.float64)
    )
    offset = shown.pixels.numpy() - recording.joints_2d_px[:, :, 0]
    far = np.where(shown.valid.numpy(), np.linalg.norm(offset, axis=-1), np.inf)
    return np.where(missing | ~recording.seen[:, :, 0], np.nan, far)


def _errors(
    points_mm: np.ndarray, recording: Recording, joints: Sequence[int] | None
) -> Errors:
    chosen = list(range(points_mm.shape[1])) if joints is None else list(joints)
    certain = recording.confidence[:, :, 0, chosen] > LEAST_CONFIDENCE
    distances = distances_px(points_mm, recording)[:, :, chosen][certain]
    there = distances[~np.isnan(distances)]
    if not there.size:
        return Errors(np.nan, np.nan, np.nan, 0.0, 0.0, int(certain.sum()))
    return Errors(
        float(np.median(there)),
        float(np.mean(there)),
        float(np.percentile(there, 90)),
        float(np.sum(there < NEAR_PX) / certain.sum()),
        float(there.size / certain.sum()),
        int(certain.sum()),
    )


def _mean(errors: Iterable[Errors]) -> Errors:
    """The mean over choices whose views left out have detections that are a measure."""
    table = np.array([dataclasses.astuple(each) for each in errors])
    table = table[table[:, -1] > 0] if table[:, -1].any() else table
    median, mean, ninety, within, coverage, count = np.mean(table, axis=0).tolist()
    return Errors(median, mean, ninety, within, coverage, round(count))
