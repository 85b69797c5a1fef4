"""Motion of any skeleton as takes: poses and accelerations in the body's frame.

A take is what was recorded without a cut. Cuts are where the sequence changes, where
frames are missing, and where the pelvis is suddenly elsewhere: many files hold several
takes without a mark. Each may be of another person, so each has a body of its own.
"""

from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.pose_prior import across, headings
from human_pose.exchange.numbering import moments
from human_pose.exchange.recording import Motion
from human_pose.files.errors import InputError
from human_pose.geometry.plausibility import implausible_size
from human_pose.geometry.skeleton import Skeleton, convert

_PELVIS: Final = "pelvis"
_HIPS: Final = ("left_hip", "right_hip")
# Nobody is so large: a number beyond is damage, and its powers would drown all others.
_FARTHEST_MM: Final = 1e4


class Take(NamedTuple):
    """One take.

    Attributes:
      poses_mm: `[n, K, 3]`, centred, in the body's frame; NaN where a joint is missing.
      accelerations_mm: `[m, K, 3]`, second differences in the body's frame, as they
        would be between frames at the fit's rate.
      lengths_mm: `[K]`, of the body's bones, by child; left as right; NaN of bones that
        are never seen.
    """

    poses_mm: np.ndarray
    accelerations_mm: np.ndarray
    lengths_mm: np.ndarray


def takes_of(motion: Motion, skeleton: Skeleton, config: PriorConfig) -> list[Take]:
    """The takes of a motion, but for those without a pose or a bone.

    Args:
      motion: of any skeleton; its frame rate must be known.
      skeleton: of the takes; joints are found by name, and those that the motion does
        not have are missing.
      config: has the rate and the rules.

    Raises:
      InputError: naming the motion, if it has no frame rate, no joint that counts, or
        bodies of no size in millimetres.
    """
    fps = motion.fps
    if fps is None:
        raise InputError("fps", f"must be given: {motion.source} does not say it")
    motion = motion.z_up
    joints = _joints(motion, skeleton)
    stride = max(1, round(fps / config.fps))
    cuts = _cuts(motion, joints[:, skeleton.root], fps, config)
    takes = []
    for part in np.split(np.arange(len(joints)), cuts):
        part = part[::stride]
        turn, known = _headings(joints[part], skeleton)
        own = _turned(turn, _centred(joints[part]))[known]
        lengths = body_lengths(own, skeleton)
        # Without a bone there is no size, as where what is missing was written as 0.
        if np.nansum(lengths) > 0:
            accelerations = _accelerations(
                joints[part], turn, known, fps / stride, config
            )
            takes.append(Take(own, accelerations, lengths))
    # Of all: one that shows no more than hips, between two cuts, has no body's size.
    poses = [take.poses_mm for take in takes]
    if poses and (wrong := implausible_size(np.concatenate(poses))):
        raise InputError(f"{motion.source}: joints {wrong}")
    return takes


