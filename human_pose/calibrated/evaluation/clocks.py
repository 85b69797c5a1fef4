"""Views whose clocks differ from the others', as those of cameras without a common one.

Joints from all other views are set beside a view's detections of earlier and later
frames: what a late view shows fits frames before its own.
"""

from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.baselines.linear import triangulated
from human_pose.calibrated.baselines.views import Views, images, pinhole_views
from human_pose.exchange.numbering import later, usual_step
from human_pose.exchange.recording import Recording

# Frames that are looked at, and lags: of these no more than a share of the frames.
_MOST_FRAMES: Final = 600
_FARTHEST: Final = 30
_LONGEST_SHARE: Final = 0.25
# Lags of cameras that are triggered together, and of detectors, are less.
_LEAST: Final = 2
# How much less the detections then must be off.
_BETTER: Final = 0.7
_FEWEST: Final = 3  # views
# Of frames that show the view's joints and the others', which must be left.
_LEFT: Final = 0.5
_FEWEST_FRAMES: Final = 10


class _Lag(NamedTuple):
    """By how many frames a view is late, and the errors in px: then, and as it is."""

    frames: int
    then_px: float
    said_px: float

    @property
    def share(self) -> float:
        """Of the error, what is left."""
        return self.then_px / self.said_px if 0 < self.said_px < np.inf else 1.0


def said_of_clocks(recording: Recording) -> str:
    """A sentence about the view that fits the others far better at other times, or "".

    Args:
      recording: of one person, with cameras.
    """
    names = recording.view_names
    if len(names) < _FEWEST:
        return ""
    middle = max(len(recording) - _MOST_FRAMES, 0) // 2
    some = recording.of_frames(slice(middle, middle + _MOST_FRAMES))
    detected = some.joints_2d_px[:, :, 0], some.confidence[:, :, 0]
    views = pinhole_views(*detected, some.cameras)
    lags = [_lag(some, views, view) for view in range(len(names))]
    # One that is late makes others seem early, by less.
    view = min(range(len(names)), key=lambda v: lags[v].share)
    found = lags[view]
    if abs(found.frames) < _LEAST or not found.share < _BETTER:
        return ""
    way = "late" if found.frames > 0 else "early"
    return (
        f"View {names[view]} seems to be {abs(found.frames)} frames {way}: but for "
        f"what is constant, its detections then lie {found.then_px:.1f} px from where "
        f"the other views show the joints, and {found.said_px:.1f} px as they are. Do "
        "the cameras' clocks agree?"
    )


def _lag(recording: Recording, views: Views, view: int) -> _Lag:
    weights = views.weights.copy()
    weights[:, view] = 0
    shown = images(triangulated(views, weights), views.projection)[:, view, :, :2]
    seen = views.weights[:, view, :, None] > 0
    detected = np.where(seen, views.points_px[:, view], np.nan)
    farthest = min(_FARTHEST, int(_LONGEST_SHARE * len(recording)))
    step = usual_step(recording.frames)
    off = {
        lag: _off(recording, detected, shown, lag, step)
        for lag in range(-farthest, farthest + 1)
    }
    # What is constant in few frames is nearly all.
    least = max(_LEFT * len(off[0]), _FEWEST_FRAMES)
    errors = {
        lag: _error(each) if len(each) >= least else np.inf for lag, each in off.items()
    }
    best = min(errors, key=lambda lag: (errors[lag], abs(lag)))
    return _Lag(best, errors[best], errors[0])


def _off(
    recording: Recording, detected: np.ndarray, shown: np.ndarray, lag: int, step: int
) -> np.ndarray:
    """A view's joints beside what others show `lag` frames before: `[F, J, 2]`.

    Of the frames that show some on both sides; NaN where a joint is not.
    """
    before, now = later(recording.frames, recording.sequence, lag, step)
    off = detected[now] - shown[before]
    known = np.isfinite(off).all(axis=-1)
    return np.where(known[..., None], off, np.nan)[known.any(axis=1)]


def _error(off: np.ndarray) -> float:
    """The median distance, but for what is constant of each joint."""
    known = np.isfinite(off).all(axis=-1).any(axis=0)
    off = off[:, known] - np.nanmedian(off[:, known], axis=0)
    return float(np.nanmedian(np.linalg.norm(off, axis=-1)))
