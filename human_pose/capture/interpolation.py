"""Detections between the frames in which they were made.

A joint between two neighbouring frames is on the cubic through four of them, or on the
line through the two where more were not seen; nothing is carried over a gap, or beyond
the ends. Of several people each goes on with the nearest body of the next frame (or the
one with the detector's number). Where a detector exchanges left and right of the whole
body from one frame to the next, the body is shown the way round of the nearer frame:
halfway between, both sides would lie in the middle.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from human_pose.capture.views import View

# Of a step: that near to a frame it is taken as it is.
_AT_FRAME: Final = 0.02
# Nobody moves that far within a step, in body sizes.
_FARTHEST: Final = 1.0
# The exchanged body must be that much nearer, and the plain one that far away.
_NEARER: Final = 0.5
_JUMPED: Final = 0.05
_NEVER: Final = 1e9
_CHUNK: Final = 20_000  # frames at once


class Sampled(NamedTuple):
    """Detections at other times.

    Attributes:
      joints_2d_px: float64 `[F, P, J, 2]`, NaN where nothing is known.
      confidence: float64 `[F, P, J]`, the lesser one of the two neighbours'.
      tracks: int64 `[F, P]`, or None.
      covariance_px2: float64 `[F, P, J, 2, 2]`, of the frame itself or the one before;
        or None.
    """

    joints_2d_px: np.ndarray
    confidence: np.ndarray
    tracks: np.ndarray | None
    covariance_px2: np.ndarray | None


class _Links(NamedTuple):
    """Who is who in the next frame: places `[F, P]`, -1 for none, and exchanges."""

    place: np.ndarray
    exchanged: np.ndarray


def sampled(view: View, times_s: np.ndarray) -> Sampled:
    """A view's detections at given times.

    Args:
      view: of two frames or more.
      times_s: `[F]`, of the view's clock.
    """
    ahead = _links(view)
    back = _backwards(ahead)
    starts = range(0, max(len(times_s), 1), _CHUNK)
    parts = [_part(view, ahead, back, times_s[s : s + _CHUNK]) for s in starts]
    joints, confidence, tracks, covariances = zip(*parts, strict=True)
    return Sampled(
        np.concatenate(joints),
        np.concatenate(confidence),
        None if view.tracks is None else np.concatenate(tracks),
        None if view.covariance_px2 is None else np.concatenate(covariances),
    )


def nearest_frames(view_times_s: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Numbers of the frames nearest to times, int64 `[F]`.

    Args:
      view_times_s: `[N]`, of a view's frames, ascending, one or more.
      times_s: `[F]`, of the same clock.
    """
    after = np.searchsorted(view_times_s, times_s).clip(
        1, max(len(view_times_s) - 1, 1)
    )
    if len(view_times_s) == 1:
        return np.zeros(len(times_s), np.int64)
    later = view_times_s[after] - times_s < times_s - view_times_s[after - 1]
    return np.where(later, after, after - 1)


class _Corners(NamedTuple):
    """The four frames around a time, and who the earlier neighbour's people are there.

    Attributes:
      stamps_s: `[F, 4]`; the time lies between the middle two.
      close: bool `[F, 3]`, whether frames are neighbours.
      joints_2d_px: `[F, 4, P, J, 2]`, each body the way round of the second frame.
      confidence: `[F, 4, P, J]`.
      exchanged: bool `[F, P]`, whether the third frame shows it the other way round.
    """

    stamps_s: np.ndarray
    close: np.ndarray
    joints_2d_px: np.ndarray
    confidence: np.ndarray
    exchanged: np.ndarray


