"""A recording lifted, stage by stage: what is measured of a take, then its poses."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.calibrated import chains, frames, noise, swaps
from human_pose.calibrated.energy import (
    Body,
    Observed,
    Unknowns,
    Weights,
    exchange_gains,
    fit,
    flipped,
    project,
)
from human_pose.calibrated.joints import SWAP_NAMES
from human_pose.calibrated.lengths import estimate_lengths
from human_pose.calibrated.lifter import CalibratedLifter, Take
from human_pose.calibrated.observe import Sight, observe
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.geometry.triangulation import Triangulated, triangulate, view_pairs

_LOG: Final = logging.getLogger(__name__)

# Frames from which lengths and noise are estimated.
_SAMPLE: Final = 1024
# Residuals of triangulated points: the fit takes 3 of two coordinates for each view.
_MEDIAN_OF_RAYLEIGH: Final = 1.1774
# σ that changes less than that has been found.
_FOUND: Final = 0.03
# A detection that is an outlier with more than even odds was not used.
_EVEN: Final = 0.5
# σ where no joint is seen by two views (dev).
_UNSEEN_PX: Final = 4.0
_DEFAULT_FPS: Final = 24.0
_MOST_SWAP_ROUNDS: Final = 2
# Windows are filled up to multiples of it, so that few lengths are compiled.
_LENGTHS: Final = 64


@dataclass(frozen=True, eq=False)
class Lifted:
    """A lifted recording.

    Attributes:
      poses: the results.
      take: what was measured of the take.
      frame_joints_mm: `[F, J, 3]`, of frames by themselves.
      shift_px: `[V, 2]`, by which the views' detections were moved because the cameras
        show everything beside its place.
    """

    poses: Poses
    take: Take
    frame_joints_mm: np.ndarray
    shift_px: np.ndarray


class Session:
    """Lifts one person's recordings with a lifter; compiles once for each rig.

    Args:
      lifter: the model.
      progress: told the stage and the share of it that is done, from 0 to 1.
    """

    def __init__(
        self,
        lifter: CalibratedLifter,
        progress: Callable[[str, float], None] | None = None,
    ) -> None:
        self.lifter = lifter
        self._progress = progress or (lambda stage, share: None)
        self._compiled: dict[bytes, _Compiled] = {}

    def lift(
        self, recording: Recording, lengths_mm: np.ndarray | None = None
    ) -> Lifted:
        """The joints of every frame, with their covariances.

        Args:
          recording: of one person, with cameras.
          lengths_mm: `[K]`, of the person's bones, if they are known.

        Raises:
          InputError: if there are no cameras, several people, or nothing to see.
        """
        sight = observe(recording, self.lifter.joints)
        follows = np.zeros(len(sight))
        follows[1:] = recording.sequence[1:] == recording.sequence[:-1]
        fps = recording.fps or _DEFAULT_FPS
        temporal = self.lifter.config.temporal and follows.any()
        run = _Run(self, sight, follows, fps, temporal, lengths_mm)
        return run.lifted(recording)

    def compiled(self, projection: np.ndarray) -> "_Compiled":
        """The stages for a rig's cameras."""
        key = projection.tobytes()
        if key not in self._compiled:
            self._compiled[key] = _Compiled(self.lifter, projection)
        return self._compiled[key]

    def tell(self, stage: str, share: float) -> None:
        """Hands progress on."""
        self._progress(stage, share)


