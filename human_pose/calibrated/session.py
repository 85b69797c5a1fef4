"""A recording lifted, stage by stage: what is measured of a take, then its poses."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.calibrated import gaps
from human_pose.calibrated.joints import SWAP_NAMES
from human_pose.calibrated.lengths import size_doubt
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.measure import check_known, measure
from human_pose.calibrated.observe import Sight, observe
from human_pose.calibrated.rivals import undo_exchanged_bodies
from human_pose.calibrated.stages import Stages
from human_pose.calibrated.take import Take
from human_pose.calibrated.windows import overlap, windows
from human_pose.calibrated.work import Progress, Work
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.geometry.triangulation import view_pairs

# A detection that is an outlier with more than even odds was not used.
_EVEN: Final = 0.5
# Of recordings that do not say; the rate of the weights' data.
DEFAULT_FPS: Final = 24.0
_MOST_SWAP_ROUNDS: Final = 2
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
          InputError: of `observe` and `check_known`.
        """
        solved = self.solved(recording, lengths_mm, sigma_px)
        work, temporal = solved.work, self._is_sequence(solved.work)
        work.settle()
        covariance = self._covariances(solved)
        covariance += _size_doubt(solved)
        reach = temporal * overlap(work)
        known = ~gaps.unknown(work.shows, work.follows, reach)[:, None]
        known = known & np.isfinite(covariance.sum(axis=(-2, -1)))
        joints = np.where(known[..., None], solved.joints_mm, np.nan)
        covariance[~known] = np.nan
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
        check_known(self.lifter, len(sight.projection), lengths_mm, sigma_px)
        nothing = np.zeros(0)
        sigma = nothing if sigma_px is None else np.asarray(sigma_px, np.float64)
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
        if self._is_sequence(solved.work):
            return _covariances(solved.work, solved.frames, solved.joints_mm)
        return solved.frames.covariance_mm2.copy()

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
        shape = len(chosen), len(work.lifter.joints), 3
        turns = np.empty([len(chosen), 3, 3])
        found = cls(np.empty(shape), turns, np.empty([*shape, 3]))
        for part in work.batches("frames", len(chosen)):
            rows = chosen[part]
            observed = work.observed(rows)
            x, turn = work.stages.frames(work.triangulated(rows), observed, body, terms)
            spread = work.stages.frame_covariances(x, turn, observed, body, terms)
            found.joints_mm[part], found.turns[part] = x.joints_mm, turn
            found.covariance_mm2[part] = spread
        return found

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
    for window in windows(work, "sequence"):
        if changed[window.part].any():
            arguments = window.of(work, start, frames.turns, whole=False)
            found = work.stages.sequence(*arguments).joints_mm.numpy()
            joints[window.kept] = window.carried_on(work, found)


def _covariances(work: Work, frames: Frames, joints: np.ndarray) -> np.ndarray:
    """Covariances of the joints of sequences, `[F, J, 3, 3]`."""
    result = np.empty_like(frames.covariance_mm2)
    nearest = gaps.nearest(work.shows, work.follows)
    lasting = work.take.lasting
    # What lasts is not averaged over frames: that share of a frame's own errors. Where
    # nothing is seen the nearest frame's come on top of what time adds.
    share = 1 - lasting * work.shows[:, None, None, None]
    for window in windows(work, "covariances"):
        arguments = window.of(work, joints, frames.turns)
        found = work.stages.sequence_covariances(*arguments).numpy()[window.own]
        alone = frames.covariance_mm2[nearest[window.kept]]
        alone = np.where(np.isfinite(alone), alone, found)
        result[window.kept] = share[window.kept] * found + lasting * alone
    return result


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
