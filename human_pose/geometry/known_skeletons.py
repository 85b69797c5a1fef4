"""The skeletons of detectors and of CMU's motion, by name and by number of joints.

Each is a list of joints in the order of its source, with the source's own words as
aliases; the tree follows from the names (`tree`), so that two skeletons hang together
alike. Human3.6M's stand in `skeletons`.

Sources of the orders and maps:
  COCO-17: the COCO keypoint annotations (cocodataset.org), and 23 of COCO-WholeBody's
    133, body and feet (github.com/jin-s13/COCO-WholeBody).
  COCO-18, BODY_25, BODY_25B: OpenPose's documentation of its output, and its repository
    openpose_train for BODY_25B. Their `Neck` is the middle of the shoulders and so the
    vocabulary's thorax, `MidHip` its pelvis, as in MotionBERT's map from Halpe.
  Halpe-26: github.com/Fang-Haoshu/Halpe-FullBody; map: MotionBERT, `halpe2h36m`.
  BlazePose-33: MediaPipe's pose landmarks; the foot index is the tip of the big toe.
  MPII-16: the MPII Human Pose annotations; `upper_neck` is the vocabulary's neck.
  CMU: the joints of B. Hahne's BVH conversion (cgspeed.com) of the CMU database. Its
    neck joint is the thorax, its head joint the neck (as `Head` of Human3.6M's 32); its
    root lies below the middle of the hips, its chest above the spine: neither is named
    as if it were the vocabulary's.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from human_pose.geometry.skeleton import Skeleton, named_pairs
from human_pose.geometry.skeletons import COARSE_17, IMAGE_16, LIFTER_17, RECORDED_32

# For each joint the parents that it may have, the best first: the first that a skeleton
# has is its parent there. Each stands after its parents, so there can be no circle.
_TRUNK: Final = {
    "pelvis": (),
    "spine": ("pelvis",),
    "thorax": ("spine", "pelvis"),
    "neck": ("thorax", "spine", "pelvis"),
    "nose": ("neck", "thorax", "spine", "pelvis"),
    "head_top": ("neck", "thorax", "nose", "spine", "pelvis"),
}
# `*` is the side.
_SIDES: Final = {
    "*_eye": ("nose", "head_top", "neck", "thorax"),
    "*_eye_inner": ("*_eye", "nose"),
    "*_eye_outer": ("*_eye", "nose"),
    "*_ear": ("*_eye", "nose", "head_top", "neck", "thorax"),
    "*_mouth": ("nose", "head_top", "neck", "thorax"),
    "*_shoulder": ("thorax", "neck", "spine", "pelvis", "nose", "head_top"),
    "*_elbow": ("*_shoulder", "thorax"),
    "*_wrist": ("*_elbow", "*_shoulder"),
    "*_pinky": ("*_wrist",),
    "*_index": ("*_wrist",),
    "*_thumb": ("*_wrist",),
    "*_hip": ("pelvis", "spine", "thorax", "*_shoulder", "nose"),
    "*_knee": ("*_hip", "pelvis"),
    "*_ankle": ("*_knee", "*_hip"),
    "*_heel": ("*_ankle", "*_knee"),
    "*_big_toe": ("*_ankle", "*_heel"),
    "*_small_toe": ("*_ankle", "*_heel"),
}


def _sided(word: str) -> tuple[str, str]:
    return word.replace("*", "left"), word.replace("*", "right")


_PARENTS: Final[Mapping[str, tuple[str, ...]]] = _TRUNK | {
    _sided(joint)[side]: tuple(_sided(parent)[side] for parent in parents)
    for joint, parents in _SIDES.items()
    for side in (0, 1)
}
# The names of joints that all skeletons share.
VOCABULARY: Final = tuple(_PARENTS)

_COCO: Final = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee "
    "right_knee left_ankle right_ankle"
)
_FEET: Final = (
    "left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
)
_BLAZEPOSE: Final = (
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye "
    "right_eye_outer left_ear right_ear left_mouth right_mouth left_shoulder "
    "right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip "
    "left_knee right_knee left_ankle right_ankle left_heel right_heel left_big_toe "
    "right_big_toe"
)
_OPENPOSE_WORDS: Final = {
    "Nose": "nose", "Neck": "thorax", "MidHip": "pelvis",
    **{
        f"{side[0].upper()}{word}": f"{side}_{joint}"
        for side in ("left", "right")
        for word, joint in (
            ("Eye", "eye"), ("Ear", "ear"), ("Shoulder", "shoulder"),
            ("Elbow", "elbow"), ("Wrist", "wrist"), ("Hip", "hip"), ("Knee", "knee"),
            ("Ankle", "ankle"), ("BigToe", "big_toe"), ("SmallToe", "small_toe"),
            ("Heel", "heel"),
        )
    },
}  # fmt: skip


def tree(names: Sequence[str], aliases: Mapping[str, str]) -> Skeleton:
    """The skeleton of these joints, whose tree follows from their names."""
    known = [name for name in VOCABULARY if name in names] or list(names[:1])
    parents = {
        name: next((p for p in _PARENTS.get(name, ()) if p in names), None)
        for name in names
    }
    root = next(name for name in known if parents[name] is None)
    for name, parent in parents.items():
        if parent is None and name != root:
            parents[name] = root
    return Skeleton.grown(parents, aliases=aliases, pairs=named_pairs(names))


def _listed(names: str, aliases: Mapping[str, str] | None = None) -> Skeleton:
    order = names.split()
    words = {word: name for word, name in (aliases or {}).items() if name in order}
    return tree(order, words)


COCO_17: Final = _listed(_COCO, _OPENPOSE_WORDS)
COCO_18: Final = _listed(
    "nose thorax right_shoulder right_elbow right_wrist left_shoulder left_elbow "
    "left_wrist right_hip right_knee right_ankle left_hip left_knee left_ankle "
    "right_eye left_eye right_ear left_ear",
    _OPENPOSE_WORDS,
)
BODY_25: Final = _listed(
    "nose thorax right_shoulder right_elbow right_wrist left_shoulder left_elbow "
    "left_wrist pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle "
    f"right_eye left_eye right_ear left_ear {_FEET}",
    _OPENPOSE_WORDS,
)
BODY_25B: Final = _listed(
    f"{_COCO} neck head_top {_FEET}",
    {
        **{word: name for word, name in _OPENPOSE_WORDS.items() if word != "Neck"},
        "UpperNeck": "neck",
        "HeadTop": "head_top",
    },
)
HALPE_26: Final = _listed(
    f"{_COCO} head_top thorax pelvis left_big_toe right_big_toe left_small_toe "
    "right_small_toe left_heel right_heel",
    {**_OPENPOSE_WORDS, "Head": "head_top", "Hip": "pelvis"},
)
COCO_23: Final = _listed(f"{_COCO} {_FEET}", _OPENPOSE_WORDS)
BLAZEPOSE_33: Final = _listed(
    _BLAZEPOSE,
    {
        "mouth_left": "left_mouth",
        "mouth_right": "right_mouth",
        "left_foot_index": "left_big_toe",
        "right_foot_index": "right_big_toe",
    },
)
MPII_16: Final = _listed(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax neck "
    "head_top right_wrist right_elbow right_shoulder left_shoulder left_elbow "
    "left_wrist",
    {"upper_neck": "neck"},
)


# CMU's words for joints, in the files' order, each with the name of what it is. They
# are no aliases: the files' `neck` is another joint than the vocabulary's.
CMU_WORDS: Final[Mapping[str, str]] = {
    "hip": "root", "abdomen": "abdomen", "chest": "chest", "neck": "thorax",
    "head": "neck", "leftEye": "left_eye", "rightEye": "right_eye",
    **{
        f"{side[0]}{word}": f"{side}_{joint}"
        for side in ("right", "left")
        for word, joint in (
            ("Collar", "collar"), ("Shldr", "shoulder"), ("ForeArm", "elbow"),
            ("Hand", "wrist"), ("Thumb1", "thumb_1"), ("Thumb2", "thumb_2"),
            ("Index1", "index_1"), ("Index2", "index_2"), ("Mid1", "middle_1"),
            ("Mid2", "middle_2"), ("Ring1", "ring_1"), ("Ring2", "ring_2"),
            ("Pinky1", "pinky_1"), ("Pinky2", "pinky_2"),
        )
    },
    **{
        f"{side[0]}{word}": f"{side}_{joint}"
        for side in ("right", "left")
        for word, joint in (
            ("Buttock", "buttock"), ("Thigh", "hip"), ("Shin", "knee"),
            ("Foot", "ankle"),
        )
    },
}  # fmt: skip

# The joints above; what they hang on where it is not what stands before them.
_CMU_PARENTS: Final = {
    "root": None, "left_eye": "neck", "right_eye": "neck",
    **{
        f"{side}_{joint}": parent.replace("*", side)
        for side in ("right", "left")
        for joint, parent in (
            ("collar", "chest"), ("thumb_1", "*_wrist"), ("index_1", "*_wrist"),
            ("middle_1", "*_wrist"), ("ring_1", "*_wrist"), ("pinky_1", "*_wrist"),
            ("buttock", "root"),
        )
    },
}  # fmt: skip


def _cmu() -> Skeleton:
    names = list(CMU_WORDS.values())
    return Skeleton.grown(
        {
            name: _CMU_PARENTS.get(name, before)
            for name, before in zip(names, [None, *names], strict=False)
        }
    )


CMU: Final = _cmu()

KNOWN: Final[Mapping[str, Skeleton]] = {
    "coco_17": COCO_17, "coco_18": COCO_18, "coco_133": COCO_23, "body_25": BODY_25,
    "body_25b": BODY_25B, "halpe_26": HALPE_26, "blazepose_33": BLAZEPOSE_33,
    "mpii_16": MPII_16, "h36m_16": IMAGE_16, "h36m_17": LIFTER_17,
    "coarse_17": COARSE_17, "h36m_32": RECORDED_32, "cmu": CMU,
}  # fmt: skip

# What so many joints are, by who gives them. Of 133 and 136 the first joints count, the
# body with its feet.
_BY_COUNT: Final[Mapping[int, Mapping[str, str]]] = {
    16: {"detector": "mpii_16", "human36m": "h36m_16"},
    17: {"detector": "coco_17", "human36m": "h36m_17"},
    18: {"detector": "coco_18"},
    25: {"detector": "body_25"},
    26: {"detector": "halpe_26"},
    32: {"human36m": "h36m_32"},
    33: {"detector": "blazepose_33"},
    133: {"detector": "coco_133"},
    136: {"detector": "halpe_26"},
}
_SOURCES: Final = ("detector", "human36m")

# Joints that detectors were taught as the middle of others, because nobody marked them
# (OpenPose; Halpe's annotators did, near it): their errors are those joints' own.
_MIDDLES: Final[Mapping[str, tuple[str, ...]]] = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("left_shoulder", "right_shoulder"),
}
_TAUGHT_MIDDLES: Final = (COCO_18, BODY_25, HALPE_26)


def by_name(word: str) -> Skeleton:
    """A skeleton by its name, as "coco_17".

    Raises:
      ValueError: if there is none of that name; the message lists them.
    """
    if word not in KNOWN:
        raise ValueError(
            f"`skeleton` must be one of {', '.join(KNOWN)}. Received: {word!r}"
        )
    return KNOWN[word]


def by_count(joints: int, source: str | None = None) -> Skeleton:
    """The skeleton that so many joints are; of 133 and 136 the first of them.

    Args:
      joints: how many a file has.
      source: who gives them, "detector" or "human36m"; 16 and 17 joints need it.

    Raises:
      ValueError: if no skeleton, or more than one, has so many joints, or there is no
        such source.
    """
    if source is not None and source not in _SOURCES:
        raise ValueError(
            f"`source` must be {' or '.join(_SOURCES)}. Received: {source!r}"
        )
    found = [
        name
        for given, name in _BY_COUNT.get(joints, {}).items()
        if source in (None, given)
    ]
    if len(found) == 1:
        return KNOWN[found[0]]
    if found:
        raise ValueError(f"{joints} joints may be {' or '.join(found)}; say which")
    counts = [str(n) for n, by in _BY_COUNT.items() if source in (None, *by)]
    raise ValueError(
        f"no known skeleton has {joints} joints; there are those of {', '.join(counts)}"
    )


def derived(skeleton: Skeleton) -> dict[str, tuple[str, ...]]:
    """The joints of a detector's skeleton that are no more than the mean of others.

    Returns:
      The name of each, with the names of the joints whose mean it is; nothing for a
      skeleton whose joints were all marked or recorded for themselves.
    """
    if skeleton not in _TAUGHT_MIDDLES:
        return {}
    return {name: of for name, of in _MIDDLES.items() if name in skeleton.names}
