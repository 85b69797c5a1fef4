"""What the views say of pieces of tracks: scores of pairs, and of pieces over time."""

import itertools
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
# Who is seen less often in some hundred frames is nobody to change to.
_LEAST_SEEN: Final = 5


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
    first, second, score = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
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


def split(
    detections: Detections,
    cameras: tuple[Camera, ...],
    pieces: np.ndarray,
    persons: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces cut where what the other views see says that another person goes on.

    The most likely course of persons over a piece (Viterbi): each frame scores, each
    change costs.

    Args:
      detections: of all views.
      cameras: one for each view.
      pieces: numbers, `[F, V, P]`, -1 for none.
      persons: numbers, `[F, V, P]`, -1 for none.

    Returns:
      Numbers of pieces `[F, V, P]`, those after a cut new ones; and for each of the
      pieces before the number of its last part.
    """
    result = pieces.copy()
    count = int(pieces.max(initial=-1)) + 1
    last = np.arange(count)
    who = np.full(count, -1)  # on whom each piece ends so far
    for part, names, score in _of_persons(detections, cameras, persons):
        # What is not judged here, as a single frame, goes on as it was cut before.
        renamed = np.append(last, -1)[pieces[part]].reshape(-1)
        for rows in _by_piece(pieces[part]) if len(names) else ():
            piece = pieces[part].reshape(-1)[rows[0]]
            course = names[_course(score[rows], names == who[piece])]
            before = course[0] if who[piece] < 0 else who[piece]
            changes = np.flatnonzero(np.diff(course, prepend=before))
            renamed[rows] = last[piece]
            for begin, end in itertools.pairwise([*changes, len(rows)]):
                last[piece] = renamed[rows[begin:end]] = count
                count += 1
            who[piece] = course[-1]
        result[part] = renamed.reshape(result[part].shape)
    return result, last


def _of_persons(
    detections: Detections, cameras: tuple[Camera, ...], persons: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Scores of detections with each person's detections in the other views.

    Yields:
      Some frames, the numbers of K persons who are seen there, which may be none, and
      scores `[F' V P, K]` of all detections.
    """
    for part, scores in itertools.groupby(
        pair_scores(detections, cameras), key=lambda each: each[0]
    ):
        there = persons[part]
        names, seen = np.unique(there[there >= 0], return_counts=True)
        names = names[seen >= _LEAST_SEEN]
        own = np.asarray(there[..., None] == names, np.float64)  # [F', V, P, K]
        total = np.zeros(own.shape)
        for _, u, v, score in scores:
            total[:, u] += score @ own[:, v]
            total[:, v] += score.swapaxes(1, 2) @ own[:, u]
        yield part, names, total.reshape(there.size, len(names))


def _by_piece(pieces: np.ndarray) -> list[np.ndarray]:
    """Flat places of each piece of more than one frame, in the order of frames."""
    flat = pieces.reshape(-1)
    order = np.argsort(flat, kind="stable")
    order = order[flat[order] >= 0]
    bounds = np.flatnonzero(np.diff(flat[order])) + 1
    return [rows for rows in np.split(order, bounds) if len(rows) > 1]


def _course(score: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The states `[L]` with the largest sum of `score` `[L, K]`, less the changes.

    Args:
      score: of each state in each frame.
      start: bool `[K]`, the state before, from which a change costs, too, if there is.
    """
    total = score.sum(axis=0)
    if not start.any() and score.max(axis=1).sum() - total.max() <= _SWITCH:
        return np.full(len(score), total.argmax())  # no change can pay
    best = score[0] - _SWITCH * (start.any() & ~start)
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
