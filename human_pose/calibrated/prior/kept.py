"""What a prior is fitted to: takes of the mean body on disk, and mirror images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from absl import logging

from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.copies import Copies
from human_pose.calibrated.prior.em import Chunks
from human_pose.calibrated.prior.pose_prior import retargeting
from human_pose.calibrated.prior.statistics import patterns
from human_pose.calibrated.prior.storage import Rows
from human_pose.calibrated.prior.takes import Take, mirrored, takes_of
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Source:
    """What a motion gave to a fit.

    Attributes:
      name: of the file.
      fps: of the motion.
      takes: between cuts, without those that an earlier motion has.
      poses: after thinning.
      missing: share `[K]` of the poses that miss each joint.
      accelerations: second differences.
    """

    name: str
    fps: float
    takes: int
    poses: int
    missing: np.ndarray
    accelerations: int


class Place(NamedTuple):
    """Where a take's rows are, and its body."""

    poses: range
    accelerations: range
    lengths_mm: np.ndarray


class Kept:
    """Poses and accelerations on disk.

    Args:
      skeleton: theirs.
      config: of the fit.

    Attributes:
      takes: where each one's are.
    """

    def __init__(self, skeleton: Skeleton, config: PriorConfig) -> None:
        self.skeleton = skeleton
        self.takes: list[Place] = []
        self._config = config
        self._poses = Rows(3 * len(skeleton))
        self._accelerations = Rows(3 * len(skeleton))
        self._copies = Copies(self._poses)

    def close(self) -> None:
        """Removes all from disk."""
        self._poses.close()
        self._accelerations.close()

    def add(self, motion: Motion) -> Source:
        """Keeps a motion's takes; says what they are."""
        missing, before = np.zeros(len(self.skeleton)), len(self.takes)
        copied: list[str] = []
        for take in takes_of(motion, self.skeleton, self._config):
            if (earlier := self._copies.source_of(take.poses_mm)) is not None:
                copied.append(earlier)
                continue
            place = self._keep(take)
            self.takes.append(place)
            self._copies.add(motion.source, take.poses_mm, place.poses)
            missing += np.isnan(take.poses_mm[..., 0]).sum(axis=0)
        own = self.takes[before:]
        _tell(motion.source, len(own), copied)
        poses = sum(len(place.poses) for place in own)
        return Source(
            motion.source,
            float(motion.fps or 0),
            len(own),
            poses,
            missing / max(poses, 1),
            sum(len(place.accelerations) for place in own),
        )

    def _keep(self, take: Take) -> Place:
        poses, accelerations = (
            rows.reshape(len(rows), 3 * len(self.skeleton))
            for rows in (take.poses_mm, take.accelerations_mm)
        )
        return Place(
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
        wanted = 3 * len(self.skeleton)  # fewer leave their scale to chance
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
        return mean

    def poses_of(self, takes: list[Place]) -> Chunks:
        """Poses of some takes, and their mirror images."""
        spans = [take.poses for take in takes]
        return lambda: self._both(self._poses, spans)

    def accelerations(self) -> Iterator[np.ndarray]:
        """All accelerations, and their mirror images."""
        spans = [take.accelerations for take in self.takes]
        return self._both(self._accelerations, spans)

    def drawn(self, takes: list[Place]) -> np.ndarray:
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


def _tell(source: str, takes: int, copied: Sequence[str]) -> None:
    """Warns of motion that adds nothing, or what there is already."""
    if copied:
        of = ", ".join(dict.fromkeys(copied))
        logging.warning(
            "%s: %d of its %d takes are those of %s again; they count once",
            *(source, len(copied), takes + len(copied), of),
        )
    elif not takes:
        logging.warning(
            "%s: adds nothing: no frame shows hips or shoulders, left and right", source
        )


def _retargeted(
    rows: np.ndarray, skeleton: Skeleton, old_mm: np.ndarray, new_mm: np.ndarray
) -> np.ndarray:
    """Poses `[n, 3K]` with other bones, centred by the joints that are there."""
    result = np.full_like(rows, np.nan)
    for places, there in patterns(rows):
        joints = np.asarray(there.reshape(-1, 3).all(axis=1))
        matrix = retargeting(skeleton, old_mm, new_mm, joints)[np.ix_(joints, joints)]
        result[np.ix_(places, there)] = (
            rows[np.ix_(places, there)] @ np.kron(matrix, np.eye(3)).T
        )
    return result