class _Compiled:
    """The lifter's stages as functions of arrays, for one rig."""

    def __init__(self, lifter: CalibratedLifter, projection: np.ndarray) -> None:
        views, joints = len(projection), len(lifter.joints)
        pairs = view_pairs(projection)
        layout = lifter.layout

        def spec(*shape: int | None) -> tf.TensorSpec:
            return tf.TensorSpec(shape, tf.float64)

        observed = Observed(
            spec(None, views, joints, 2),
            spec(None, views, joints),
            spec(None, views, joints),
            spec(views),
            spec(views, 3, 4),
        )
        parts, size = len(lifter.prior.shares), 3 * joints
        body = Body(
            spec(parts, joints, 3),
            spec(parts, size, size),
            spec(parts),
            spec(len(layout.bones)),
            spec(len(layout.bones)),
            spec(size, size),
        )
        terms = Weights(spec(), spec(len(layout.exchanges)), *[spec()] * 6)
        unknowns = Unknowns(spec(None, joints, 3), spec(None, 3))
        turn, inside = spec(None, 3, 3), spec(None)
        overlap = tf.TensorSpec([], tf.int32)
        problem = (observed, body, terms)

        def compile(function: Callable[..., Any], *signature: Any) -> Any:
            return tf.function(function, input_signature=signature, autograph=False)

        self.triangulate = compile(
            lambda points, seen, matrices: triangulate(points, seen, matrices, pairs),
            observed.points_px,
            observed.seen,
            observed.projection,
        )
        triangulated = Triangulated(
            spec(None, joints, 3),
            tf.TensorSpec([None, joints], tf.bool),
            spec(None, joints, 3, 3),
            spec(None, views, joints),
        )
        self.frames = compile(lifter.frames, triangulated, *problem)
        self.statistics = compile(
            lambda x, turn, observed, body, terms, follows: noise.statistics(
                x, turn, observed, body, terms, layout, follows
            ),
            unknowns,
            turn,
            *problem,
            inside,
        )
        self.frame_covariances = compile(
            lambda x, turn, observed, body, terms: frames.covariances(
                x, turn, observed, body, terms, layout
            ),
            unknowns,
            turn,
            *problem,
        )
        # Compiled for each length, of which there are few.
        self.sequence = tf.function(lifter.sequence, autograph=False)
        self.sequence_covariances = compile(
            lambda x, turn, inside, observed, body, terms, overlap: _covariances(
                x, turn, inside, observed, body, terms, layout, overlap
            ),
            unknowns,
            turn,
            inside,
            *problem,
            overlap,
        )
        self.fits = compile(
            lambda joints, observed, terms: _fits(joints, observed, terms, layout),
            unknowns.joints_mm,
            observed,
            terms,
        )


def _covariances(x, turn, inside, observed, body, terms, layout, overlap):
    found = frames.system(x, turn, observed, body, terms, layout)
    banded = chains.matrices(x, found, chains.Chain(inside, turn), body, terms)
    blocks = chains.inverse_blocks(banded, overlap)
    identity = tf.eye(3, batch_shape=[tf.shape(turn)[0]], dtype=turn.dtype)
    return frames.joint_blocks(blocks, identity)


def _fits(joints_mm, observed, terms, layout):
    """Residuals, inliers' probabilities, and gains of exchanges."""
    images, _ = project(joints_mm, observed.projection)
    straight = fit(images, observed, terms)
    crossed = fit(flipped(images, layout), observed, terms)
    residual = tf.norm(images - observed.points_px, axis=-1)
    return residual, straight.inlier, exchange_gains(straight, crossed, layout)