def _part(view: View, ahead: _Links, back: _Links, times_s: np.ndarray) -> Sampled:
    first = np.searchsorted(view.times_s, times_s, "right") - 1
    first = first.clip(0, len(view) - 2)
    near = nearest_frames(view.times_s, times_s)
    corners = _corners(view, ahead, back, first)
    joints = _between(corners, times_s)
    confidence = np.minimum(corners.confidence[:, 1], corners.confidence[:, 2])
    turn = corners.exchanged & (near > first)[:, None]
    joints, confidence = _turned(view, joints, confidence, turn)
    off = np.abs(times_s - view.times_s[near])
    at_frame = np.asarray(off <= _AT_FRAME / view.fps)
    joints[at_frame] = view.joints_2d_px[near[at_frame]]
    confidence[at_frame] = view.confidence[near[at_frame]]
    known = np.isfinite(joints).all(axis=-1)
    tracks = None
    if view.tracks is not None:
        tracks = np.where(at_frame[:, None], view.tracks[near], view.tracks[first])
        tracks = np.where(known.any(axis=-1), tracks, -1)
    joints = np.where(known[..., None], joints, np.nan)
    covariance = view.covariance_px2
    if covariance is not None:
        covariance = covariance[np.where(at_frame, near, first)]
        turned = (turn & ~at_frame[:, None])[..., None, None, None]
        flip = list(view.skeleton.flip_order)
        covariance = np.where(turned, covariance[..., flip, :, :], covariance)
    return Sampled(joints, np.where(known, confidence, 0.0), tracks, covariance)


def _corners(view: View, ahead: _Links, back: _Links, first: np.ndarray) -> _Corners:
    """The frames from one before `first` `[F]` to two after it."""
    shape = len(first), view.joints_2d_px.shape[1]
    here = np.broadcast_to(np.arange(shape[1]), shape), np.zeros(shape, bool)
    one = _follow(ahead, first, *here)
    people = [_follow(back, first, *here), here, one, _follow(ahead, first + 1, *one)]
    frames = first[:, None] + np.arange(-1, 3)
    # Beyond the ends times stand still, and frames are no neighbours.
    stamps = view.times_s[frames.clip(0, len(view) - 1)]
    steps = np.diff(stamps, axis=1)
    looks = [
        _look(view, frames[:, i].clip(0, len(view) - 1), *who)
        for i, who in enumerate(people)
    ]
    joints, confidence = (np.stack(each, 1) for each in zip(*looks, strict=True))
    close = (steps > 0) & (steps <= view.longest_step_s)
    return _Corners(stamps, close, joints, confidence, one[1])


def _between(corners: _Corners, times_s: np.ndarray) -> np.ndarray:
    """Joints `[F, P, J, 2]` on the curve or the line; NaN where there is neither."""
    stamps, points = corners.stamps_s, corners.joints_2d_px
    line = _weighed(_lagrange(stamps[:, 1:3], times_s), points[:, 1:3])
    whole = np.asarray(corners.close.all(axis=1))
    # Where there is no curve any stamps will do that differ.
    safe = np.where(whole[:, None], stamps, np.arange(4.0))
    curve = _weighed(_lagrange(safe, times_s), points)
    joints = np.where(whole[:, None, None, None], curve, np.nan)
    joints = np.where(np.isfinite(joints), joints, line)
    outside = (times_s < stamps[:, 1]) | (times_s > stamps[:, 2])
    joints[outside | ~corners.close[:, 1]] = np.nan
    return joints


