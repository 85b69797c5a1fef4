"""A recording lifted, stage by stage: what is measured of a take, then its poses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.calibrated import gaps
from human_pose.calibrated.energy import Unknowns
from human_pose.calibrated.joints import SWAP_NAMES
from human_pose.calibrated.lengths import size_doubt
from human_pose.calibrated.lifter import CalibratedLifter, Take
from human_pose.calibrated.measure import measure
from human_pose.calibrated.observe import Sight, observe
from human_pose.calibrated.rivals import undo_exchanged_bodies
from human_pose.calibrated.stages import Stages
from human_pose.calibrated.work import Progress, Work
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.geometry.triangulation import view_pairs

# A detection that is an outlier with more than even odds was not used.
_EVEN: Final = 0.5
# Of recordings that do not say; the rate of the weights' data.
DEFAULT_FPS: Final = 24.0
_MOST_SWAP_ROUNDS: Final = 2
# Windows are filled up to multiples of it, so that few lengths are compiled.
_LENGTHS: Final = 64
# Frames that windows share at the least, whatever the rate.
_LEAST_OVERLAP: Final = 2
# Of `find_swaps`: exchanges that have the arms, and the legs, in them.
_WITH_LIMBS: Final = ((1, 3), (2, 3))


@dataclass(frozen=True, eq=False)
class Lifted:
    """A lifted recording.

    Attributes:
      poses: the results; NaN where no frame that shows something is near.
      take: what was measured of the take.
      frame_joints_mm: `[F, J, 3]`, of frames by themselves; NaN where nothing is seen.
      shift_px: `[V, 2]`, by which the views' detections were moved because the cameras
        show everything beside its place.
    """

    poses: Poses
    take: Take
    frame_joints_mm: np.ndarray
    shift_px: np.ndarray


class Session:
    """Lifts one person's recordings with a lifter; compiles once for like rigs.

    Args:
      lifter: the model.
      progress: told the stage and the share of it that is done, from 0 to 1.
    """

    def __init__(
        self, lifter: CalibratedLifter, progress: Progress | None = None
    ) -> None:
        self.lifter = lifter
        self._progress = progress or (lambda stage, share: None)
        self._stages: dict[tuple[int, bytes, bool], Stages] = {}

    def lift(
        self,
        recording: Recording,
        lengths_mm: np.ndarray | None = None,
        sigma_px: np.ndarray | None = None,
    ) -> Lifted:
        """The joints of every frame, with their covariances.

        Args:
          recording: of one person, with cameras.
          lengths_mm: `[K]`, of the person's bones, if they are known.
          sigma_px: `[V, J]`, from which the detections' deviations are looked for; as
            of another recording's `take`.

        Raises:
          InputError: if there are no cameras, several people, or nothing to see.
        """
        solved = self.solved(recording, lengths_mm, sigma_px)
        work, temporal = solved.work, self._is_sequence(solved.work)
        reach = temporal * _overlap(work)
        unknown = gaps.unknown(work.shows, work.follows, reach)[:, None, None]
        covariance = self._covariances(solved) + _size_doubt(solved)
        sure = np.isfinite(covariance.sum(axis=(-2, -1)))[..., None]
        joints = np.where(sure & ~unknown, solved.joints_mm, np.nan)
        covariance = np.where((sure & ~unknown)[..., None], covariance, np.nan)
        poses = _poses(work, recording, joints, covariance, temporal)
        alone = np.where(work.shows[:, None, None], solved.frames.joints_mm, np.nan)
        return Lifted(poses, work.take, alone, work.shift_px)

    def solved(
        self,
        recording: Recording,
        lengths_mm: np.ndarray | None = None,
        sigma_px: np.ndarray | None = None,
    ) -> "Solved":
        """The recording at the minimisers, without covariances.

        Arguments and errors as of `lift`.
        """
        return self.solve(self.measured(recording, lengths_mm, sigma_px))

    def solve(self, work: Work) -> "Solved":
        """The same of what `measured` gives."""
        frames = Frames.lifted(work, np.arange(len(work)))
        if self._is_sequence(work):
            return Solved(work, frames, _lift_sequences(work, frames))
        return Solved(work, frames, frames.joints_mm)

    def measured(
        self,
        recording: Recording,
        lengths_mm: np.ndarray | None = None,
        sigma_px: np.ndarray | None = None,
    ) -> Work:
        """The recording with its take measured, before its frames are lifted.

        Arguments and errors as of `lift`.
        """
        sight = observe(recording, self.lifter.joints)
        nothing = np.zeros(0)
        sigma = nothing if sigma_px is None else sigma_px
        take = Take(nothing, nothing, sigma, 0.0, recording.fps or DEFAULT_FPS)
        follows = gaps.following(recording.frames, recording.sequence, take.fps)
        stages = self._compiled(sight)
        work = Work(self.lifter, stages, sight, follows, take, self._progress)
        temporal = self._is_sequence(work)
        if temporal:
            work.exchange()
        work.triangulate()
        measure(work, lengths_mm, temporal)
        if temporal and undo_exchanged_bodies(work):
            measure(work, lengths_mm, temporal)
        return work

    def _covariances(self, solved: "Solved") -> np.ndarray:
        """Of the joints, `[F, J, 3, 3]`."""
        work, alone = solved.work, solved.frames.covariance_mm2
        if not self._is_sequence(work):
            return alone
        covariance = _covariances(work, solved.frames, solved.joints_mm)
        # What lasts is not averaged over frames: that share of a frame's own errors.
        # Where nothing is seen the nearest frame's come on top of what time adds.
        alone = alone[gaps.nearest(work.shows, work.follows)]
        alone = np.where(np.isfinite(alone), alone, covariance)
        share = 1 - work.take.lasting * work.shows[:, None, None, None]
        return np.asarray(share * covariance + work.take.lasting * alone)

    def _is_sequence(self, work: Work) -> bool:
        return self.lifter.config.temporal and bool(work.follows.any())

    def _compiled(self, sight: Sight) -> Stages:
        """The stages for a rig, which do not depend on where its cameras stand."""
        pairs, views = view_pairs(sight.projection), len(sight.projection)
        directed = sight.whitening is not None
        key = views, pairs.tobytes(), directed
        if key not in self._stages:
            self._stages[key] = Stages(self.lifter, views, pairs, directed)
        return self._stages[key]


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames lifted by themselves.

    Attributes:
      joints_mm: `[F, J, 3]`.
      turns: `[F, 3, 3]`, of the bodies, to the world.
      covariance_mm2: `[F, J, 3, 3]`, of the joints.
    """

    joints_mm: np.ndarray
    turns: np.ndarray
    covariance_mm2: np.ndarray

    @classmethod
    def lifted(cls, work: Work, chosen: np.ndarray) -> "Frames":
        """Some frames, by their numbers."""
        body, terms = work.body(), work.terms(False)
        parts = []
        for part in work.batches("frames", len(chosen)):
            rows = chosen[part]
            observed = work.observed(rows)
            x, turn = work.stages.frames(work.triangulated(rows), observed, body, terms)
            spread = work.stages.frame_covariances(x, turn, observed, body, terms)
            parts.append((x.joints_mm, turn, spread))
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def lift_again(self, work: Work, chosen: np.ndarray) -> None:
        """Lifts some frames anew, by their numbers."""
        again = Frames.lifted(work, chosen)
        for name, values in vars(again).items():
            getattr(self, name)[chosen] = values


