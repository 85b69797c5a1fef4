"""Errors of results to known 3D joints, and what their ellipsoids hold of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from human_pose.exchange.numbering import later, usual_step
from human_pose.exchange.recording import Motion, Recording
from human_pose.files.errors import InputError
from human_pose.geometry import metrics
from human_pose.geometry.skeleton import Skeleton, convert

SHARES: Final = (0.68, 0.95)
# By how many frames truths are numbered otherwise that are looked at, how much of the
# error that must explain, and of the frames must be left.
_FARTHEST: Final = 30
_EXPLAINED: Final = 0.3
_LEFT: Final = 0.5
# Of an ellipsoid's largest variance: less is rounding.
_FLAT: Final = 1e-12
_LEAST_MM2: Final = 1e-30


@dataclass(frozen=True)
class TruthErrors:
    """Errors of joints to the truth, mm.

    Attributes:
      mean: of all joints that have an estimate.
      hip_centred: the same, with truth and estimate centred at their hips.
      procrustes: after the best rotation, scale and translation of each frame whose
        joints are all there, but for those that never are.
      coverage: share of the true joints that have an estimate.
      ellipsoids: share of the true joints that lie within the ellipsoids of `SHARES`;
        NaN without covariances.
    """

    mean: float
    hip_centred: float
    procrustes: float
    coverage: float
    ellipsoids: tuple[float, ...]


def truth_of(
    truth: Motion, recording: Recording, skeleton: Skeleton | None = None
) -> np.ndarray:
    """The truth of a recording's frames, `[F, J, 3]`, mm; see `truth_for`.

    Args:
      truth: the known motion.
      recording: whose frames are wanted.
      skeleton: of the J joints; None: the recording's.

    Raises:
      InputError: as of `truth_for`.
    """
    return truth_for(
        truth,
        recording.skeleton if skeleton is None else skeleton,
        recording.frames,
        recording.sequence,
        recording.take_names,
    )


def truth_for(
    truth: Motion,
    skeleton: Skeleton,
    frames: np.ndarray,
    sequence: np.ndarray,
    take_names: Sequence[str] = (),
) -> np.ndarray:
    """The truth's joints of a skeleton in some frames, `[F, J, 3]`, mm.

    Joints are matched by name, frames by their number and their take, and NaN where the
    truth has none. Takes are matched by name where both have names, else by number,
    which counts where one of the two has several.

    Args:
      truth: the known motion.
      skeleton: of the J joints.
      frames: int `[F]`, their numbers.
      sequence: int `[F]`, the numbers of their takes.
      take_names: of these, as of `Recording`.

    Raises:
      InputError: if truth and frames have none in common, or no joint, or the truth has
        a frame twice.
    """
    try:
        joints = convert(truth.joints_3d_mm, truth.skeleton, skeleton, fill=np.nan)
    except ValueError as error:
        raise InputError(
            f"{truth.source}: must have joints of the recording's",
            None,
            ", ".join(truth.skeleton.names),
        ) from error
    places = _places(truth)
    takes = _takes_of(truth, sequence, take_names)
    wanted = zip(takes.tolist(), frames.tolist(), strict=True)
    found = np.array([places.get(key, -1) for key in wanted], int)
    if (found < 0).all():
        raise InputError(
            f"{truth.source}: must have frames of the recording's, "
            f"{_span(frames)}{_in_takes(sequence, take_names)}; it has "
            f"{_span(truth.frames)}{_in_takes(truth.sequence, truth.take_names)}"
        )
    return np.where((found >= 0)[:, None, None], joints[found], np.nan)


def known_frames(joints_mm: np.ndarray) -> np.ndarray:
    """Whether a joint is known in each frame: bool `[F]`, of joints `[F, J, 3]`."""
    return np.asarray(np.isfinite(joints_mm).all(axis=-1).any(axis=-1))


def _places(truth: Motion) -> dict[tuple[int, int], int]:
    """Where each frame of each take stands.

    Raises:
      InputError: if one is there twice, as of several takes in a file without cuts.
    """
    known = list(zip(truth.sequence.tolist(), truth.frames.tolist(), strict=True))
    places = {key: place for place, key in enumerate(known)}
    if len(places) < len(known):
        twice = next(key for place, key in enumerate(known) if places[key] != place)
        raise InputError(
            f"{truth.source}: must number the frames of a take one by one, since "
            f"frames are matched by number; {twice[1]} comes twice"
        )
    return places


def _takes_of(
    truth: Motion, sequence: np.ndarray, take_names: Sequence[str]
) -> np.ndarray:
    """The truth's take of each frame, `[F]`: that of its name, or of its number.

    Where both have one, and either does not say its number (which makes it 0), it is
    that. -1 where the truth has none of the name.
    """
    if truth.take_names and take_names:
        numbers = {name: number for number, name in enumerate(truth.take_names)}
        return np.array([numbers.get(name, -1) for name in take_names], int)[sequence]
    one, other = np.unique(truth.sequence), np.unique(sequence)
    if len(one) == len(other) == 1 and 0 in (one[0], other[0]):
        return np.full_like(sequence, one[0])
    return sequence


def _in_takes(sequence: np.ndarray, names: Sequence[str]) -> str:
    """Which takes frames are of, where numbers of frames alone do not tell."""
    takes = np.unique(sequence)
    shown = [names[take] if names else str(take) for take in takes[:3]]
    return f" of take {', '.join(shown)}" if names or takes.any() else ""


def _span(frames: np.ndarray) -> str:
    return f"{frames.min()} to {frames.max()}" if frames.size else "none"


def said_of_numbers(
    joints_mm: np.ndarray,
    truth_mm: np.ndarray,
    frames: np.ndarray,
    sequence: np.ndarray,
) -> str:
    """A sentence where the truth of other frames fits better; "" where none does.

    Programs count frames from 0 or from 1, or from where they were cut.

    Args:
      joints_mm: `[F, J, 3]`, the estimates; NaN where missing.
      truth_mm: `[F, J, 3]`, of the frames as they are numbered.
      frames: `[F]`, their numbers.
      sequence: `[F]`, equal for the frames of one take.
    """
    farthest = min(_FARTHEST, len(frames) - 1)
    least_frames = max(_LEFT * known_frames(truth_mm).sum(), 1)
    errors = {
        shift: _error_of_later(
            joints_mm, truth_mm, frames, sequence, shift, least_frames
        )
        for shift in range(-farthest, farthest + 1)
    }
    least = min(errors, key=lambda shift: (errors[shift], abs(shift)))
    if not errors[least] < (1 - _EXPLAINED) * errors[0] < np.inf:
        return ""
    way = "later" if least > 0 else "earlier"
    count = abs(least) * usual_step(frames)
    return (
        f"The truth fits better where it is taken from {count} "
        f"frame{'s' if count > 1 else ''} {way}: then joints err "
        f"by {errors[least]:.1f} mm, as it is numbered by {errors[0]:.1f} mm. Does it "
        "count frames as the recording does?"
    )


def _error_of_later(
    joints_mm: np.ndarray,
    truth_mm: np.ndarray,
    frames: np.ndarray,
    sequence: np.ndarray,
    shift: int,
    least_frames: float,
) -> float:
    """The mean error beside the truth of frames that are later; inf of too few."""
    here, there = later(frames, sequence, shift, usual_step(frames))
    distances = np.linalg.norm(joints_mm[here] - truth_mm[there], axis=-1)
    known = np.isfinite(distances)
    if known.any(axis=-1).sum() < least_frames:
        return np.inf
    return float(distances[known].mean())


def truth_errors(
    joints_mm: np.ndarray,
    truth_mm: np.ndarray,
    skeleton: Skeleton,
    covariance_mm2: np.ndarray | None = None,
) -> TruthErrors:
    """Errors of joints `[F, J, 3]`, NaN where missing, to the truth.

    Args:
      joints_mm: the estimates.
      truth_mm: `[F, J, 3]`.
      skeleton: of the joints.
      covariance_mm2: `[F, J, 3, 3]`, of the estimates' errors.
    """
    real = np.isfinite(truth_mm).all(axis=-1)
    both = real & np.isfinite(joints_mm).all(axis=-1)
    offset = joints_mm - truth_mm
    hips = _hip(joints_mm, skeleton) - _hip(truth_mm, skeleton)
    centred = np.linalg.norm(offset - hips[:, None], axis=-1)
    # The frames that are whole in all joints that both ever have: a method knows no
    # joint that no view shows.
    joints = both.any(axis=0)
    whole = both[:, joints].all(axis=1)
    aligned = np.empty(0)
    if whole.any() and joints.sum() > 2:
        pair = truth_mm[whole][:, joints], joints_mm[whole][:, joints]
        aligned = metrics.pa_mpjpe(*pair).numpy()
    return TruthErrors(
        _mean(np.linalg.norm(offset, axis=-1)[both]),
        _mean(centred[both]),
        _mean(aligned),
        float(both.sum() / max(real.sum(), 1)),
        _ellipsoids(offset[both], covariance_mm2, both),
    )


def _hip(joints_mm: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """The pelvis, or the middle of the hips, or the root: `[F, 3]`."""
    names = skeleton.names
    if "pelvis" in names:
        return joints_mm[:, names.index("pelvis")]
    hips = [names.index(n) for n in ("left_hip", "right_hip") if n in names]
    return np.asarray(joints_mm[:, hips or [skeleton.root]].mean(axis=1))


def _ellipsoids(
    offset: np.ndarray, covariance_mm2: np.ndarray | None, chosen: np.ndarray
) -> tuple[float, ...]:
    if covariance_mm2 is None or not chosen.any():
        return (float("nan"),) * len(SHARES)
    # Across a flat ellipsoid only what has no error lies in it.
    size, axes = np.linalg.eigh(covariance_mm2[chosen])
    along = np.einsum("nij,ni->nj", axes, offset) ** 2
    size = np.maximum(size, _FLAT * size.max(axis=-1, keepdims=True, initial=0.0))
    squared = (along / np.maximum(size, _LEAST_MM2)).sum(axis=-1)
    return tuple(float(np.mean(squared < stats.chi2.ppf(s, 3))) for s in SHARES)


def _mean(values: np.ndarray) -> float:
    """The mean of what is known; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
