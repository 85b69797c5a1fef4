"""The joints of a calibrated model: the prior's, and those of a detector alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.geometry.joint_words import from_names
from human_pose.geometry.skeleton import Skeleton, convert

# Words that make a joint part of what a detector exchanges.
_ARMS: Final = ("shoulder", "elbow", "wrist", "hand", "thumb", "index", "pinky")
_LEGS: Final = ("hip", "knee", "ankle", "heel", "toe", "foot")
SWAP_NAMES: Final = ("arms", "legs")


@dataclass(frozen=True, eq=False)
class ModelJoints:
    """How the model's J joints stand to the prior's K and the detector's.

    Attributes:
      skeleton: the J joints: the prior's first, then what it lacks.
      prior: the K joints' skeleton.
      detector: the detector's.
      counterpart: `[J]`, of each joint its mirror image's.
      exchanges: bool `[S, J]`: joints that change sides: none, arms, legs, all.
      bones: `[B, 2]`, parent and child of the prior's bones.
      hangs_on: `[J - K]`, for each other joint the one it hangs on.
    """

    skeleton: Skeleton
    prior: Skeleton
    detector: Skeleton
    counterpart: tuple[int, ...]
    exchanges: np.ndarray
    bones: tuple[tuple[int, int], ...]
    hangs_on: tuple[int, ...]

    @classmethod
    def of(cls, prior: Skeleton, detector: Skeleton) -> "ModelJoints":
        """The union of the prior's joints and a detector's."""
        extra = [
            name
            for name, place in zip(
                detector.names, _places(detector, prior), strict=True
            )
            if place is None
        ]
        names = (*prior.names, *extra)
        tree = from_names(names)
        parents = [
            *prior.parents,
            *(_anchor(tree, len(prior) + e, len(prior)) for e in range(len(extra))),
        ]
        skeleton = Skeleton(
            names,
            tuple(parents),
            pairs=tree.pairs,
            aliases=(*prior.aliases,),
        )
        return cls(
            skeleton,
            prior,
            detector,
            tuple(skeleton.flip_order),
            _exchanges(names),
            tuple((p, j) for j, p in enumerate(prior.parents) if p >= 0),
            tuple(parents[len(prior) :]),
        )

    def __len__(self) -> int:
        return len(self.skeleton)

    def from_detector(self, joints: np.ndarray, fill: float) -> np.ndarray:
        """Detections `[..., D, C]` in the model's order `[..., J, C]`."""
        return convert(joints, self.detector, self.skeleton, fill)


def _places(source: Skeleton, target: Skeleton) -> list[int | None]:
    """For each joint of `source` its place in `target`, None if it has none."""
    numbers = np.arange(1, len(source) + 1, dtype=np.float64)[:, None]
    try:
        found = convert(numbers, source, target, fill=0.0)[:, 0]
    except ValueError:  # none in common
        return [None] * len(source)
    return [
        int(np.flatnonzero(found == n + 1)[0]) if n + 1 in found else None
        for n in range(len(source))
    ]


def _anchor(tree: Skeleton, joint: int, count: int) -> int:
    """The first joint of the prior on the way from a joint to the root."""
    joint = tree.parents[joint]
    while joint >= count:
        joint = tree.parents[joint]
    return max(joint, 0)


def _exchanges(names: tuple[str, ...]) -> np.ndarray:
    sided = np.array([n.startswith(("left_", "right_")) for n in names])
    arms = sided & np.array([any(w in n for w in _ARMS) for n in names])
    legs = sided & np.array([any(w in n for w in _LEGS) for n in names])
    return np.stack([np.zeros_like(sided), arms, legs, sided])