@dataclass(frozen=True, eq=False)
class Solved:
    """A recording at the minimisers.

    Attributes:
      work: what is known of it.
      frames: by themselves.
      joints_mm: `[F, J, 3]`, of its sequences where it has some.
    """

    work: Work
    frames: Frames
    joints_mm: np.ndarray


def _size_doubt(solved: Solved) -> np.ndarray | float:
    """What is open beside the covariances where one view alone shows the person."""
    work, views = solved.work, solved.work.showing
    if len(views) > 1 or not work.take.spreads_mm.any():
        return 0.0
    return size_doubt(solved.joints_mm, work.sight.projection[views[0]])


def _lift_sequences(work: Work, frames: Frames) -> np.ndarray:
    """Joints once exchanges agree with the poses."""
    joints, turns = gaps.bridged(
        frames.joints_mm, frames.turns, work.shows, work.follows
    )
    frames.turns[:] = turns
    changed = np.ones(len(work), bool)
    for last_round in (*[False] * _MOST_SWAP_ROUNDS, True):
        _lift_windows(work, frames, joints, changed)
        before = work.exchanges
        if last_round or not work.exchange(joints):
            break
        changed = (work.exchanges != before).any(axis=1) & work.shows
        work.triangulate()
        frames.lift_again(work, np.flatnonzero(changed))
        joints[changed] = frames.joints_mm[changed]
    return joints


