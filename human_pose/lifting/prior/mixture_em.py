"""Fits a mixture of probabilistic principal component analysers by EM.

Tipping & Bishop, "Mixtures of Probabilistic Principal Component Analysers", Neural
Computation 11(2), 1999. Component m draws

    x = mean_m + U_m a + noise,   a_k ~ N(0, v_mk - s_m²),   noise ~ N(0, s_m² I)

with orthonormal axes U_m, so v_mk is the variance of x along axis k. Each M-step is
exact: weighted mean, then the leading eigenvectors of the weighted covariance (their
eq. 3.13 and appendix C), so no step lowers the likelihood. That stays true with the
floor on s_m: for a given s_m the leading eigenvectors remain the optimum, and the
likelihood falls monotonically as s_m leaves the mean of the discarded eigenvalues.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.files.errors import InputError

# Lloyd iterations between the seeding and EM: a start, not a result.
_KMEANS_ITERATIONS: Final = 10

# A component that explains less than this many points keeps its shape; its share of
# the points still follows the data.
_SMALLEST_COUNT: Final = 1e-6

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class PPCAMixture:
    """M components of rank K in D dimensions.

    Attributes:
      weights: `[M]`, the components' shares; they sum to 1.
      means: `[M, D]`.
      axes: `[M, K, D]`, orthonormal rows.
      variances: `[M, K]`, along the axes, at least the noise's; descending.
      noise_variances: `[M]`, in every other direction.
    """

    weights: np.ndarray
    means: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    noise_variances: np.ndarray

    def log_joint(self, points: np.ndarray) -> np.ndarray:
        """Log p(point, component) of `[N, D]` points, `[N, M]`."""
        columns = [self._log_density(points, m) for m in range(len(self.weights))]
        # An empty component has log-weight -inf, and explains nothing.
        with np.errstate(divide="ignore"):
            return np.stack(columns, axis=1) + np.log(self.weights)

    def _log_density(self, points: np.ndarray, m: int) -> np.ndarray:
        size, rank = points.shape[1], len(self.axes[m])
        offset = points - self.means[m]
        along = offset @ self.axes[m].T
        # The part off the axes is formed before it is squared: the difference of two
        # squared norms would lose digits where the axes explain nearly everything.
        off = offset - along @ self.axes[m]
        distance = np.sum(along**2 / self.variances[m], axis=1)
        distance += np.sum(off**2, axis=1) / self.noise_variances[m]
        log_volume = np.sum(np.log(self.variances[m]))
        log_volume += (size - rank) * np.log(self.noise_variances[m])
        return -0.5 * (distance + log_volume + size * np.log(2 * np.pi))


@dataclass(frozen=True)
class Fit:
    """The result of `fit_mixture`.

    Attributes:
      mixture: components in order of falling weight.
      log_likelihoods: `[I]`, mean log-likelihood per point before each M-step and, as
        the last entry, that of `mixture`.
      converged: whether the last gain was below the tolerance.
    """

    mixture: PPCAMixture
    log_likelihoods: np.ndarray
    converged: bool


def fit_mixture(
    points: np.ndarray,
    components: int,
    rank: int,
    *,
    noise_floor: float,
    seed: int = 0,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
    progress: Progress = lambda iteration, log_likelihood: None,
) -> Fit:
    """Fits by expectation maximisation from a seeded, k-means++-like start.

    Args:
      points: `[N, D]`, finite.
      components: M, at least 1.
      rank: K, at least 1 and below D.
      noise_floor: smallest standard deviation of a component's noise, above 0, in the
        points' unit. Without one, data that fill fewer than D dimensions (or fewer
        points than dimensions) have unbounded likelihood.
      seed: of the start; equal seeds give equal fits.
      max_iterations: M-steps at most.
      tolerance: stops when the mean log-likelihood per point gains less.
      progress: called with the iteration and the mean log-likelihood per point.

    Raises:
      InputError: if points hold NaN or infinity, or are fewer than M (K + 1).
      ValueError: if another argument is out of its range.
    """
    _check(points, components, rank, noise_floor)
    labels = _start(points, components, np.random.default_rng(seed))
    shares = np.eye(components)[labels]
    mixture = _maximised(points, shares, rank, noise_floor, None)
    likelihoods: list[float] = []
    converged = False
    for iteration in range(max_iterations + 1):
        shares, likelihood = _expected(points, mixture)
        progress(iteration, likelihood)
        converged = bool(likelihoods) and likelihood - likelihoods[-1] < tolerance
        likelihoods.append(likelihood)
        if converged or iteration == max_iterations:
            break
        mixture = _maximised(points, shares, rank, noise_floor, mixture)
    return Fit(_ordered(mixture), np.array(likelihoods), converged)


def _check(points: np.ndarray, components: int, rank: int, noise_floor: float) -> None:
    if components < 1 or not 1 <= rank < points.shape[1] or noise_floor <= 0:
        raise ValueError(
            "`components` must be at least 1, `rank` between 1 and the dimensions less "
            f"1, `noise_floor` above 0. Received: {components}, {rank} of "
            f"{points.shape[1]}, {noise_floor}"
        )
    if not np.all(np.isfinite(points)):
        first = int(np.argwhere(~np.isfinite(points))[0, 0])
        raise InputError(
            f"mixture fit: every value must be finite; frame {first} has others"
        )
    needed = components * (rank + 1)
    if len(points) < needed:
        raise InputError(
            f"mixture fit: {components} models of {rank} axes need at least {needed} "
            f"frames; received {len(points)}"
        )


def _expected(points: np.ndarray, mixture: PPCAMixture) -> tuple[np.ndarray, float]:
    """The E-step: responsibilities `[N, M]` and mean log-likelihood per point."""
    log_joint = mixture.log_joint(points)
    highest = log_joint.max(axis=1, keepdims=True)
    joint = np.exp(log_joint - highest)
    evidence = joint.sum(axis=1, keepdims=True)
    return joint / evidence, float(np.mean(highest + np.log(evidence)))


def _maximised(
    points: np.ndarray,
    shares: np.ndarray,
    rank: int,
    noise_floor: float,
    previous: PPCAMixture | None,
) -> PPCAMixture:
    """The M-step: each component's optimum for its share of the points."""
    parts = []
    for m, share in enumerate(shares.T):
        if previous is not None and share.sum() < _SMALLEST_COUNT:
            parts.append(
                (
                    previous.means[m],
                    previous.axes[m],
                    previous.variances[m],
                    previous.noise_variances[m],
                )
            )
        else:
            parts.append(_component(points, share / share.sum(), rank, noise_floor))
    means, axes, variances, noise = map(np.array, zip(*parts, strict=True))
    return PPCAMixture(shares.mean(axis=0), means, axes, variances, noise)


