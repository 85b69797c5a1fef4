"""A Student-t over accelerations: its scale matrix by EM.

EM closes in slowly where many numbers stand beside a small ν, and is not taken to its
end. Its variances are then 2 % above those of the maximum for CMU's motion, and 30 %
with noise of 0.3 mm on that, by which lifted joints change by 0.1 mm (two views: 0.2).
The energy's weights were chosen beside them.
"""

from typing import Final

import numpy as np

from human_pose.calibrated.prior.em import Chunks
from human_pose.calibrated.prior.statistics import distances, expected

# Measured motion is no finer; keeps the matrix positive definite (design).
_FLOOR_MM2: Final = 1e-2
_STEPS: Final = 30
_WIDE_MM2: Final = 1e2
# Of the matrix, below which EM has ended. Its trace alone may be right by chance.
_CHANGE: Final = 1e-3


def fit_scale(chunks: Chunks, size: int, freedom: float) -> np.ndarray:
    """The scale matrix of a Student-t about 0 (Liu and Rubin, 1995).

    Args:
      chunks: second differences `[n, D]`, NaN where a number is missing.
      size: D.
      freedom: ν, fixed.

    Returns:
      `[D, D]`, positive definite.
    """
    zero, scale = np.zeros(size), _WIDE_MM2 * np.eye(size)
    for _ in range(_STEPS):
        total, count = np.zeros((size, size)), 0
        for rows in chunks():
            squared, _, there = distances(rows, zero, scale)
            weights = (freedom + there) / (freedom + squared)
            total += _scatter(rows, weights, scale)
            count += len(rows)
        before, scale = scale, total / count + _FLOOR_MM2 * np.eye(size)
        if np.linalg.norm(scale - before) < _CHANGE * np.linalg.norm(before):
            break
    return scale


def _scatter(rows: np.ndarray, weights: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The expected sum of weighted squares.

    The spread of what is missing is that of the Gaussian at the row's own scale, which
    is the matrix over its weight: it counts once for each row.
    """
    zero = np.zeros(rows.shape[1])
    found = expected(rows, zero, scale)
    total = found._replace(spreads=[]).scatter(weights, zero)
    for places, spread in found.spreads:
        total += len(places) * spread
    return total
