"""Fits a prior to motion: one pass over the files, then EM over what was kept on disk.

Every take's body is measured, and its poses are given the mean body's bone lengths;
poses and accelerations are mirrored, too. Memory holds one file and one part of the
poses at a time.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.prior.acceleration import fit_scale
from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.em import (
    Chunks,
    Mixture,
    fit_mixture,
    fit_single,
    log_likelihood,
)
from human_pose.calibrated.prior.pose_prior import PosePrior, retargeting
from human_pose.calibrated.prior.statistics import patterns
from human_pose.calibrated.prior.storage import Rows
from human_pose.calibrated.prior.takes import Take, mirrored, takes_of
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17

# One of so many takes is held out.
_FOLDS: Final = 5
# Fewer accelerations than this for each of their numbers leave the scale to chance.
_LEAST_RATIO: Final = 1.0

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Source:
    """What a motion gave to a fit.

    Attributes:
      name: of the file.
      fps: of the motion.
      takes: between cuts.
      poses: after thinning.
      missing: bool or share `[K]`, of the poses that miss each joint.
      accelerations: second differences.
    """

    name: str
    fps: float
    takes: int
    poses: int
    missing: np.ndarray
    accelerations: int


class HeldOut(NamedTuple):
    """Log-likelihoods a pose, in nats, of takes that a fit saw and of those it did not.

    Attributes:
      components: of the fit.
      seen: of the takes that it was fitted to.
      unseen: of the others.
    """

    components: int
    seen: float
    unseen: float


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted prior, and how it came about.

    Attributes:
      prior: of all takes.
      config: of the fit.
      sources: one for each motion.
      held_out: for 1 to M components; empty where there is but one take.
    """

    prior: PosePrior
    config: PriorConfig
    sources: tuple[Source, ...]
    held_out: tuple[HeldOut, ...]


def fit_prior(
    motions: Iterable[Motion],
    config: PriorConfig | None = None,
    *,
    skeleton: Skeleton = LIFTER_17,
    hold_out: bool = True,
    progress: Progress = lambda what, done, total: None,
) -> Fit:
    """Fits a prior.

    Args:
      motions: each is read once, and one at a time.
      config: see `PriorConfig`.
      skeleton: of the prior; it must have hips or shoulders, left and right.
      hold_out: whether to measure, before, how well fits to some takes foretell others.
      progress: called with what was fitted, and how many fits of all are done.

    Raises:
      InputError: if a motion has no frame rate or none of the joints, a joint is never
        there, or there are too few poses or accelerations.
    """
    config = config or PriorConfig()
    kept = _Kept(skeleton, config)
    sources = tuple(kept.add(motion) for motion in motions)
    lengths = kept.retarget()
    counts = range(1, config.components + 1)
    counts = counts if hold_out and len(kept.takes) > 1 else range(0)
    held_out: list[HeldOut] = []
    for done, components in enumerate(counts):
        progress("held-out takes", done, len(counts) + 1)
        held_out.append(_held_out(kept, replace(config, components=components)))
    progress("all takes", len(counts), len(counts) + 1)
    mixture = _mixture(kept, kept.takes, config)
    scale = fit_scale(kept.accelerations, 3 * len(skeleton), config.freedom)
    progress("all takes", len(counts) + 1, len(counts) + 1)
    prior = PosePrior(
        skeleton,
        lengths,
        mixture.shares,
        mixture.means_mm.reshape(len(mixture.shares), -1, 3),
        mixture.covariances_mm2,
        scale,
        config.fps,
    )
    return Fit(prior, config, sources, tuple(held_out))


def _mixture(kept: "_Kept", takes: list["_Place"], config: PriorConfig) -> Mixture:
    chunks = kept.poses_of(takes)
    single = fit_single(chunks, len(kept.skeleton), config)
    return fit_mixture(chunks, single, kept.drawn(takes), config)


def _held_out(kept: "_Kept", config: PriorConfig) -> HeldOut:
    """Fits to all takes but every fifth."""
    last = min(_FOLDS, len(kept.takes)) - 1
    out = [n % _FOLDS == last for n in range(len(kept.takes))]
    seen = [take for take, is_out in zip(kept.takes, out, strict=True) if not is_out]
    unseen = [take for take, is_out in zip(kept.takes, out, strict=True) if is_out]
    mixture = _mixture(kept, seen, config)
    return HeldOut(
        config.components,
        log_likelihood(kept.poses_of(seen), mixture, config.flat_mm),
        log_likelihood(kept.poses_of(unseen), mixture, config.flat_mm),
    )


class _Place(NamedTuple):
    """Where a take's rows are, and its body."""

    poses: range
    accelerations: range
    lengths_mm: np.ndarray


