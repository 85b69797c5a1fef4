"""What motion says of itself: lengths of bones, jerk and the height of the body."""

from typing import Final

import numpy as np

from human_pose.geometry.skeleton import Skeleton

# Bones that are rigid in a body, and have a joint of every detector at both ends.
LONG_BONES: Final = {
    "shin": ("knee", "ankle"),
    "thigh": ("hip", "knee"),
    "upper arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
_SIDES: Final = ("left_", "right_")

# Lengths as shares of the height: Winter, Biomechanics and Motor Control of Human
# Movement, after Drillis & Contini 1966.
_OF_HEIGHT: Final = {
    "shin": 0.246,
    "thigh": 0.245,
    "upper arm": 0.186,
    "forearm": 0.146,
}
_MM: Final = 1000.0


def long_bones(skeleton: Skeleton) -> dict[str, list[tuple[int, int]]]:
    """The long bones that a skeleton has, left and right, by their names."""
    found: dict[str, list[tuple[int, int]]] = {}
    for bone, ends in LONG_BONES.items():
        for side in _SIDES:
            names = [side + end for end in ends]
            if set(names) <= set(skeleton.names):
                pair = skeleton.names.index(names[0]), skeleton.names.index(names[1])
                found.setdefault(bone, []).append(pair)
    return found


def lengths_mm(joints_mm: np.ndarray, bones: list[tuple[int, int]]) -> np.ndarray:
    """Lengths of bones, `[F, B]`, of joints `[F, J, 3]`; NaN where one is missing."""
    ends = np.array(bones, int).reshape(-1, 2)
    vectors = joints_mm[:, ends[:, 0]] - joints_mm[:, ends[:, 1]]
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def variation(lengths: np.ndarray) -> np.ndarray:
    """Standard deviation by mean of each column of `[F, B]`; NaN without two numbers.

    Of a rigid bone it is 0.
    """
    known = np.isfinite(lengths)
    count = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, lengths, 0.0)
    mean = values.sum(axis=0) / count
    square = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / count
    enough = (known.sum(axis=0) >= 2) & (mean > 0)
    return np.where(enough, np.sqrt(square) / np.where(enough, mean, 1.0), np.nan)


def jerk_m_s3(joints_mm: np.ndarray, fps: float | None, sequence: np.ndarray) -> float:
    """Mean size of the third derivative of joints `[F, J, 3]` within takes, m/s³.

    Args:
      joints_mm: NaN where missing.
      fps: frames a second; None gives NaN.
      sequence: `[F]`, equal for the frames of one take.
    """
    if fps is None or len(joints_mm) < 4:
        return float("nan")
    sizes = np.linalg.norm(np.diff(joints_mm, n=3, axis=0), axis=-1)
    within = sequence[3:] == sequence[:-3]
    known = sizes[within][np.isfinite(sizes[within])]
    return float(known.mean() * fps**3 / _MM) if known.size else float("nan")


def height_mm(joints_mm: np.ndarray, skeleton: Skeleton) -> float:
    """The height of a body with such bones, mm; NaN if it has none that are known.

    The median over the long bones of what each implies.
    """
    implied = [
        np.median(known) / _OF_HEIGHT[name]
        for name, bones in long_bones(skeleton).items()
        for length in lengths_mm(joints_mm, bones).T
        if (known := length[np.isfinite(length)]).size
    ]
    return float(np.median(implied)) if implied else float("nan")
