"""The joints of a calibrated model: the prior's, and those of a detector alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.geometry.joint_words import from_names
from human_pose.geometry.known_skeletons import VOCABULARY
from human_pose.geometry.skeleton import Skeleton, convert

# Words that make a joint part of what a detector exchanges.
_ARMS: Final = (
    "shoulder", "elbow", "wrist", "hand", "finger", "thumb", "index", "pinky",
)  # fmt: skip
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
      strays: `[J - K]`, whether neither its name nor the detector's tree says on which;
        then it is the root.
    """

    skeleton: Skeleton
    prior: Skeleton
    detector: Skeleton
    counterpart: tuple[int, ...]
    exchanges: np.ndarray
    bones: tuple[tuple[int, int], ...]
    hangs_on: tuple[int, ...]
    strays: tuple[bool, ...]

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
        anchors = [_anchor(name, tree, prior, detector) for name in extra]
        hangs_on = tuple(prior.root if a is None else a for a in anchors)
        skeleton = Skeleton(
            names,
            (*prior.parents, *hangs_on),
            pairs=(*tree.pairs, *_further_pairs(extra, tree, detector)),
            aliases=(*prior.aliases,),
        )
        return cls(
            skeleton,
            prior,
            detector,
            tuple(skeleton.flip_order),
            _exchanges(skeleton, hangs_on),
            tuple((p, j) for j, p in enumerate(prior.parents) if p >= 0),
            hangs_on,
            tuple(a is None for a in anchors),
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


def _anchor(
    name: str, tree: Skeleton, prior: Skeleton, detector: Skeleton
) -> int | None:
    """The first joint of the prior on the way from a joint to the root.

    The way is that of the joints' names where these are known, and else that of the
    detector's own tree, whose root is but where joints are put of which nothing is
    known: then there is none.

    Args:
      name: of the joint, which the prior does not know.
      tree: of all joints, by their names.
      prior: the prior's skeleton.
      detector: the detector's.
    """
    known = dict(zip(detector.names, _places(detector, prior), strict=True))
    while name not in VOCABULARY:
        parent = detector.parents[detector.names.index(name)]
        if parent in (-1, detector.root):
            return None
        name = detector.names[parent]
        if (place := known[name]) is not None:
            return place
    joint = tree.names.index(name)
    while joint >= len(prior):
        joint = tree.parents[joint]
    return max(joint, 0)


def _further_pairs(
    extra: list[str], tree: Skeleton, detector: Skeleton
) -> list[tuple[str, str]]:
    """Pairs of the detector's own joints whose names do not tell of them."""
    told = {name for pair in tree.pairs for name in pair}
    return [pair for pair in detector.pairs if {*pair} <= {*extra} - told]


def _exchanges(skeleton: Skeleton, hangs_on: tuple[int, ...]) -> np.ndarray:
    """As of `ModelJoints`; what hangs on a limb, as fingers do, goes with it."""
    names, flip = skeleton.names, list(skeleton.flip_order)
    sided = np.array([n.startswith(("left_", "right_")) for n in names])
    sided |= np.arange(len(names)) != flip
    arms, legs = (
        sided & np.array([any(w in n for w in words) for n in names])
        for words in (_ARMS, _LEGS)
    )
    first = len(names) - len(hangs_on)
    free = sided & ~(arms | legs)
    for limb in (arms, legs):
        limb[first:] |= free[first:] & limb[list(hangs_on)]
        limb |= limb[flip]
    return np.stack([np.zeros_like(sided), arms, legs, sided])