class _Kept:
    """Poses and accelerations on disk."""

    def __init__(self, skeleton: Skeleton, config: PriorConfig) -> None:
        self.skeleton = skeleton
        self.takes: list[_Place] = []
        self._config = config
        self._poses = Rows(3 * len(skeleton))
        self._accelerations = Rows(3 * len(skeleton))

    def add(self, motion: Motion) -> Source:
        """Keeps a motion's takes; says what they are."""
        missing, before = np.zeros(len(self.skeleton)), len(self.takes)
        for take in takes_of(motion, self.skeleton, self._config):
            self.takes.append(self._keep(take))
            missing += np.isnan(take.poses_mm[..., 0]).sum(axis=0)
        own = self.takes[before:]
        poses = sum(len(place.poses) for place in own)
        return Source(
            motion.source,
            float(motion.fps or 0),
            len(own),
            poses,
            missing / max(poses, 1),
            sum(len(place.accelerations) for place in own),
        )

    def _keep(self, take: Take) -> _Place:
        poses, accelerations = (
            rows.reshape(len(rows), 3 * len(self.skeleton))
            for rows in (take.poses_mm, take.accelerations_mm)
        )
        return _Place(
            self._poses.append(poses),
            self._accelerations.append(accelerations),
            take.lengths_mm,
        )

    def retarget(self) -> np.ndarray:
        """Gives all poses the mean body's bones, whose lengths it returns, `[K]`.

        Raises:
          InputError: if there are too few poses or accelerations, or a joint is never
            there.
        """
        self._check()
        mean = self._mean_lengths()
        for take in self.takes:
            known = np.isfinite(take.lengths_mm)
            size = take.lengths_mm[known].sum() / mean[known].sum()
            own = np.where(known, take.lengths_mm, size * mean)
            for first in range(take.poses.start, take.poses.stop, self._config.chunk):
                span = range(first, min(first + self._config.chunk, take.poses.stop))
                moved = _retargeted(self._poses.read(span), self.skeleton, own, mean)
                self._poses.write(first, moved)
            # Of a body twice as large they are twice as large.
            rows = self._accelerations.read(take.accelerations)
            self._accelerations.write(take.accelerations.start, rows / size)
        return mean

    def _check(self) -> None:
        least = max(self._config.components, 2)
        if len(self._poses) < least:
            raise InputError(
                f"motion: must have {least} poses or more that show hips or shoulders; "
                f"it has {len(self._poses)}"
            )
        wanted = int(_LEAST_RATIO * 3 * len(self.skeleton))
        if len(self._accelerations) < wanted:
            raise InputError(
                f"motion: must have {wanted} frames or more that follow each other at "
                f"{self._config.least_fps:g} a second or faster; it has "
                f"{len(self._accelerations)}"
            )

    def _mean_lengths(self) -> np.ndarray:
        lengths = np.stack([take.lengths_mm for take in self.takes])
        weights = np.array([len(take.poses) for take in self.takes], float)[:, None]
        weights = weights * np.isfinite(lengths)
        total = weights.sum(axis=0)
        never = [
            name
            for name, count in zip(self.skeleton.names, total, strict=True)
            if not count
        ]
        if never:
            raise InputError(
                "motion: must have every joint somewhere, with the one that it hangs "
                f"on; never there: {', '.join(never)}"
            )
        mean: np.ndarray = (weights * np.nan_to_num(lengths)).sum(axis=0) / total
        if not mean.sum() > 0:
            raise InputError("motion: all joints are at one place")
        return mean

    def poses_of(self, takes: list[_Place]) -> Chunks:
        """Poses of some takes, and their mirror images."""
        spans = [take.poses for take in takes]
        return lambda: self._both(self._poses, spans)

    def accelerations(self) -> Iterator[np.ndarray]:
        """All accelerations, and their mirror images."""
        spans = [take.accelerations for take in self.takes]
        return self._both(self._accelerations, spans)

    def drawn(self, takes: list[_Place]) -> np.ndarray:
        """Some poses, and their mirror images."""
        places = np.concatenate([np.asarray(take.poses) for take in takes])
        most = self._config.start_poses
        if len(places) > most:
            rng = np.random.default_rng(self._config.seed)
            places = np.sort(rng.choice(places, most, replace=False))
        rows = self._poses.drawn(places)
        return np.concatenate([rows, mirrored(rows, self.skeleton)])

    def _both(self, rows: Rows, spans: list[range]) -> Iterator[np.ndarray]:
        for chunk in rows.chunks(spans, self._config.chunk):
            yield np.concatenate([chunk, mirrored(chunk, self.skeleton)])


def _retargeted(
    rows: np.ndarray, skeleton: Skeleton, old_mm: np.ndarray, new_mm: np.ndarray
) -> np.ndarray:
    """Poses `[n, 3K]` with other bones, centred by the joints that are there."""
    result = np.full_like(rows, np.nan)
    for places, there in patterns(rows):
        joints = there.reshape(-1, 3).all(axis=1)
        matrix = retargeting(skeleton, old_mm, new_mm, joints)[np.ix_(joints, joints)]
        result[np.ix_(places, there)] = (
            rows[np.ix_(places, there)] @ np.kron(matrix, np.eye(3)).T
        )
    return result
