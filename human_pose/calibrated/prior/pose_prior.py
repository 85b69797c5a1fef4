"""What is known of a body's poses and motion before any camera is looked at."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.geometry.skeleton import Skeleton

# Joints whose left-to-right line in plan says where a body faces.
_ACROSS: Final = (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"))
# Lines that are shorter, mm, are points: they have no direction.
_LEAST_MM: Final = 1e-9


@dataclass(frozen=True, eq=False)
class PosePrior:
    """A mixture of Gaussians over poses, and a Student-t over their accelerations.

    Poses are seen in the body's frame: the mean of the joints is the origin, z points
    up, and x from the left hip and shoulder to the right ones in plan.

    Attributes:
      skeleton: of the K joints.
      lengths_mm: `[K]`, of the bone from each joint's parent; 0 for the root.
      shares: `[M]`, of the components; they add up to 1.
      means_mm: `[M, K, 3]`.
      covariances_mm2: `[M, 3K, 3K]`, of centred poses: singular along translations.
      acceleration_mm2: `[3K, 3K]`, scale of the second differences of poses between
        frames at `fps`; positive definite.
      fps: frames a second of the motion that it was fitted to.
    """

    skeleton: Skeleton
    lengths_mm: np.ndarray
    shares: np.ndarray
    means_mm: np.ndarray
    covariances_mm2: np.ndarray
    acceleration_mm2: np.ndarray
    fps: float


def across(skeleton: Skeleton) -> list[tuple[int, int]]:
    """The left and right joints that tell a heading, `(left, right)`."""
    return [
        (skeleton.names.index(left), skeleton.names.index(right))
        for left, right in _ACROSS
        if {left, right} <= set(skeleton.names)
    ]


def headings(joints_mm: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Rotations from the body's frame to the world, about z alone.

    Args:
      joints_mm: `[..., K, 3]`, z up.
      skeleton: of the joints.

    Returns:
      `[..., 3, 3]`; NaN where the line is a point in plan, as where one side lies above
      the other.
    """
    line = sum(
        joints_mm[..., right, :2] - joints_mm[..., left, :2]
        for left, right in across(skeleton)
    )
    length = np.linalg.norm(line, axis=-1)
    known = length > _LEAST_MM
    cosine, sine = np.moveaxis(line / np.where(known, length, np.nan)[..., None], -1, 0)
    turn = np.zeros((*line.shape[:-1], 3, 3))
    turn[..., 0, 0], turn[..., 0, 1] = cosine, -sine
    turn[..., 1, 0], turn[..., 1, 1] = sine, cosine
    turn[..., 2, 2] = np.where(known, 1.0, np.nan)
    return turn


def retargeting(
    skeleton: Skeleton,
    old_mm: np.ndarray,
    new_mm: np.ndarray,
    there: np.ndarray | None = None,
) -> np.ndarray:
    """The matrix `[K, K]` over joints that gives poses other bone lengths.

    Each bone's vector is scaled, the joints are put together again from the root on,
    and centred. Over joints that are not there bones count as one; where the root is
    not, what hung on it is scaled as the whole body.

    Args:
      skeleton: of the poses.
      old_mm: `[K]`, their lengths, by child.
      new_mm: `[K]`, those wanted.
      there: bool `[K]`, of joints; default: all. Rows and columns of others are 0.
    """
    parents = skeleton.parents
    there = np.ones(len(parents), bool) if there is None else there
    matrix = np.zeros((len(parents), len(parents)))
    for joint in in_order(parents):
        if not there[joint]:
            continue
        old, new, above = old_mm[joint], new_mm[joint], parents[joint]
        while above >= 0 and not there[above]:
            old, new, above = old + old_mm[above], new + new_mm[above], parents[above]
        if above < 0:
            old, new = old_mm.sum(), new_mm.sum()
            matrix[joint, joint] = 1 if joint == skeleton.root else new / old
            continue
        scale = new / old if old > 0 else 1.0
        matrix[joint] = matrix[above]
        matrix[joint, joint] += scale
        matrix[joint, above] -= scale
    matrix[there] -= matrix[there].mean(axis=0)
    return matrix


def in_order(parents: tuple[int, ...]) -> list[int]:
    """The joints so that parents come first."""
    order: list[int] = []
    while len(order) < len(parents):
        order += [
            joint
            for joint, parent in enumerate(parents)
            if joint not in order and (parent < 0 or parent in order)
        ]
    return order
