"""What the views say of pieces of tracks: scores of pairs, and of pieces over time."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from human_pose.calibrated.people.clusters import APART
from human_pose.calibrated.people.detections import Detections
from human_pose.calibrated.people.epipolar import pair_scores
from human_pose.calibrated.people.tracking import Links
from human_pose.geometry.cameras import Camera

# What a change of the person within a piece must gain, beside a frame of another view,
# whose best score is about 2.
_SWITCH: Final = 8.0
_LEAST_VIEWS: Final = 2


def across_views(
    detections: Detections, cameras: tuple[Camera, ...], pieces: np.ndarray
) -> Links:
    """Scores of pieces of different views, summed over the frames that they share.

    Args:
      detections: of all views.
      cameras: one for each view; empty for a single view.
      pieces: `[F, V, P]`, -1 for none.
    """
    parts = [Links(*np.zeros((3, 0)))]
    for part, u, v, scores in pair_scores(detections, cameras):
        parts.append(_pairs(pieces[part, u], pieces[part, v], scores))
    return merged(parts)


def within_views(pieces: np.ndarray) -> Links:
    """Pairs of pieces that are seen beside each other in a view: never one person."""
    parts = [Links(*np.zeros((3, 0)))]
    places = pieces.shape[2]
    for view in range(pieces.shape[1]):
        here = pieces[:, view]
        beside = np.broadcast_to(APART, (len(here), places, places))
        upper = np.where(np.triu(np.ones((places, places)), 1) > 0, beside, 0.0)
        found = _pairs(here, here, upper)
        parts.append(found._replace(score=np.full_like(found.score, APART)))
    return merged(parts)


def merged(parts: list[Links]) -> Links:
    """All links, each pair once with the sum of its scores, ordered."""
    first, second, score = (np.concatenate(column) for column in zip(*parts))
    low, high = np.minimum(first, second), np.maximum(first, second)
    pairs = np.stack([low, high], axis=-1).astype(np.int64)
    unique, which = np.unique(pairs, axis=0, return_inverse=True)
    total = np.bincount(which.ravel(), score, minlength=len(unique))
    return Links(unique[:, 0], unique[:, 1], total)


def _pairs(first: np.ndarray, second: np.ndarray, scores: np.ndarray) -> Links:
    """Links of pieces `[F', P]` and `[F', P]` by scores `[F', P, P]`, 0 for none."""
    there = (first[:, :, None] >= 0) & (second[:, None] >= 0) & (scores != 0)
    frame, a, b = np.nonzero(there)
    return merged([Links(first[frame, a], second[frame, b], scores[there])])


def of_persons(
    detections: Detections,
    cameras: tuple[Camera, ...],
    persons: np.ndarray,
) -> Iterator[np.ndarray]:
    """Scores of each detection with each person's detections in the other views.

    Args:
      detections: of all views.
      cameras: one for each view.
      persons: numbers of persons, `[F, V, P]`, -1 for none.

    Yields:
      Scores `[F', V, P, K]` of some frames after the others.
    """
    count = int(persons.max(initial=-1)) + 1
    shape = (*persons.shape[1:], count)
    total = np.zeros((0, *shape))
    start = -1
    for part, u, v, scores in pair_scores(detections, cameras):
        if part.start != start:
            yield total
            start, total = part.start, np.zeros((len(scores), *shape))
        total[:, u] += scores @ _one_hot(persons[part, v], count)
        total[:, v] += scores.swapaxes(1, 2) @ _one_hot(persons[part, u], count)
    yield total


def _one_hot(persons: np.ndarray, count: int) -> np.ndarray:
    return np.asarray(persons[..., None] == np.arange(count), np.float64)


def split(
    detections: Detections,
    cameras: tuple[Camera, ...],
    pieces: np.ndarray,
    persons: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces cut where what the other views see says that another person goes on.

    The most likely course of persons over a piece (Viterbi): each frame scores, each
    change costs.

    Returns:
      Numbers of pieces `[F, V, P]`, those after a cut new ones; and for each of the
      pieces before the number of its last part.
    """
    result = pieces.copy()
    count = int(pieces.max(initial=-1)) + 1
    last = np.arange(count)
    if len(cameras) < _LEAST_VIEWS:
        return result, last
    score = list(of_persons(detections, cameras, persons))
    flat = np.concatenate(score).reshape(-1, score[0].shape[-1])
    renamed = result.reshape(-1)
    for rows in _by_piece(pieces):
        changes = np.flatnonzero(np.diff(_course(flat[rows]))) + 1
        for begin, end in zip(changes, [*changes[1:], len(rows)], strict=True):
            last[pieces.reshape(-1)[rows[0]]] = count
            renamed[rows[begin:end]] = count
            count += 1
    return result, last


def _by_piece(pieces: np.ndarray) -> list[np.ndarray]:
    """Flat places of each piece of more than one frame, in the order of frames."""
    flat = pieces.reshape(-1)
    order = np.argsort(flat, kind="stable")
    order = order[flat[order] >= 0]
    bounds = np.flatnonzero(np.diff(flat[order])) + 1
    return [rows for rows in np.split(order, bounds) if len(rows) > 1]


def _course(score: np.ndarray) -> np.ndarray:
    """The states `[L]` with the largest sum of `score` `[L, K]`, less the changes."""
    total = score.sum(axis=0)
    if score.max(axis=1).sum() - total.max() <= _SWITCH:
        return np.full(len(score), total.argmax())  # no change can pay
    best = score[0].copy()
    came = np.empty(score.shape, np.int64)
    own = np.arange(score.shape[1])
    for row, here in enumerate(score[1:], 1):
        other = best.argmax()
        came[row] = np.where(best[other] - _SWITCH > best, other, own)
        best = best[came[row]] - _SWITCH * (came[row] != own) + here
    course = np.empty(len(score), np.int64)
    course[-1] = best.argmax()
    for row in range(len(score) - 1, 0, -1):
        course[row - 1] = came[row, course[row]]
    return course
