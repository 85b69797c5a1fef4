"""Clips of recordings whose motion is known: what a step of training is given."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from absl import logging

from human_pose.calibrated.energy import Body, Observed, Weights
from human_pose.calibrated.evaluation.truth import said_of_numbers, truth_of
from human_pose.calibrated.session import Session, Solved
from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.errors import InputError

# Of clips fewer can neither be learned from nor be held out.
_FEWEST: Final = 2
# An acceleration takes three frames.
_SHORTEST: Final = 3


@dataclass(frozen=True, eq=False)
class Source:
    """A recording at the minimisers of the weights before training, and its truth.

    Attributes:
      solved: the recording; its take, and which sides are exchanged, stay as measured.
      truth_mm: `[F, J, 3]`, NaN where there is none.
      name: for tables.
    """

    solved: Solved
    truth_mm: np.ndarray
    name: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips of one recording that are minimised together, as one chain.

    Attributes:
      source: the recording.
      rows: `[F]`, frames of it; those that fill the batch up are the last one again.
      inside: `[F]`, as of `chains.Chain`.
      known: bool `[F, J]`, joints whose errors count.
    """

    source: Source
    rows: np.ndarray
    inside: np.ndarray
    known: np.ndarray

    def problem(self, temporal: bool) -> tuple[Observed, Body, Weights]:
        """What is minimised: differentiable in the lifter's weights."""
        work = self.source.solved.work
        return work.observed(self.rows), work.body(), work.terms(temporal)

    def error(self, joints_mm: tf.Tensor) -> tf.Tensor:
        """Mean distance of joints `[F, J, 3]` from the truth's, mm."""
        truth = self.source.truth_mm[self.rows]
        truth = np.where(self.known[..., None], truth, 0.0)
        known = self.known.astype(np.float64)
        # The root of a distance of 0 has no derivative; a micrometre counts as none.
        squared = tf.reduce_sum(tf.square(joints_mm - truth), -1) + 1e-6
        return tf.reduce_sum(known * tf.sqrt(squared)) / known.sum()


def solve(session: Session, recording: Recording, truth: Motion) -> Source:
    """Measures and lifts a recording once, by the weights as they are.

    Raises:
      InputError: as of `Session.lift`, or if the truth has nothing of the recording.
    """
    real = truth_of(truth.z_up, recording, session.lifter.joints.skeleton)
    if not np.isfinite(real).all(axis=-1).any():
        raise InputError(f"{truth.source}: must have joints of {recording.source}")
    solved = session.solved(recording)
    numbers = recording.frames, recording.sequence
    if said := said_of_numbers(solved.joints_mm, real, *numbers):
        logging.warning("%s: %s", truth.source, said)
    return Source(solved, real, recording.source)


def split(
    sources: Sequence[Source], config: CalibratedTrainingConfig
) -> tuple[list[Batch], list[Batch]]:
    """Batches to learn from, and those of held-out clips.

    Of recordings of one motion the same moments are held out.

    Raises:
      InputError: if a recording has too few frames that follow each other.
    """
    rng = np.random.default_rng(config.seed)
    learned: list[Batch] = []
    held: list[Batch] = []
    # Whether each moment, by its truth, is held out: recordings may be of one motion,
    # as those of a training's settings, and what is learned from one is not held out of
    # another.
    moments: dict[int, bool] = {}
    for source in sources:
        clips = _clips(source, config.clip_frames)
        if len(clips) < _FEWEST:
            raise InputError(
                f"{source.name}: must have {_FEWEST * config.clip_frames} frames that "
                "follow each other and whose motion is known, to learn from"
            )
        clips = [clips[i] for i in rng.permutation(len(clips))]
        shown = _moments(source, clips)
        # Clips with moments of both kinds are neither learned from nor held out.
        kinds = [{moments[m] for m in each & moments.keys()} for each in shown]
        new = [i for i, kind in enumerate(kinds) if not kind]
        count = min(max(round(config.held_out * len(new)), 1), len(new) - 1)
        for number, i in enumerate(new):
            kinds[i] = {number < count}
        for batches, out in ((held, True), (learned, False)):
            chosen = [i for i, kind in enumerate(kinds) if kind == {out}]
            moments |= {m: out for i in chosen for m in shown[i]}
            batches += _batches(source, [clips[i] for i in chosen], config)
    return learned, held


def _moments(source: Source, clips: Sequence[np.ndarray]) -> list[set[int]]:
    """What tells the moments of each clip: their truth."""
    known = np.any(_known(source), axis=1)
    return [
        {hash(source.truth_mm[row].tobytes()) for row in clip[known[clip]]}
        for clip in clips
    ]


def _clips(source: Source, frames: int) -> list[np.ndarray]:
    """Rows of clips: runs of frames that follow each other, cut into like parts."""
    follows = source.solved.work.follows
    runs = np.split(np.arange(len(follows)), np.flatnonzero(follows[1:] == 0) + 1)
    known: np.ndarray = np.any(_known(source), axis=1)
    shows = np.asarray(source.solved.work.shows)
    parts = [
        _held(part, shows)
        for run in runs
        for part in np.array_split(run, max(round(len(run) / frames), 1))
    ]
    return [part for part in parts if len(part) >= _SHORTEST and known[part].any()]


def _held(clip: np.ndarray, shows: np.ndarray) -> np.ndarray:
    """A clip without frames at its ends that show nothing, which nothing holds."""
    seen = np.flatnonzero(shows[clip])
    return clip[seen[0] : seen[-1] + 1] if len(seen) else clip[:0]


def _known(source: Source) -> np.ndarray:
    """Joints whose errors count, bool `[F, J]`: none of frames that show nothing."""
    shows = np.asarray(source.solved.work.shows)[:, None]
    there: np.ndarray = np.isfinite(source.truth_mm).all(axis=-1)
    return there & shows


def _batches(
    source: Source, clips: Iterable[np.ndarray], config: CalibratedTrainingConfig
) -> list[Batch]:
    """Clips put together, as many as fit, and filled up to equal lengths."""
    parts: list[list[np.ndarray]] = []
    for clip in clips:
        if not parts or sum(map(len, parts[-1])) + len(clip) > config.batch_frames:
            parts.append([])
        parts[-1].append(clip)
    return [_batch(source, part, config.batch_frames) for part in parts]


def _batch(source: Source, clips: list[np.ndarray], frames: int) -> Batch:
    rows = np.concatenate(clips)
    inside = np.concatenate([np.pad(np.ones(len(c) - 2), 1) for c in clips])
    missing = max(frames - len(rows), 0)
    known = _known(source)[rows]
    return Batch(
        source,
        np.pad(rows, (0, missing), "edge"),
        np.pad(inside, (0, missing)),
        np.pad(known, ((0, missing), (0, 0))),
    )
