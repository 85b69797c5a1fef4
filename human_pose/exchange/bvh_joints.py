"""What BVH files call joints, in the vocabulary of `geometry.skeleton`.

Three families of words: those of CMU's files as converted by B. Hahne ("Daz-friendly"),
MotionBuilder's, which Mixamo, Human3.6M and LaFAN1 share, and Biovision's, whose
`LeftShoulder` is a shoulder and no collar bone. The vocabulary's pelvis
is the middle of the hip joints, its thorax the joint at the neck's base. CMU's files
have no joint for the spine's middle, the neck (the nose's base) and the head's top:
these are fixed to the abdomen and to the head (`CMU_FIXED`).
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

# In the order in which families' words for them stand below.
_LIMBS: Final = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "big_toe")


def _of_sides(right: str, left: str, *words: str) -> dict[str, str]:
    """What words for `_LIMBS`, or for the first of them, mean with their prefixes."""
    joints = _LIMBS[: len(words)]
    return {
        f"{prefix}{word}": f"{side}_{joint}"
        for prefix, side in ((right, "right"), (left, "left"))
        for word, joint in zip(words, joints, strict=True)
    }


_CMU: Final[Mapping[str, str]] = {
    "neck": "thorax",
    **_of_sides("r", "l", "Shldr", "ForeArm", "Hand", "Thigh", "Shin", "Foot"),
}
_BUILDER: Final[Mapping[str, str]] = {
    "Neck": "thorax",
    "Head": "neck",
    "Head_end": "head_top",
    "HeadTop_End": "head_top",
    "Spine1": "spine",
    **_of_sides(
        "Right", "Left", "Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase"
    ),
}
_BIOVISION: Final[Mapping[str, str]] = {
    "Neck": "thorax",
    "Head": "neck",
    "Head_end": "head_top",
    **_of_sides("Right", "Left", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle"),
}
# What a file's ends are called, after their joints.
END: Final = "_end"
_HIPS: Final = ("left_hip", "right_hip")


class Fixed(NamedTuple):
    """A point that moves with a joint's frame.

    Attributes:
      frame: the file's joint whose rotation it follows.
      joint: the file's joint that it starts from.
      towards: the file's joint on the way to it, or None.
      share: of the way.
      shift: `[3]`, in that frame, in CMU's units of 11.9477 mm.
    """

    frame: str
    joint: str
    towards: str | None
    share: float
    shift: tuple[float, float, float]


_UNIT_MM: Final = 11.9477
# In the rest pose 66 mm up from the neck's base and 95 forward, and 170 up and 45
# forward; from there they move with the head's joint, which rests 3 to the right, 84 up
# and 15 forward. The spine: 59 % of the way from the abdomen to the chest, 30 mm back.
CMU_FIXED: Final[Mapping[str, Fixed]] = {
    "spine": Fixed("abdomen", "abdomen", "chest", 0.59, (0.0, 0.0, -30 / _UNIT_MM)),
    "neck": Fixed("head", "head", None, 0.0, (0.244, 66 / _UNIT_MM - 7.071, 6.732)),
    "head_top": Fixed(
        "head", "head", None, 0.0, (0.244, 170 / _UNIT_MM - 7.071, 2.547)
    ),
}


def named_joints(
    names: Sequence[str],
    parents: Sequence[int],
    positions: np.ndarray,
    turns: np.ndarray,
) -> tuple[list[str], np.ndarray, dict[str, str]]:
    """The joints of a file in the vocabulary's words; unknown ones keep their own.

    Args:
      names: of the N nodes; those of ends are their joints' with `_end`.
      parents: of the nodes; -1 for the root.
      positions: `[F, N, 3]`, in the file's units.
      turns: `[F, N, 3, 3]`, to the world.

    Returns:
      J names, `[F, J, 3]`, and the parents of joints that keep their own names. The
      tree's ends are left out, but for the head's.
    """
    plain = _without_prefix(names)
    words, fixed = _words(plain)
    found = {
        words[name]: positions[:, n] for n, name in enumerate(plain) if name in words
    }
    for name, point in fixed.items():
        n = plain.index(point.frame)
        start = positions[:, plain.index(point.joint)]
        if point.towards is not None:
            way = positions[:, plain.index(point.towards)] - start
            start = start + point.share * way
        found[name] = start + turns[:, n] @ np.array(point.shift)
    if set(_HIPS) <= set(found) and "pelvis" not in found:
        found["pelvis"] = (found[_HIPS[0]] + found[_HIPS[1]]) / 2
    hung = {}
    for n, name in enumerate(plain):
        if name not in words and name not in found and not name.endswith(END):
            found[name] = positions[:, n]
            if parents[n] >= 0:
                above = plain[parents[n]]
                hung[name] = words.get(above, above)
    return list(found), np.stack(list(found.values()), axis=1), hung


def _without_prefix(names: Sequence[str]) -> Sequence[str]:
    """Names without Mixamo's prefix; with it where it tells bodies apart."""
    plain = [name.rpartition(":")[2] for name in names]
    return plain if len(set(plain)) == len(plain) else names


def _words(names: Sequence[str]) -> tuple[Mapping[str, str], Mapping[str, Fixed]]:
    """The family of a file's words, and what is fixed to its joints."""
    cmu, biovision, builder = (
        {word: name for word, name in family.items() if word in names}
        for family in (_CMU, _BIOVISION, _BUILDER)
    )
    if len(cmu) == len(_CMU) and {"abdomen", "chest", "head"} <= set(names):
        return cmu, CMU_FIXED
    # One word alone, as `Neck`, may mean anything.
    for found, family in ((biovision, _BIOVISION), (builder, _BUILDER)):
        if len(found) > len(family) / 2:
            return found, {}
    return {}, {}