def _component(
    points: np.ndarray, share: np.ndarray, rank: int, noise_floor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    mean = share @ points
    offset = points - mean
    values, vectors = np.linalg.eigh((share[:, None] * offset).T @ offset)
    eigenvalues, axes = values[::-1], vectors.T[::-1]
    noise = max(float(eigenvalues[rank:].mean()), noise_floor**2)
    return mean, axes[:rank], np.maximum(eigenvalues[:rank], noise), noise


def _ordered(mixture: PPCAMixture) -> PPCAMixture:
    order = np.argsort(-mixture.weights, kind="stable")
    return PPCAMixture(
        mixture.weights[order],
        mixture.means[order],
        mixture.axes[order],
        mixture.variances[order],
        mixture.noise_variances[order],
    )


def _start(points: np.ndarray, components: int, rng: np.random.Generator) -> np.ndarray:
    """Labels `[N]` from k-means++ seeding (Arthur & Vassilvitskii 2007) and k-means."""
    centres = points[rng.integers(len(points))][None]
    while len(centres) < components:
        distance = _squared_distances(points, centres).min(axis=1)
        total = distance.sum()
        # Fewer distinct points than components: any point will do.
        chance = distance / total if total > 0 else None
        centres = np.vstack([centres, points[rng.choice(len(points), p=chance)]])
    for _ in range(_KMEANS_ITERATIONS):
        labels = _squared_distances(points, centres).argmin(axis=1)
        centres = np.stack(
            [
                points[labels == m].mean(axis=0) if np.any(labels == m) else centres[m]
                for m in range(components)
            ]
        )
    return _without_empty(labels, components)


def _without_empty(labels: np.ndarray, components: int) -> np.ndarray:
    """Deals the largest group's points out to components that received none."""
    labels = labels.copy()
    for m in range(components):
        if not np.any(labels == m):
            largest = np.flatnonzero(labels == np.bincount(labels).argmax())
            labels[largest[::2]] = m
    return labels


def _squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.stack([np.sum((points - c) ** 2, axis=1) for c in centres], axis=1)
