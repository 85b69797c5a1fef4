"""People followed over the frames of a view, cut wherever it is not sure who is who.

A body goes on where its joints moved little. Where two bodies come close, where one is
lost for a while, or where the detector's own numbers say otherwise, the track is cut:
each piece then shows one person, and what the other views see decides which pieces
belong together (`clusters`). What the view itself says about that is kept as links.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from human_pose.calibrated.people.detections import Detections, Times, distances

# How far joints move between detections, in body sizes: by noise, and in a second.
_REST: Final = 0.15
_SPEED: Final = 2.0
_FARTHEST: Final = 1.0
_LONGEST_S: Final = 1.0
_AHEAD: Final = 2  # frames
_LEAST_COMMON: Final = 3
_NEVER: Final = 1e3
# Another body that is not that much farther away makes a track unsure.
_APART: Final = 0.15
_RATIO: Final = 2.0
# What a link is worth beside a frame of another view, whose best score is about 2.
_NEAR: Final = 1.0
_NUMBER: Final = 1.0
_MEMORY: Final = 0.5
# A track may go on with a detection that is that likely its own. More is not asked for:
# among others nearby none is likely, and a track that began anew there would forget
# where to it moves, and be forgotten in the next frame that misses it.
_LEAST_SHARE: Final = 0.05
# How much more likely a track goes on than that this is a false alarm, at least.
_BESIDE_CLUTTER: Final = 3.0


class Links(NamedTuple):
    """Scores of pairs of pieces: positive speaks for one person.

    Attributes:
      first: int64 `[E]`.
      second: int64 `[E]`.
      score: float64 `[E]`.
    """

    first: np.ndarray
    second: np.ndarray
    score: np.ndarray


class _Track(NamedTuple):
    """What is kept of a body that is followed.

    It is waited for as long as it was seen, so that false alarms are soon forgotten.
    """

    points: np.ndarray
    seen: np.ndarray
    size: float
    moment: int
    piece: int
    number: int
    length: int
    step: np.ndarray


def track(detections: Detections, times: Times) -> tuple[np.ndarray, Links]:
    """Pieces of tracks.

    Args:
      detections: of all views.
      times: of the frames.

    Returns:
      Numbers of pieces, int64 `[F, V, P]`, -1 where there is no detection, and links of
      pieces of one view that may show the same person.
    """
    pieces = np.full_like(detections.numbers, -1)
    links: list[tuple[int, int, float]] = []
    count = 0
    for view in range(pieces.shape[1]):
        count = _follow(detections, view, times, count, pieces, links)
    columns = np.array(links, np.float64).reshape(-1, 3)
    pairs = columns[:, :2].astype(np.int64)
    return pieces, Links(pairs[:, 0], pairs[:, 1], columns[:, 2])


def _follow(
    detections: Detections,
    view: int,
    times: Times,
    count: int,
    pieces: np.ndarray,
    links: list[tuple[int, int, float]],
) -> int:
    """Follows one view; returns the number of pieces so far."""
    tracks: list[_Track] = []
    known: dict[int, int] = {}  # the last piece of each number
    valid = detections.valid[:, view]
    area, begun = _area(detections, view), 0
    for row in range(len(pieces)):
        now = int(times.moments[row])
        if row and times.sequence[row] != times.sequence[row - 1]:
            tracks, known = [], {}
        longest = max(_LONGEST_S * times.fps, 1)
        tracks = [t for t in tracks if now - t.moment <= min(longest, t.length)]
        places = np.flatnonzero(valid[row])
        if not len(places):
            continue
        gap = now - np.array([t.moment for t in tracks])
        off = _distances(detections, view, row, places, tracks, gap)
        reach = np.minimum(_REST + _SPEED * gap / times.fps, _FARTHEST)
        likely, sure = _likely(off, reach)
        # As many false alarms as tracks that began out of nothing.
        shares = _shares(off, reach, gap, begun / (row + 1) / area)
        kept = []
        for new, place in enumerate(places):
            number = int(detections.numbers[row, view, place])
            before = tracks[likely[new]] if new in likely else None
            if before is not None and shares[likely[new], new] < _LEAST_SHARE:
                before = None
            begun += row > 0 and before is None
            if new in sure and _goes_on(tracks[sure[new]], now, number):
                piece = tracks[sure[new]].piece
            else:
                piece, count = count, count + 1
                links += _links(piece, number, shares[:, new], tracks, known)
            if number >= 0:
                known[number] = piece
            pieces[row, view, place] = piece
            at = row, view, int(place)
            kept.append(_gone_on(detections, at, now, before, piece, number))
        held = {t.piece for t in kept}
        tracks = kept + [t for t in tracks if t.piece not in held]
    return count


def _gone_on(
    detections: Detections,
    at: tuple[int, int, int],
    now: int,
    before: _Track | None,
    piece: int,
    number: int,
) -> _Track:
    """A track with one more detection."""
    points, seen = detections.points_px[at], detections.seen[at]
    step, length = np.zeros(2), 1
    if before is not None:
        both = seen & before.seen
        moved = (points[both] - before.points[both]).mean(axis=0)
        step, length = moved / (now - before.moment), before.length + 1
    size = float(detections.size_px[at])
    return _Track(points, seen, size, now, piece, number, length, step)


def _distances(
    detections: Detections,
    view: int,
    row: int,
    places: np.ndarray,
    tracks: list[_Track],
    gap: np.ndarray,
) -> np.ndarray:
    """From tracks, lost for a gap `[T]`, to detections `[T, N]`, in body sizes."""
    if not tracks:
        return np.zeros((0, len(places)))
    # A short while bodies move on as they did.
    ahead = np.stack([t.step for t in tracks]) * np.minimum(gap, _AHEAD)[:, None]
    off, common = distances(
        (np.stack([t.points for t in tracks]) + ahead[:, None])[:, None],
        np.stack([t.seen for t in tracks])[:, None],
        detections.points_px[row, view, places],
        detections.seen[row, view, places],
    )
    old = np.array([t.size for t in tracks])[:, None]
    size = np.maximum(old, detections.size_px[row, view, places])
    return np.where(common >= _LEAST_COMMON, off / size, np.inf)


def _likely(
    off: np.ndarray, reach: np.ndarray
) -> tuple[dict[int, int], dict[int, int]]:
    """Which detection goes on with which track: track by detection; and the sure ones.

    Both for the smallest distance in all; sure where nothing else is nearly as near.
    """
    likely, sure = {}, {}
    cost = np.where(off <= reach[:, None], off, _NEVER)
    for old, new in zip(*linear_sum_assignment(cost), strict=True):
        here = cost[old, new]
        if here >= _NEVER:
            continue
        likely[int(new)] = int(old)
        others = np.concatenate(
            [np.delete(off[old], new), np.delete(off[:, new], old), [np.inf]]
        )
        if others.min() > _RATIO * here + _APART:
            sure[int(new)] = int(old)
    return likely, sure


def _area(detections: Detections, view: int) -> float:
    """The part of the image where bodies are, in squared body sizes."""
    seen = detections.seen[:, view]
    if not seen.any():
        return 1.0
    shown = detections.points_px[:, view][seen]
    size = detections.size_px[:, view]
    return float(np.ptp(shown, axis=0).prod() / np.median(size[size > 0]) ** 2) + 1.0


def _shares(
    off: np.ndarray, reach: np.ndarray, gap: np.ndarray, clutter: float
) -> np.ndarray:
    """How likely each detection goes on with each track, beside all others: `[T, N]`.

    Args:
      off: distances, `[T, N]`.
      reach: how large they may be, `[T]`.
      gap: for how many frames each track was lost, `[T]`.
      clutter: false alarms of a frame for each squared body size.
    """
    width = reach[:, None] / 2
    # Who is waited for may come at any time: now is one of many.
    density = np.exp(-0.5 * (off / width) ** 2) / (2 * np.pi * width**2 * gap[:, None])
    density = np.where(off <= reach[:, None], density, 0.0)
    tiny = np.finfo(float).tiny
    of_track = density / np.maximum(density.sum(axis=1, keepdims=True), tiny)
    of_detection = density / np.maximum(density.sum(axis=0, keepdims=True), tiny)
    share = of_track * of_detection
    return np.where(density > _BESIDE_CLUTTER * clutter, share, 0.0)


def _goes_on(old: _Track, now: int, number: int) -> bool:
    """Whether a piece may go on: without a gap, and with the detector's consent."""
    return old.moment == now - 1 and (old.number < 0 or number in (-1, old.number))


def _links(
    piece: int,
    number: int,
    shares: np.ndarray,
    tracks: list[_Track],
    known: dict[int, int],
) -> list[tuple[int, int, float]]:
    """Scores of a piece that begins with the tracks that it may go on with."""
    links = []
    for old, share in zip(tracks, shares.tolist(), strict=True):
        if share < _LEAST_SHARE:
            continue
        score = _NEAR * share
        if number >= 0 and old.number >= 0:
            score += -_NUMBER if number != old.number else _NUMBER
        links.append((old.piece, piece, score))
    before = known.get(number)
    if before is not None and before not in {first for first, _, _ in links}:
        links.append((before, piece, _MEMORY))
    return links
