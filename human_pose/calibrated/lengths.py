"""A person's bone lengths, from triangulated joints and what bodies are like."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from human_pose.calibrated.prior.pose_prior import PosePrior
from human_pose.geometry.skeleton import Skeleton

# Bodies of one size differ by that much in a bone (Design).
_PROPORTIONS: Final = 0.05
# Sizes of adults differ by that much.
_SIZES: Final = 0.10
# Frames that follow each other say the same: so many count as one (dev).
_FRAMES_AS_ONE: Final = 20.0
# Ends that are known worse than that say nothing; squares stay in the range of numbers.
_LOST_MM: Final = 1e5
_LEAST_MM: Final = 1e-3
# Deviation of a bone's ends besides that of the detections.
_ENDS_MM: Final = 15.0
# Of a width, how far a bone's share of it may differ from the prior's.
_WIDTHS: Final = 0.05
_ROUNDS: Final = 10
_HUBER: Final = 1.5


def size_doubt(joints_mm: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """What a person's unknown size leaves open to a single view, `[F, J, 3, 3]`, mm².

    A larger person farther away looks the same.

    Args:
      joints_mm: `[F, J, 3]`, world.
      projection: `[3, 4]`, of the view.
    """
    camera_mm = -np.linalg.solve(projection[:, :3], projection[:, 3])
    far = _SIZES * (joints_mm - camera_mm)
    return np.asarray(far[..., :, None] * far[..., None, :])


def estimate_lengths(
    points_mm: np.ndarray,
    covariance_mm2: np.ndarray,
    prior: PosePrior,
) -> tuple[np.ndarray, np.ndarray]:
    """Bone lengths of one person, most likely beside the prior's proportions.

    A bone between two noisy ends looks longer than it is by half of the noise's
    variance across it over its length.

    Args:
      points_mm: `[F, K, 3]`, joints of the prior, NaN where unknown.
      covariance_mm2: `[F, K, 3, 3]`, of the points.
      prior: with the lengths of its own body.

    Returns:
      The lengths `[K]`, by child, 0 for the root, and their deviations.
    """
    skeleton = prior.skeleton
    groups = _groups(skeleton)
    seen = [
        _of_bones(points_mm, covariance_mm2, prior, bones, parents)
        for bones, parents in ((g, [skeleton.parents[b] for b in g]) for g in groups)
    ]
    own = np.array([prior.lengths_mm[list(bones)].mean() for bones in groups])
    size = _size(seen, own)
    lengths, deviations = np.zeros(len(skeleton)), np.zeros(len(skeleton))
    for bones, (length, variance), usual in zip(groups, seen, own, strict=True):
        expected, spread = size * usual, (_PROPORTIONS * size * usual) ** 2
        share = spread / (spread + variance)
        found = expected + share * (length - expected) if share > 0 else expected
        lengths[list(bones)] = found
        deviations[list(bones)] = np.sqrt(share * variance if share > 0 else spread)
    return lengths, deviations


def _groups(skeleton: Skeleton) -> list[tuple[int, ...]]:
    """Bones of one length, by child: left and right ones together."""
    flip = skeleton.flip_order
    bones = [j for j, parent in enumerate(skeleton.parents) if parent >= 0]
    return [
        (joint,) if flip[joint] == joint else (joint, flip[joint])
        for joint in bones
        if joint <= flip[joint]
    ]


def _of_bones(
    points: np.ndarray,
    covariance: np.ndarray,
    prior: PosePrior,
    bones: Sequence[int],
    parents: Sequence[int],
) -> tuple[float, float]:
    """The length of bones of one group, and its variance, by what is seen of them.

    Where their parent is not, as the pelvis of many detectors, the width between left
    and right tells: it grows with them.
    """
    found = _mean_length(points, covariance, bones, parents)
    if np.isfinite(found[1]) or len(bones) == 1:
        return found
    width, variance = _mean_length(points, covariance, bones[:1], bones[1:])
    mean = np.einsum("m,mkc->kc", prior.shares, prior.means_mm)
    usual = float(np.linalg.norm(mean[bones[0]] - mean[bones[1]]))
    ratio = prior.lengths_mm[bones[0]] / usual if usual > 0 else 0.0
    # A knee's distance from the other knee is no width: it changes with the pose.
    rigid = all(_on_the_trunk(prior.skeleton, bone) for bone in bones)
    if not (rigid and np.isfinite(variance)):
        return found
    return ratio * width, ratio**2 * variance + (_WIDTHS * ratio * width) ** 2


def _on_the_trunk(skeleton: Skeleton, joint: int) -> bool:
    """Whether a joint stands beside its counterpart on the trunk."""
    return skeleton.names[joint].endswith(("_hip", "_shoulder"))


def _mean_length(
    points: np.ndarray,
    covariance: np.ndarray,
    begins: Sequence[int],
    ends: Sequence[int],
) -> tuple[float, float]:
    """A robust mean distance, and its variance; infinite where nothing is known.

    For ends with noise of covariance S in their difference v, |v|² - tr S has the
    squared distance L² for its mean, and for its variance 4 vᵀSv + 2 tr S². Frames
    weigh by that for all directions of v alike: were they to weigh by v as it is seen,
    those would whose noise makes it short.
    """
    vectors = points[:, list(begins)] - points[:, list(ends)]
    spread = covariance[:, list(begins)] + covariance[:, list(ends)]
    noise = np.trace(spread, axis1=-2, axis2=-1)
    squared = np.sum(vectors**2, axis=-1) - noise
    known = np.isfinite(squared) & (noise < _LOST_MM**2)
    if not known.any():
        return 0.0, np.inf
    squared, noise = squared[known], noise[known]
    square = np.sum(spread[known] ** 2, axis=(-2, -1))
    # Where noise hides a bone its square may come out below 0.
    mean = max(float(np.median(squared)), _LEAST_MM**2)
    for _ in range(_ROUNDS):
        variance = 4 * mean * (noise / 3 + _ENDS_MM**2) + 2 * square
        off = np.abs(squared - mean) / (_HUBER * np.sqrt(variance))
        weight = 1 / (variance * np.maximum(off, 1.0))
        mean = max(float(np.sum(weight * squared) / np.sum(weight)), _LEAST_MM**2)
    return float(np.sqrt(mean)), float(_FRAMES_AS_ONE / np.sum(weight) / (4 * mean))


def _size(seen: list[tuple[float, float]], own: np.ndarray) -> float:
    """The person's size beside the prior's body, of bones that have a length there."""
    lengths, variances = np.array(seen)[own > 0].T
    own = own[own > 0]
    ratios, variances = lengths / own, variances / own**2
    weight = 1 / (variances + _PROPORTIONS**2)
    # Long bones say more of a size than short ones.
    weight *= own / own.max()
    known = np.isfinite(variances)
    total = np.sum(weight[known]) + 1 / _SIZES**2
    return float((np.sum((weight * ratios)[known]) + 1 / _SIZES**2) / total)
