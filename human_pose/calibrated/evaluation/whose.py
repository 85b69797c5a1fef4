"""Whose motion a truth is, where a recording shows several people."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from human_pose.calibrated.baselines.linear import weighted_dlt
from human_pose.calibrated.evaluation.truth import known_frames, truth_of
from human_pose.exchange.recording import Motion, Recording

# Frames that tell.
_MOST_FRAMES: Final = 100
# Farther away somebody else stands, whatever the detections' noise.
_FAR_MM: Final = 500.0


def may_be_of(truth: Motion, recordings: Sequence[Recording]) -> list[bool]:
    """Whether each person may be the one of a known motion.

    It is the nearest one, and whoever is near, as where one person counts as several.

    Args:
      truth: the known motion.
      recordings: of the persons, with cameras, all of the same frames.

    Raises:
      InputError: if the truth has no frame or joint of the recordings'.
    """
    off_mm = _distances_mm(truth, recordings)
    if np.isnan(off_mm).all():  # no two views show anybody there
        return [True] * len(recordings)
    return [bool(off == np.nanmin(off_mm) or off < _FAR_MM) for off in off_mm]


def nearest(truth: Motion, recordings: Sequence[Recording]) -> int:
    """The number of the person whom a known motion is nearest; 0 where nobody is known.

    Arguments and errors as of `may_be_of`.
    """
    off_mm = _distances_mm(truth, recordings)
    return 0 if np.isnan(off_mm).all() else int(np.nanargmin(off_mm))


def said_of_place(truth: Motion, recordings: Sequence[Recording]) -> str:
    """What is wrong where a known motion is of none of the persons; "" if it may be.

    Arguments and errors as of `may_be_of`.
    """
    off_mm = _distances_mm(truth, recordings)
    nearest = np.nanmin(off_mm) if np.isfinite(off_mm).any() else 0.0
    if nearest < _FAR_MM:
        return ""
    return (
        "must be of the recording's motion, in the calibration's world with z upwards; "
        f"in the median its joints lie {nearest / 1000:.2g} m from what views show"
    )


def _distances_mm(truth: Motion, recordings: Sequence[Recording]) -> np.ndarray:
    known = truth_of(truth, recordings[0])
    return np.array([_distance_mm(known, each) for each in recordings])


def _distance_mm(known_mm: np.ndarray, recording: Recording) -> float:
    """The median distance of a person's joints from the truth's; NaN of none."""
    shown = known_frames(known_mm)
    shown &= recording.seen[:, :, 0].any(axis=-1).sum(axis=1) > 1
    rows = np.flatnonzero(shown)
    rows = rows[:: max(len(rows) // _MOST_FRAMES, 1)]
    if not len(rows):
        return float("nan")
    some = recording.of_frames(rows)
    found = weighted_dlt(
        some.joints_2d_px[:, :, 0], some.confidence[:, :, 0], some.cameras
    )
    distances = np.linalg.norm(found - known_mm[rows], axis=-1)
    distances = distances[np.isfinite(distances)]
    return float(np.median(distances)) if len(distances) else float("nan")