def _lift_windows(
    work: Work, frames: Frames, joints: np.ndarray, changed: np.ndarray
) -> None:
    """Moves joints `[F, J, 3]` to where their sequences are likeliest.

    Windows without a frame that has `changed` stay.
    """
    start = joints.copy()
    for window in _windows(work, "sequence"):
        if changed[window.part].any():
            arguments = window.of(work, start, frames.turns)
            found = work.stages.sequence(*arguments).joints_mm
            joints[window.kept] = found[window.own]


def _covariances(work: Work, frames: Frames, joints: np.ndarray) -> np.ndarray:
    """Covariances of the joints of sequences, `[F, J, 3, 3]`."""
    result = np.empty_like(frames.covariance_mm2)
    for window in _windows(work, "covariances"):
        arguments = window.of(work, joints, frames.turns)
        result[window.kept] = work.stages.sequence_covariances(*arguments)[window.own]
    return result


class _Window(NamedTuple):
    """Frames that are minimised together.

    Attributes:
      part: all of them.
      kept: those whose results count.
      own: where these are among all.
      overlap: frames that chunks share within it.
    """

    part: slice
    kept: slice
    own: slice
    overlap: int

    def of(self, work: Work, joints: np.ndarray, turns: np.ndarray) -> tuple[Any, ...]:
        """What `Stages.sequence` takes, filled up to a length that is compiled."""
        first, count = self.part.start, self.part.stop - self.part.start
        # Frames beyond the end are the last one again, and follow nothing.
        filled = np.minimum(np.arange(-(-count // _LENGTHS) * _LENGTHS), count - 1)
        rows = first + filled
        follows = work.follows[self.part]
        inside = np.zeros(len(rows))
        inside[1 : count - 1] = follows[1:-1] * follows[2:]
        return (
            Unknowns(tf.constant(joints[rows]), tf.zeros([len(rows), 3], tf.float64)),
            tf.constant(turns[rows]),
            tf.constant(inside),
            work.observed(rows),
            work.body(),
            work.terms(True),
            tf.constant(self.overlap, tf.int32),
        )


def _windows(work: Work, stage: str) -> Iterator[_Window]:
    """A recording's windows; tells of each once it is done."""
    settings, overlap = work.lifter.config.solver, _overlap(work)
    for first in range(0, len(work), settings.window):
        last = min(first + settings.window, len(work))
        low, high = max(first - overlap, 0), min(last + overlap, len(work))
        own = slice(first - low, last - low)
        yield _Window(slice(low, high), slice(first, last), own, overlap)
        work.tell(stage, last / len(work))


def _overlap(work: Work) -> int:
    """Frames that windows share on each side."""
    overlap_s = work.lifter.config.solver.overlap_s
    return max(round(overlap_s * work.take.fps), _LEAST_OVERLAP)


def _poses(
    work: Work,
    recording: Recording,
    joints: np.ndarray,
    covariance: np.ndarray,
    temporal: bool,
) -> Poses:
    parts = [
        work.stages.fits(joints[part], work.observed(part), work.terms(temporal))[:2]
        for part in work.batches("results")
    ]
    residual, inlier = (np.concatenate(column) for column in zip(*parts, strict=True))
    seen = work.sight.confidence > 0
    swapped = np.stack([np.isin(work.exchanges, limbs) for limbs in _WITH_LIMBS], -1)
    return Poses(
        joints,
        covariance,
        np.where(seen, residual, np.nan),
        seen & (inlier > _EVEN),
        swapped,
        work.lifter.joints.skeleton,
        recording.view_names,
        SWAP_NAMES,
        recording.fps,
        recording.frames,
        recording.sequence,
        recording.source,
    )