def _lagrange(stamps: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Weights `[F, N]` of the polynomial through values at stamps `[F, N]`."""
    weights = np.ones_like(stamps)
    for i in range(stamps.shape[1]):
        for k in range(stamps.shape[1]):
            if i != k:
                step = stamps[:, i] - stamps[:, k]
                weights[:, i] *= (times_s - stamps[:, k]) / step
    return weights


def _weighed(weights: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.asarray((weights[:, :, None, None, None] * points).sum(axis=1))


def _follow(
    links: _Links, frames: np.ndarray, place: np.ndarray, exchanged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places and exchanges one frame on, from places `[F, P]` of frames `[F]`."""
    inside = (frames >= 0) & (frames < len(links.place))
    rows = frames.clip(0, len(links.place) - 1)[:, None]
    known = inside[:, None] & (place >= 0)
    safe = np.where(known, place, 0)
    return (
        np.where(known, links.place[rows, safe], -1),
        exchanged ^ (known & links.exchanged[rows, safe]),
    )


def _look(
    view: View, frames: np.ndarray, place: np.ndarray, exchanged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Joints `[F, P, J, 2]` and confidences at places `[F, P]`, -1 for none."""
    safe = np.where(place >= 0, place, 0)
    joints = view.joints_2d_px[frames[:, None], safe]
    confidence = view.confidence[frames[:, None], safe]
    joints = np.where((place >= 0)[..., None, None], joints, np.nan)
    return _turned(view, joints, confidence, exchanged)


def _turned(
    view: View, joints: np.ndarray, confidence: np.ndarray, turn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bodies with left and right exchanged where `turn` `[F, P]` says so."""
    if not turn.any():
        return joints, confidence
    flip = list(view.skeleton.flip_order)
    return (
        np.where(turn[..., None, None], joints[..., flip, :], joints),
        np.where(turn[..., None], confidence[..., flip], confidence),
    )


def _links(view: View) -> _Links:
    """Who goes on as whom in the next frame; nobody after the last."""
    points, count = view.joints_2d_px, view.joints_2d_px.shape[1]
    place = np.full(points.shape[:2], -1)
    exchanged = np.zeros(points.shape[:2], bool)
    size = body_sizes_px(points)
    flip = list(view.skeleton.flip_order)
    options = np.empty((2, len(view) - 1, count, count))
    for p in range(count):
        for q in range(count):
            scale = np.fmax(np.fmax(size[:-1, p], size[1:, q]), 1.0)
            for way, other in enumerate((points[1:, q], points[1:, q][:, flip])):
                options[way, :, p, q] = _median_step(points[:-1, p], other) / scale
    better = (options[1] < _NEARER * options[0]) & (options[0] > _JUMPED)
    off = np.where(better, options[1], options[0])
    off = np.where(np.isfinite(off) & (off <= _FARTHEST), off, _NEVER)
    if view.tracks is not None:
        old, new = view.tracks[:-1, :, None], view.tracks[1:, None, :]
        numbered = (old >= 0) & (new >= 0)
        off = np.where(numbered & (old != new), _NEVER, off)
    if count == 1:
        place[:-1] = np.where(off[:, 0] < _NEVER, 0, -1)
    else:
        for row in np.flatnonzero((off < _NEVER).any(axis=(1, 2))):
            p, q = linear_sum_assignment(off[row])
            place[row, p] = np.where(off[row, p, q] < _NEVER, q, -1)
    chosen = place[:-1].clip(0)[..., None]
    turned = np.take_along_axis(better, chosen, axis=2)[..., 0]
    exchanged[:-1] = turned & (place[:-1] >= 0)
    return _Links(place, exchanged)


def _backwards(ahead: _Links) -> _Links:
    """The same links from each frame to the one before it."""
    place = np.full_like(ahead.place, -1)
    exchanged = np.zeros_like(ahead.exchanged)
    row, p = np.nonzero(ahead.place >= 0)
    q = ahead.place[row, p]
    place[row + 1, q] = p
    exchanged[row + 1, q] = ahead.exchanged[row, p]
    return _Links(place, exchanged)


def _median_step(points: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Median distances of joints `[F, J, 2]` seen in both; NaN where none is."""
    off = np.linalg.norm(points - other, axis=-1)
    some = np.isfinite(off).any(axis=-1)
    return np.where(
        some, np.nanmedian(np.where(some[:, None], off, 0.0), axis=-1), np.nan
    )


def body_sizes_px(points: np.ndarray) -> np.ndarray:
    """How large bodies are in the image, `[F, P]`, px: their larger extent."""
    seen = np.isfinite(points)
    low = np.where(seen, points, np.inf).min(axis=2)
    high = np.where(seen, points, -np.inf).max(axis=2)
    extent = np.where(np.isfinite(high - low), high - low, 0.0).max(axis=-1)
    return np.asarray(extent)