def body_lengths(poses_mm: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Median lengths of the bones `[K]`, left as right; 0 for the root.

    Args:
      poses_mm: `[n, K, 3]`; NaN where a joint is missing.
      skeleton: of the joints.
    """
    lengths = np.zeros(len(skeleton))
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            ends = poses_mm[:, joint] - poses_mm[:, parent]
            sizes = np.linalg.norm(ends, axis=-1)
            sizes = sizes[np.isfinite(sizes)]
            lengths[joint] = np.median(sizes) if len(sizes) else np.nan
    sides = np.stack([lengths, lengths[list(skeleton.flip_order)]])
    seen = np.isfinite(sides).sum(axis=0)
    return np.where(seen, np.nansum(sides, axis=0) / np.maximum(seen, 1), np.nan)


def mirrored(rows: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Mirror images of poses or accelerations `[n, 3K]` in the body's frame."""
    apart = rows.reshape(len(rows), -1, 3)[:, list(skeleton.flip_order)]
    return np.asarray(apart * (-1.0, 1.0, 1.0)).reshape(rows.shape)


def _joints(motion: Motion, skeleton: Skeleton) -> np.ndarray:
    """The skeleton's joints of the motion, a missing pelvis between the hips."""
    try:
        joints = convert(motion.joints_3d_mm, motion.skeleton, skeleton)
    except ValueError:
        raise InputError(
            f"{motion.source}: must have joints of {', '.join(skeleton.names)}; it has "
            f"{', '.join(motion.skeleton.names)}"
        ) from None
    joints = np.where(_near(joints), joints, np.nan)
    if {_PELVIS, *_HIPS} <= set(skeleton.names):
        pelvis, left, right = map(skeleton.names.index, (_PELVIS, *_HIPS))
        middle = (joints[:, left] + joints[:, right]) / 2
        lost = np.isnan(joints[:, pelvis])
        joints[:, pelvis] = np.where(lost, middle, joints[:, pelvis])
    return joints


def _near(joints: np.ndarray) -> np.ndarray:
    """Whether joints are no farther from the others' middle than anybody reaches."""
    with np.errstate(invalid="ignore"):
        middle = np.nan_to_num(_median(joints))
        size = np.abs(joints - middle).max(axis=-1, keepdims=True)
        return np.asarray(size < _FARTHEST_MM)


def _median(joints: np.ndarray) -> np.ndarray:
    """The median over the joints that are there, `[F, 1, 3]`; NaN where none is."""
    middle = np.full((len(joints), 1, 3), np.nan)
    some = np.isfinite(joints).any(axis=(1, 2))
    middle[some] = np.nanmedian(joints[some], axis=1, keepdims=True)
    return middle


def _cuts(
    motion: Motion, pelvis: np.ndarray, fps: float, config: PriorConfig
) -> np.ndarray:
    """Places of the frames with which takes begin, but for the first."""
    far = config.cut_mm * max(1.0, config.fps / fps)
    with np.errstate(invalid="ignore"):
        jumps = np.linalg.norm(np.diff(pelvis, axis=0), axis=-1) > far
    apart = np.diff(moments(motion.frames, motion.sequence)) != 1
    cut = jumps | apart | (np.diff(motion.frames) < 1) | (np.diff(motion.sequence) != 0)
    return np.flatnonzero(cut) + 1


def _headings(joints: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Turns `[n, 3, 3]` from the body's frame, by the hips or shoulders that are there.

    Also gives bool `[n]`, whether any are, and say where the body faces.
    """
    seen = np.isfinite(joints).all(axis=-1)
    filled = joints.copy()
    for pair in across(skeleton):
        both = seen[:, pair].all(axis=1)
        filled[np.ix_(~both, pair)] = 0  # says nothing
    turn = headings(filled, skeleton)
    return turn, np.isfinite(turn).all(axis=(1, 2))


def _centred(joints: np.ndarray) -> np.ndarray:
    """Joints about the mean of those that are there."""
    seen = np.isfinite(joints).all(axis=-1, keepdims=True)
    total = np.where(seen, joints, 0).sum(axis=1, keepdims=True)
    return np.asarray(joints - total / np.maximum(seen.sum(axis=1, keepdims=True), 1))


def _turned(turn: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """World vectors `[n, K, 3]` in the body's frame."""
    return np.asarray(np.einsum("fba,fkb->fka", turn, vectors))


def _accelerations(
    joints: np.ndarray,
    turn: np.ndarray,
    known: np.ndarray,
    fps: float,
    config: PriorConfig,
) -> np.ndarray:
    """Second differences about the frames whose heading is known."""
    if len(joints) < 3 or fps < config.least_fps:
        return np.empty((0, *joints.shape[1:]))
    change = joints[:-2] - 2 * joints[1:-1] + joints[2:]
    change = _turned(turn[1:-1], change) * (fps / config.fps) ** 2
    size = np.linalg.norm(change, axis=-1)
    some = np.isfinite(size).any(axis=1)
    calm = ~(np.nan_to_num(size) > config.wild_mm).any(axis=1)
    return np.asarray(change[known[1:-1] & some & calm])
