"""People followed over the frames of a view, cut wherever it is not sure who is who.

A body goes on where its joints moved little. Where two bodies come close, where one is
lost for a while, or where the detector's own numbers say otherwise, the track is cut:
each piece then shows one person, and what the other views see decides which pieces
belong together (`clusters`). What the view itself says about that is kept as links.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from human_pose.calibrated.people.detections import Detections, distances

# How far joints move between detections, in body sizes: by noise, and in a second.
_REST: Final = 0.15
_SPEED: Final = 2.0
_FARTHEST: Final = 1.0
_LONGEST_S: Final = 1.0
_LEAST_COMMON: Final = 3
# Another body that is not that much farther away makes a track unsure.
_APART: Final = 0.15
_RATIO: Final = 2.0
# What a link is worth beside a frame of another view, whose best score is about 2.
_NEAR: Final = 2.0
_NUMBER: Final = 1.0
_MEMORY: Final = 0.5


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
    """What is kept of a body that is followed."""

    points: np.ndarray
    seen: np.ndarray
    size: float
    row: int
    piece: int
    number: int


def track(
    detections: Detections, sequence: np.ndarray, fps: float
) -> tuple[np.ndarray, Links]:
    """Pieces of tracks.

    Args:
      detections: of all views.
      sequence: `[F]`, equal for the frames of a take.
      fps: frames a second.

    Returns:
      Numbers of pieces, int64 `[F, V, P]`, -1 where there is no detection, and links of
      pieces of one view that may show the same person.
    """
    pieces = np.full(detections.size_px.shape, -1, np.int64)
    links: list[tuple[int, int, float]] = []
    count = 0
    for view in range(pieces.shape[1]):
        count = _follow(detections, view, sequence, fps, count, pieces, links)
    columns = np.array(links, np.float64).reshape(-1, 3)
    first, second = columns[:, :2].astype(np.int64).T
    return pieces, Links(first, second, columns[:, 2])


def _follow(
    detections: Detections,
    view: int,
    sequence: np.ndarray,
    fps: float,
    count: int,
    pieces: np.ndarray,
    links: list[tuple[int, int, float]],
) -> int:
    """Follows one view; returns the number of pieces so far."""
    tracks: list[_Track] = []
    known: dict[int, int] = {}  # the last piece of each number
    valid = detections.valid[:, view]
    for row in range(len(pieces)):
        if row and sequence[row] != sequence[row - 1]:
            tracks, known = [], {}
        tracks = [t for t in tracks if (row - t.row) / fps <= _LONGEST_S]
        places = np.flatnonzero(valid[row])
        if not len(places):
            continue
        off, reach = _distances(detections, view, row, places, tracks, fps)
        sure = _sure(off, reach)
        kept = []
        for new, place in enumerate(places):
            number = int(detections.numbers[row, view, place])
            old = sure.get(new)
            if old is not None and _differ(tracks[old].number, number):
                old = None
            if old is None:
                piece, count = count, count + 1
                links += _links(piece, number, off[:, new], reach, tracks, known)
            else:
                piece = tracks[old].piece
            if number >= 0:
                known[number] = piece
            pieces[row, view, place] = piece
            at = row, view, place
            kept.append(
                _Track(
                    detections.points_px[at],
                    detections.seen[at],
                    float(detections.size_px[at]),
                    row,
                    piece,
                    number,
                )
            )
        held = {t.piece for t in kept}
        tracks = kept + [t for t in tracks if t.piece not in held]
    return count


def _distances(
    detections: Detections,
    view: int,
    row: int,
    places: np.ndarray,
    tracks: list[_Track],
    fps: float,
) -> tuple[np.ndarray, np.ndarray]:
    """In body sizes: of tracks and detections `[T, N]`, and how far each may be `[T]`."""
    if not tracks:
        return np.zeros((0, len(places))), np.zeros(0)
    off, common = distances(
        np.stack([t.points for t in tracks])[:, None],
        np.stack([t.seen for t in tracks])[:, None],
        detections.points_px[row, view, places],
        detections.seen[row, view, places],
    )
    old = np.array([t.size for t in tracks])[:, None]
    size = np.maximum(old, detections.size_px[row, view, places])
    off = np.where(common >= _LEAST_COMMON, off / size, np.inf)
    gap_s = (row - np.array([t.row for t in tracks])) / fps
    return off, np.minimum(_REST + _SPEED * gap_s, _FARTHEST)


def _sure(off: np.ndarray, reach: np.ndarray) -> dict[int, int]:
    """Which detection surely goes on with which track: track by detection."""
    found = {}
    most = 1e3
    cost = np.where(off <= reach[:, None], off, most)
    for old, new in zip(*linear_sum_assignment(cost), strict=True):
        here = cost[old, new]
        if here >= most:
            continue
        others = np.concatenate(
            [np.delete(off[old], new), np.delete(off[:, new], old), [np.inf]]
        )
        if others.min() > _RATIO * here + _APART:
            found[int(new)] = int(old)
    return found


def _differ(first: int, second: int) -> bool:
    return first >= 0 and second >= 0 and first != second


def _links(
    piece: int,
    number: int,
    off: np.ndarray,
    reach: np.ndarray,
    tracks: list[_Track],
    known: dict[int, int],
) -> list[tuple[int, int, float]]:
    """Scores of a piece that begins with the tracks that it may go on with."""
    links = []
    for old, far, most in zip(tracks, off, reach, strict=True):
        if far > most:
            continue
        score = _NEAR * (1 - far / most)
        if number >= 0 and old.number >= 0:
            score += -_NUMBER if number != old.number else _NUMBER
        links.append((old.piece, piece, score))
    before = known.get(number)
    if before is not None and before not in {first for first, _, _ in links}:
        links.append((before, piece, _MEMORY))
    return links
