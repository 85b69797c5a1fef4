"""Mixtures of Gaussians over centred poses, fitted by EM to more than memory holds.

A pose that misses joints has no centre of its own: each component allows it any
translation, by a deviation that is wide beside all others. Covariances are drawn to the
pooled one (a prior of `shrinkage` poses), and are full or those of a probabilistic PCA
(Tipping and Bishop, 1999), whose maximum follows from the full one's.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.statistics import Expected, expected, log_density

# Poses `[n, 3K]`, part by part, as often as it is called.
Chunks = Callable[[], Iterable[np.ndarray]]

# Of a pose that misses joints, beside its own; squared it is far below 1 / eps.
_ANYWHERE_MM: Final = 1e3
# Keeps covariances of few poses invertible where missing joints are completed.
_LEAST_MM2: Final = 1e-2
_LEAST_SHARE: Final = 1e-6


class Mixture(NamedTuple):
    """Components of a mixture.

    Attributes:
      shares: `[M]`.
      means_mm: `[M, 3K]`, centred.
      covariances_mm2: `[M, 3K, 3K]`, of centred poses.
    """

    shares: np.ndarray
    means_mm: np.ndarray
    covariances_mm2: np.ndarray


def centring(joints: int) -> np.ndarray:
    """The matrix `[3K, 3K]` that takes the mean of K joints from each."""
    return np.kron(np.eye(joints) - 1 / joints, np.eye(3))


def log_likelihoods(poses: np.ndarray, mixture: Mixture, flat_mm: float) -> np.ndarray:
    """Log of share times density, `[M, n]`; translations count for nothing."""
    size = poses.shape[1]
    noise = flat_mm**2 * np.eye(size) + _anywhere(size)
    along = 3 * 0.5 * np.log(2 * np.pi * (flat_mm**2 + size / 3 * _ANYWHERE_MM**2))
    return np.stack(
        [
            np.log(share) + log_density(poses, mean, covariance + noise) + along
            for share, mean, covariance in zip(*mixture, strict=True)
        ]
    )


def log_likelihood(chunks: Chunks, mixture: Mixture, flat_mm: float) -> float:
    """The mean over poses, in nats."""
    total, count = 0.0, 0
    for poses in chunks():
        total += float(
            np.logaddexp.reduce(log_likelihoods(poses, mixture, flat_mm)).sum()
        )
        count += len(poses)
    return total / count


def fit_single(chunks: Chunks, joints: int, config: PriorConfig) -> Mixture:
    """One Gaussian: the mean and the full covariance of all poses."""
    size = 3 * joints
    plain = replace(config, covariance="full", shrinkage=0.0)
    # In mm²; where nothing is missing the first step forgets both.
    wide = Mixture(
        np.ones(1), _mean_body(chunks, joints)[None], 1e5 * centring(joints)[None]
    )
    pooled = np.zeros((size, size))
    return _run(chunks, wide, pooled, plain, config.steps)


def fit_mixture(
    chunks: Chunks, single: Mixture, drawn: np.ndarray, config: PriorConfig
) -> Mixture:
    """The mixture that EM finds from the best of several starts.

    Args:
      chunks: all poses.
      single: fitted to them.
      drawn: `[n, 3K]`, some of them, on which the starts are compared.
      config: the number of components, and the rest.
    """
    pooled = single.covariances_mm2[0]
    if config.components == 1:
        return single._replace(covariances_mm2=_shaped(pooled, config)[None])
    mean = single.means_mm[0]
    whole = _completed(drawn, mean, pooled).rows
    starts = []
    for start in range(config.starts):
        rng = np.random.default_rng([config.seed, start])
        few = len(whole) < config.components
        picked = whole[rng.choice(len(whole), config.components, replace=few)]
        begun = Mixture(
            np.full(config.components, 1 / config.components),
            picked,
            np.repeat(pooled[None], config.components, axis=0),
        )
        found = _run(lambda: [drawn], begun, pooled, config, config.start_steps)
        value = log_likelihood(lambda: [drawn], found, config.flat_mm)
        starts.append((value, found))
    best = max(starts, key=lambda pair: pair[0])[1]
    return _run(chunks, best, pooled, config, config.steps)


def _mean_body(chunks: Chunks, joints: int) -> np.ndarray:
    """The mean `[3K]` of poses, each moved to where what is there of it fits best.

    Poses that miss joints are centred by the others: the mean of legs alone is at the
    knees. Begun elsewhere, EM explains by the millimetres in which such poses differ
    how far they were put from the whole ones, and stays there.
    """
    # Least squares over the mean and the moves; these are eliminated.
    normal, right = np.zeros((joints, joints)), np.zeros((joints, 3))
    for poses in chunks():
        points = poses.reshape(len(poses), joints, 3)
        there = np.asarray(np.isfinite(points).all(axis=-1), np.float64)
        points = np.where(there[..., None] > 0, points, 0.0)
        count = there.sum(axis=1, keepdims=True)
        right += points.sum(axis=0) - there.T @ (points.sum(axis=1) / count)
        normal += np.diag(there.sum(axis=0)) - (there / count).T @ there
    return np.asarray(np.linalg.pinv(normal, hermitian=True) @ right).ravel()


def _run(
    chunks: Chunks,
    mixture: Mixture,
    pooled: np.ndarray,
    config: PriorConfig,
    steps: int,
) -> Mixture:
    before = -np.inf
    for _ in range(steps):
        mixture, now = _step(chunks, mixture, pooled, config)
        if now - before < config.gain:
            break
        before = now
    return mixture


def _step(
    chunks: Chunks, mixture: Mixture, pooled: np.ndarray, config: PriorConfig
) -> tuple[Mixture, float]:
    """The next mixture, and the mean log-likelihood of this one."""
    parts, size = mixture.means_mm.shape
    counts, sums = np.zeros(parts), np.zeros((parts, size))
    squares, total = np.zeros((parts, size, size)), 0.0
    for poses in chunks():
        logs = log_likelihoods(poses, mixture, config.flat_mm)
        whole = np.logaddexp.reduce(logs)
        total += float(whole.sum())
        for part, weights in enumerate(np.exp(logs - whole)):
            mean = mixture.means_mm[part]
            filled = _completed(poses, mean, mixture.covariances_mm2[part])
            counts[part] += weights.sum()
            sums[part] += weights @ (filled.rows - mean)
            squares[part] += filled.scatter(weights, mean)
    poses_in_all = counts.sum()
    counts = np.maximum(counts, _LEAST_SHARE * poses_in_all)
    shifts = sums / counts[:, None]
    outer = shifts[:, :, None] * shifts[:, None, :]
    scatters = squares - counts[:, None, None] * outer
    weight = (counts + config.shrinkage)[:, None, None]
    covariances = (scatters + config.shrinkage * pooled) / weight
    covariances = np.stack([_shaped(each, config) for each in covariances])
    found = Mixture(counts / counts.sum(), mixture.means_mm + shifts, covariances)
    return found, total / poses_in_all


def _completed(poses: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> Expected:
    """Poses with all joints, centred."""
    size = poses.shape[1]
    loose = covariance + _LEAST_MM2 * np.eye(size) + _anywhere(size)
    return expected(poses, mean, loose).moved(centring(size // 3))


def _anywhere(size: int) -> np.ndarray:
    """Covariance of translations of whole poses."""
    return _ANYWHERE_MM**2 * np.kron(np.ones((size // 3, size // 3)), np.eye(3))


def _shaped(covariance: np.ndarray, config: PriorConfig) -> np.ndarray:
    """The covariance as it shall be: full, or a probabilistic PCA's.

    Directions beyond the rank share their mean variance; those of translations have
    none.
    """
    centre = centring(len(covariance) // 3)
    free = len(covariance) - 3
    if config.covariance == "full" or config.rank >= free:
        return covariance
    values, vectors = np.linalg.eigh(covariance)
    kept, rest = slice(-config.rank, None), slice(3, -config.rank)
    noise = float(values[rest].mean())
    basis = vectors[:, kept]
    own = (basis * (values[kept] - noise)) @ basis.T
    return np.asarray(own + noise * centre)
