"""Views that were recorded at times of their own, on one time base.

An offset is what a view's clock shows more than the common one: what happens at t is
in the view's frames at t + offset. The common frames begin where the second view begins
and end where the second last ends: fewer views give no 3D. Outside its own time a view
shows nothing. Frames come at even steps, at the highest rate of the views unless
another one is asked for, and in phase with the view of that rate, whose frames stay as
they are.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from human_pose.capture.interpolation import Sampled, nearest_frames, sampled
from human_pose.capture.views import View, check_views, with_places
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera
from human_pose.media.rates import unevenness_s

# Of a frame: less is rounding.
_ROUNDING: Final = 1e-3


class TimeBase(NamedTuple):
    """Times that all views share.

    Attributes:
      times_s: float64 `[F]`, ascending.
      frames: int64 `[F]`, numbers of the frames: those of the view whose frames stay as
        they are, unless others began so long before it that they would be negative.
      fps: frames a second; None of a single frame.
    """

    times_s: np.ndarray
    frames: np.ndarray
    fps: float | None


def time_base(
    views: Sequence[View],
    offsets_s: Sequence[float] | np.ndarray | None = None,
    fps: float | None = None,
) -> TimeBase:
    """The common times of views, while at least two of them record (or the only one).

    Args:
      views: one or more.
      offsets_s: of the views; default: none.
      fps: frames a second; default: the highest rate of the views.

    Raises:
      InputError: if no two views record at one time, or an argument is wrong.
    """
    offsets = _checked(views, offsets_s, fps)
    if _same_times(views, offsets, fps):
        times = views[0].times_s - offsets[0]
        rate = views[0].fps if len(times) > 1 else None
        return TimeBase(times, views[0].first + np.arange(len(times)), rate)
    starts = np.sort([v.times_s[0] - o for v, o in zip(views, offsets, strict=True)])
    ends = np.sort([v.times_s[-1] - o for v, o in zip(views, offsets, strict=True)])
    few = min(2, len(views))
    start, end = starts[few - 1], ends[-few]
    if start > end:
        raise InputError(
            f"views {', '.join(view.name for view in views)}: no two of them record at "
            f"the same time; {_spans(views, offsets)}"
        )
    leader = int(np.argmax([view.fps for view in views]))
    rate = fps or views[leader].fps
    origin = views[leader].times_s[0] - offsets[leader]
    first = int(np.ceil((start - origin) * rate - _ROUNDING))
    last = int(np.floor((end - origin) * rate + _ROUNDING))
    steps = np.arange(first, last + 1)
    # At another rate numbers go on from where the view's would be.
    numbers = steps + round(views[leader].first * rate / views[leader].fps)
    numbers -= numbers.min(initial=0)
    return TimeBase(origin + steps / rate, numbers, float(rate))


def resample(
    views: Sequence[View],
    offsets_s: Sequence[float] | np.ndarray | None = None,
    fps: float | None = None,
    *,
    cameras: Sequence[Camera] = (),
    source: str = "recording",
) -> Recording:
    """Views' detections on one time base.

    Views of the same times stay as they are, bit for bit, unless these are uneven by
    more than a frame. Else detections are interpolated as `interpolation` says, and
    whoever the P places show keeps no order.

    Args:
      views: one or more.
      offsets_s: by which each view's clock is ahead; default: none.
      fps: frames a second; default: the highest rate of the views.
      cameras: those of the views, by name; or none.
      source: for messages.

    Raises:
      InputError: as `time_base`, or if a view has no camera.
    """
    offsets = _checked(views, offsets_s, fps)
    base = time_base(views, offsets, fps)
    if _same_times(views, offsets, fps):
        parts = [
            Sampled(v.joints_2d_px, v.confidence, v.tracks, v.covariance_px2)
            for v in views
        ]
    else:
        parts = [
            sampled(view, base.times_s + offset)
            for view, offset in zip(views, offsets, strict=True)
        ]
    places = max(part.joints_2d_px.shape[1] for part in parts)
    tracks = None
    if any(part.tracks is not None for part in parts):
        tracks = np.stack([_tracks(part, places) for part in parts], axis=1)
    found = Recording(
        np.stack([with_places(part.joints_2d_px, places, np.nan) for part in parts], 1),
        np.stack([with_places(part.confidence, places, 0.0) for part in parts], 1),
        views[0].skeleton,
        tuple(view.name for view in views),
        base.fps,
        base.frames,
        tracks=tracks,
        covariance_px2=_covariances(parts, places),
        source=source,
    )
    return found.with_cameras(cameras) if cameras else found


def shown_frames(view: View, offset_s: float, base: TimeBase) -> np.ndarray:
    """Which frame of a view's video stands beside each common one.

    Args:
      view: the view.
      offset_s: its offset.
      base: the common times.

    Returns:
      int64 `[F]`, the nearest frame; -1 where none is within a step.
    """
    times = base.times_s + offset_s
    near = nearest_frames(view.times_s, times)
    far = np.abs(view.times_s[near] - times)
    step = view.longest_step_s if len(view) > 1 else 0.0
    return np.where(far <= step, near, -1)


def _checked(
    views: Sequence[View],
    offsets_s: Sequence[float] | np.ndarray | None,
    fps: float | None,
) -> np.ndarray:
    check_views(views)
    offsets = (
        np.zeros(len(views)) if offsets_s is None else np.asarray(offsets_s, float)
    )
    if offsets.shape != (len(views),) or not np.isfinite(offsets).all():
        raise InputError(
            "offsets_s", f"must be a number for each of {len(views)} views", offsets_s
        )
    if fps is not None and not (np.isfinite(fps) and fps > 0):
        raise InputError("fps", "must be positive", fps)
    return offsets


def _same_times(views: Sequence[View], offsets: np.ndarray, fps: float | None) -> bool:
    """Whether there is nothing to interpolate."""
    first = views[0]
    if fps is not None and (len(first) < 2 or fps != first.fps):
        return False
    # Frames that all miss are missing in the results, too, and whose rate varies are
    # frames of other times than their numbers say.
    if len(first) > 1 and (
        np.diff(first.times_s).max() > first.longest_step_s
        or unevenness_s(first.times_s) > 1 / first.fps
    ):
        return False
    return all(
        np.array_equal(view.times_s, first.times_s) and offset == offsets[0]
        for view, offset in zip(views, offsets, strict=True)
    )


def _spans(views: Sequence[View], offsets: np.ndarray) -> str:
    return ", ".join(
        f"{view.name} from {view.times_s[0] - o:.2f} to {view.times_s[-1] - o:.2f} s"
        for view, o in zip(views, offsets, strict=True)
    )


def _tracks(part: Sampled, places: int) -> np.ndarray:
    if part.tracks is None:
        return np.full((len(part.joints_2d_px), places), -1)
    return with_places(part.tracks, places, -1)


def _covariances(parts: Sequence[Sampled], places: int) -> np.ndarray | None:
    """Of all views, where one at least knows them."""
    if all(part.covariance_px2 is None for part in parts):
        return None
    return np.stack(
        [
            with_places(
                np.full((*part.joints_2d_px.shape, 2), np.nan)
                if part.covariance_px2 is None
                else part.covariance_px2,
                places,
                np.nan,
            )
            for part in parts
        ],
        axis=1,
    )
