"""Pieces of tracks put together to persons by what speaks for and against each pair.

The partition with the largest sum of scores within its parts is sought greedily: the
two parts between which most speaks for one person become one, and what speaks for each
of them beside any other is added (Keuper et al., Efficient Decomposition of Image and
Mesh Graphs by Lifted Multicuts, ICCV 2015); at last single pieces are moved to where
they fit better.
"""

import heapq
from typing import Final

import numpy as np

from human_pose.calibrated.people.tracking import Links

# Of pieces that are seen beside each other: never one person.
APART: Final = -1e9
_SWEEPS: Final = 5
_LEAST_GAIN: Final = 1e-9


def partition(count: int, links: Links) -> np.ndarray:
    """Numbers of parts, int64 `[count]`, from 0 on.

    Args:
      count: of the pieces.
      links: scores of pairs; those of a pair given more than once are added.
    """
    near = _neighbours(count, links)
    labels = _moved(near, _contracted([dict(n) for n in near]))
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _neighbours(count: int, links: Links) -> list[dict[int, float]]:
    near: list[dict[int, float]] = [{} for _ in range(count)]
    for a, b, score in zip(*(column.tolist() for column in links), strict=True):
        near[a][b] = near[b][a] = near[a].get(b, 0.0) + score
    return near


def _contracted(near: list[dict[int, float]]) -> np.ndarray:
    part = np.arange(len(near))
    heap = [
        (-score, a, b)
        for a, others in enumerate(near)
        for b, score in others.items()
        if a < b and score > 0
    ]
    heapq.heapify(heap)
    while heap:
        score, a, b = heapq.heappop(heap)
        # Of parts that have changed since there is another entry, or none.
        if near[a].get(b) != -score:
            continue
        if len(near[a]) < len(near[b]):
            a, b = b, a
        part[b] = a
        for other, more in near[b].items():
            del near[other][b]
            if other == a:
                continue
            total = near[a].get(other, 0.0) + more
            near[a][other] = near[other][a] = total
            if total > 0:
                heapq.heappush(heap, (-total, min(a, other), max(a, other)))
        near[b] = {}
    return _roots(part)


def _roots(part: np.ndarray) -> np.ndarray:
    while (part != part[part]).any():
        part = part[part]
    return part


def _moved(near: list[dict[int, float]], labels: np.ndarray) -> np.ndarray:
    """Labels after each piece went where most speaks for it."""
    label = labels.tolist()
    for _ in range(_SWEEPS):
        changed = False
        for piece, others in enumerate(near):
            # Alone, under a number of its own, is a place, too.
            sums: dict[int, float] = {label[piece]: 0.0, len(near) + piece: 0.0}
            for other, score in others.items():
                sums[label[other]] = sums.get(label[other], 0.0) + score
            best = max(sums, key=sums.__getitem__)
            if sums[best] > sums[label[piece]] + _LEAST_GAIN:
                label[piece] = best
                changed = True
        if not changed:
            break
    return np.array(label, np.int64)
