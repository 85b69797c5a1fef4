"""Gaussians over rows of which some numbers are missing: densities and expectations.

What is missing is not dropped: given what is there it has a mean and a covariance, and
the sums that EM needs are those of both (Little and Rubin, Statistical Analysis with
Missing Data, section 11.2). Rows that miss the same numbers share one solve.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Expected(NamedTuple):
    """Rows as a Gaussian completes them.

    Attributes:
      rows: `[N, D]`, missing numbers replaced by their means given the others.
      spreads: for each pattern of missing numbers the places of its rows, and the
        covariance `[D, D]` of what was missing, 0 elsewhere.
    """

    rows: np.ndarray
    spreads: list[tuple[np.ndarray, np.ndarray]]

    def scatter(self, weights: np.ndarray, about: np.ndarray) -> np.ndarray:
        """The expected sum `[D, D]` of weighted squares about a point `[D]`."""
        away = self.rows - about
        total: np.ndarray = (away * weights[:, None]).T @ away
        for places, spread in self.spreads:
            total += weights[places].sum() * spread
        return total

    def moved(self, matrix: np.ndarray) -> "Expected":
        """The rows after a linear map `[D, D]`."""
        return Expected(
            self.rows @ matrix.T,
            [(places, matrix @ spread @ matrix.T) for places, spread in self.spreads],
        )


def expected(rows: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> Expected:
    """Completes rows.

    Args:
      rows: `[N, D]`, NaN where a number is missing.
      mean: `[D]`.
      covariance: `[D, D]`, positive definite.
    """
    filled, spreads = rows.copy(), []
    for places, there in patterns(rows):
        if there.all():
            continue
        cross = covariance[np.ix_(~there, there)]
        gain = np.linalg.solve(covariance[np.ix_(there, there)], cross.T).T
        away = rows[np.ix_(places, there)] - mean[there]
        filled[np.ix_(places, ~there)] = mean[~there] + away @ gain.T
        spread = np.zeros_like(covariance)
        spread[np.ix_(~there, ~there)] = (
            covariance[np.ix_(~there, ~there)] - gain @ cross.T
        )
        spreads.append((places, spread))
    return Expected(filled, spreads)


def distances(
    rows: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far rows are from a Gaussian, by what is there of them.

    Args:
      rows: `[N, D]`, NaN where a number is missing.
      mean: `[D]`.
      covariance: `[D, D]`, positive definite.

    Returns:
      Squared Mahalanobis distances, logarithms of determinants, and how many numbers
      are there; each `[N]`.
    """
    squared, halves, counts = np.zeros((3, len(rows)))
    for places, there in patterns(rows):
        factor = np.linalg.cholesky(covariance[np.ix_(there, there)])
        away = rows[np.ix_(places, there)] - mean[there]
        squared[places] = np.square(np.linalg.solve(factor, away.T)).sum(axis=0)
        halves[places] = np.log(np.diag(factor)).sum()
        counts[places] = there.sum()
    return squared, 2 * halves, counts


def log_density(
    rows: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Logarithm of the density of what is there of each row, `[N]`."""
    squared, determinant, count = distances(rows, mean, covariance)
    return -0.5 * (squared + determinant + count * np.log(2 * np.pi))


def patterns(rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places of the rows that miss the same numbers, and bool `[D]`, what is there."""
    there = np.isfinite(rows)
    whole = there.all(axis=1)
    if whole.any():
        yield np.flatnonzero(whole), np.ones(rows.shape[1], bool)
    left = np.flatnonzero(~whole)
    if len(left):
        kinds, kind = np.unique(there[left], axis=0, return_inverse=True)
        order = np.argsort(kind.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(kind.ravel()))[:-1]
        for each, places in zip(kinds, np.split(left[order], ends), strict=True):
            yield places, each