class _Run:
    """One recording on its way through the stages."""

    def __init__(
        self,
        session: Session,
        sight: Sight,
        follows: np.ndarray,
        fps: float,
        temporal: bool,
        lengths_mm: np.ndarray | None,
    ) -> None:
        self._session, self._lifter = session, session.lifter
        self._stages = session.compiled(sight.projection)
        self._follows, self._fps, self._temporal = follows, fps, temporal
        self._original = sight
        self._sight = sight
        self._given_lengths = lengths_mm
        self._states = np.zeros(sight.points_px.shape[:2], np.int64)
        self._projection = tf.constant(sight.projection)
        self._settings = self._lifter.config.solver
        self._shift_px = np.zeros((len(sight.projection), 2))

    def lifted(self, recording: Recording) -> Lifted:
        """All stages."""
        if self._temporal:
            self._exchange(None)
        self._triangulate()
        self._measure()
        self._lift_frames()
        if self._temporal:
            joints, covariance = self._lift_sequences()
        else:
            joints, covariance = self._joints, self._frame_covariance
        poses = self._poses(recording, joints, covariance)
        return Lifted(poses, self._take, self._joints, self._shift_px)

    # === Stages ===

    def _exchange(self, gains: np.ndarray | None) -> bool:
        """Undoes the exchanges that are most likely now; whether these changed."""
        terms = self._lifter.terms(_nothing_known(self._fps), True)
        original = self._original
        states = swaps.find_swaps(
            original.points_px,
            original.confidence > 0,
            self._follows > 0,
            self._lifter.joints,
            terms.swaps.numpy(),
            gains,
        )
        changed = not np.array_equal(states, self._states)
        self._states = states
        self._sight = Sight(
            swaps.exchanged(original.points_px, states, self._lifter.joints),
            swaps.exchanged(original.confidence, states, self._lifter.joints),
            original.projection,
        )
        return changed

    def _triangulate(self) -> None:
        parts = []
        for part in self._batches("triangulating"):
            parts.append(
                self._stages.triangulate(
                    self._sight.points_px[part],
                    self._sight.confidence[part],
                    self._projection,
                )
            )
        self._points = Triangulated(
            *(np.concatenate(p) for p in zip(*parts, strict=True))
        )

    def _measure(self) -> None:
        """Lengths, noise and what of it lasts, from some of the frames."""
        sample = _runs(len(self._sight), _SAMPLE)
        profile = self._lifter.profile_px()
        sigma = self._first_sigma(profile)
        lengths, spreads = self._lengths(sample, sigma)
        lasting = self._lifter.config.energy.lasting
        self._take = Take(lengths, spreads, sigma, lasting or 0.0, self._fps)
        for round_ in range(self._settings.noise_rounds):
            self._session.tell("measuring", round_ / self._settings.noise_rounds)
            found = self._statistics(sample)
            sigma = noise.estimate(
                found, self._take.sigma_px, self._lifter.joints.counterpart
            )
            ratio = np.log(sigma / self._take.sigma_px)
            shift = noise.view_shifts(found, self._take.sigma_px)
            self._shift(shift)
            if lasting is None and self._temporal:
                self._take = self._take._replace(lasting=noise.lasting_share(found))
            self._take = self._take._replace(sigma_px=sigma)
            if np.abs(ratio).max() < _FOUND and not shift.any():
                break
        lengths, spreads = self._lengths(sample, sigma)
        self._take = self._take._replace(lengths_mm=lengths, spreads_mm=spreads)

    def _shift(self, shift_px: np.ndarray) -> None:
        """Moves the views' detections."""
        if not shift_px.any():
            return
        self._shift_px += shift_px
        self._original = _moved(self._original, shift_px)
        self._sight = _moved(self._sight, shift_px)
        self._triangulate()

    def _lift_frames(self) -> None:
        body, terms = self._body(), self._terms(False)
        joints, turns, covariances = [], [], []
        for part in self._batches("frames"):
            observed = self._observed(part)
            x, turn = self._stages.frames(self._part(part), observed, body, terms)
            joints.append(x.joints_mm)
            turns.append(turn)
            covariances.append(
                self._stages.frame_covariances(x, turn, observed, body, terms)
            )
        self._joints = np.concatenate(joints)
        self._turns = np.concatenate(turns)
        self._frame_covariance = np.concatenate(covariances)

    def _lift_sequences(self) -> tuple[np.ndarray, np.ndarray]:
        joints, covariance = self._windows()
        for _ in range(_MOST_SWAP_ROUNDS):
            if not self._exchange(self._gains(joints)):
                break
            self._triangulate()
            self._lift_frames()
            joints, covariance = self._windows()
        lasting = self._take.lasting
        # What lasts is not averaged over frames: that share of a frame's own errors.
        covariance += lasting * (self._frame_covariance - covariance)
        return joints, covariance

    # === Parts of them ===

    def _windows(self) -> tuple[np.ndarray, np.ndarray]:
        body, terms = self._body(), self._terms(True)
        overlap = max(int(round(self._settings.overlap_s * self._fps)), 2)
        joints = np.empty_like(self._joints)
        covariance = np.empty_like(self._frame_covariance)
        step, count = self._settings.window, len(self._sight)
        for first in range(0, count, step):
            last = min(first + step, count)
            low, high = max(first - overlap, 0), min(last + overlap, count)
            part, keep = slice(low, high), slice(first - low, last - low)
            inside = self._follows[part].copy()
            inside[:-1] *= self._follows[part][1:]
            inside[[0, -1]] = 0
            # Frames beyond the end are the last one again, and follow nothing.
            rows = np.minimum(np.arange(_padded(high - low)), high - low - 1)
            inside = np.where(np.arange(len(rows)) < high - low, inside[rows], 0.0)
            observed = self._observed(rows + low)
            x = Unknowns(
                tf.constant(self._joints[rows + low]),
                tf.zeros([len(rows), 3], tf.float64),
            )
            turn = tf.constant(self._turns[rows + low])
            arguments = (turn, tf.constant(inside), observed, body, terms)
            chunk = tf.constant(overlap, tf.int32)
            found = self._stages.sequence(x, *arguments, chunk)
            spread = self._stages.sequence_covariances(found, *arguments, chunk)
            joints[first:last] = found.joints_mm[keep]
            covariance[first:last] = spread[keep]
            self._session.tell("sequence", last / count)
        return joints, covariance

    def _gains(self, joints: np.ndarray) -> np.ndarray:
        """What exchanges of the original detections would gain beside the joints."""
        parts = []
        for part in self._batches("swaps"):
            observed = self._observed(part, self._original)
            parts.append(
                self._stages.fits(joints[part], observed, self._terms(True))[2]
            )
        return np.concatenate(parts)

    def _statistics(self, sample: list[slice]) -> noise.Statistics:
        body, terms = self._body(), self._terms(False)
        total = None
        for part in sample:
            observed = self._observed(part)
            x, turn = self._stages.frames(self._part(part), observed, body, terms)
            follows = self._follows[part].copy()
            follows[0] = 0
            found = self._stages.statistics(x, turn, observed, body, terms, follows)
            found = noise.Statistics(*(value.numpy() for value in found))
            total = found if total is None else total + found
        assert total is not None
        return total

    def _first_sigma(self, profile: np.ndarray) -> np.ndarray:
        """σ from the residuals of triangulated points, `[V, J]`."""
        views = len(self._sight.projection)
        seen = self._sight.confidence > 0
        off = (self._points.residual_px / profile)[seen & self._points.known[:, None]]
        free = max(1 - 3 / (2 * views), 0.25)
        scale = np.median(off) / _MEDIAN_OF_RAYLEIGH / np.sqrt(free) if off.size else 0
        if not scale > 0:
            scale = _UNSEEN_PX
        return np.tile(scale * profile, (views, 1))

    def _lengths(
        self, sample: list[slice], sigma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        prior = self._lifter.prior
        if self._given_lengths is not None:
            given = np.asarray(self._given_lengths, np.float64)
            return given, np.zeros_like(given)
        count = len(prior.skeleton)
        joints = np.concatenate([self._points.points_mm[p, :count] for p in sample])
        known = np.concatenate([self._points.known[p, :count] for p in sample])
        joints = np.where(known[..., None], joints, np.nan)
        information = np.concatenate(
            [self._points.information[p, :count] for p in sample]
        )
        scale = np.mean(sigma[:, :count] ** 2, axis=0)[:, None, None]
        tiny = np.finfo(float).tiny ** 0.5 * np.eye(3)
        covariance = scale * np.linalg.pinv(information + tiny, hermitian=True)
        return estimate_lengths(joints, covariance, prior)

    def _poses(
        self, recording: Recording, joints: np.ndarray, covariance: np.ndarray
    ) -> Poses:
        residual, inlier = [], []
        for part in self._batches("results"):
            found = self._stages.fits(
                joints[part], self._observed(part), self._terms(self._temporal)
            )
            residual.append(found[0])
            inlier.append(found[1])
        seen = self._sight.confidence > 0
        swapped = np.stack([np.isin(self._states, (i, 3)) for i in (1, 2)], -1)
        return Poses(
            joints,
            covariance,
            np.where(seen, np.concatenate(residual), np.nan),
            seen & (np.concatenate(inlier) > _EVEN),
            swapped,
            self._lifter.joints.skeleton,
            recording.view_names,
            SWAP_NAMES,
            recording.fps,
            recording.frames,
            recording.sequence,
            recording.source,
        )

    def _body(self) -> Body:
        return self._lifter.body(self._take)

    def _terms(self, temporal: bool) -> Weights:
        return self._lifter.terms(self._take, temporal)

    def _observed(
        self, part: slice | np.ndarray, sight: Sight | None = None
    ) -> Observed:
        sight = sight or self._sight
        return self._lifter.observed(
            tf.constant(sight.points_px[part]),
            tf.constant(sight.confidence[part]),
            self._projection,
            self._take,
        )

    def _part(self, part: slice) -> Triangulated:
        return Triangulated(*(tf.constant(array[part]) for array in self._points))

    def _batches(self, stage: str) -> Iterator[slice]:
        count, step = len(self._sight), self._settings.batch
        for first in range(0, count, step):
            yield slice(first, min(first + step, count))
            self._session.tell(stage, min(first + step, count) / count)


def _nothing_known(fps: float) -> Take:
    """A take whose exchanges alone are asked for."""
    nothing = np.zeros(0)
    return Take(nothing, nothing, nothing, 0.0, fps)


def _moved(sight: Sight, shift_px: np.ndarray) -> Sight:
    seen = (sight.confidence > 0)[..., None]
    points = sight.points_px + np.where(seen, shift_px[:, None], 0.0)
    return Sight(points, sight.confidence, sight.projection)


def _padded(count: int) -> int:
    """The length that so many frames are filled up to."""
    return -(-count // _LENGTHS) * _LENGTHS


def _runs(count: int, most: int) -> list[slice]:
    """Runs of frames that follow each other, evenly over a take."""
    if count <= most:
        return [slice(0, count)]
    number = 4
    length = most // number
    starts = np.linspace(0, count - length, number).astype(int)
    return [slice(int(s), int(s) + length) for s in starts]
