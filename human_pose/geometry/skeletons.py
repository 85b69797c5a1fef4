"""The Human3.6M skeletons as values, the size measure's tree, and the conversions.

The lifter's 17 joints come first; the image network's 16, the recorded 32 and the 17 of
coarse-to-fine prediction follow. Their own words for joints are aliases of the common
names (`skeleton`), and the constants below are read off the values.

Joint order and trees follow the data files of Tome et al., "Rethinking Pose in 3D"
(3DV 2018). World coordinates are millimetres with z up; images are pixels, y down.
"""

from typing import Any, Final

import numpy as np

from human_pose.geometry.skeleton import Skeleton, convert

LIFTER_17: Final = Skeleton.grown(
    {
        "pelvis": None,
        "right_hip": "pelvis",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "left_hip": "pelvis",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "spine": "pelvis",
        "thorax": "spine",
        "neck": "thorax",
        "head_top": "neck",
        "left_shoulder": "thorax",
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "right_shoulder": "thorax",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
    },
    # The stacked-hourglass detector has no such joint: files hold (0, 0) there, and the
    # lifter always masks it.
    undetected=("neck",),
    aliases={"hip": "pelvis", "right_foot": "right_ankle", "left_foot": "left_ankle"},
)
JOINTS: Final = len(LIFTER_17)
UNDETECTED_JOINT: Final = LIFTER_17.index("neck")

# The four Human3.6M cameras, in the order of every `[..., V, ...]` axis.
VIEW_NAMES: Final = ("54138969", "55011271", "58860488", "60457274")
VIEWS: Final = len(VIEW_NAMES)


def found_joints(joints_2d_px: np.ndarray) -> np.ndarray:
    """Where files of detections say that a joint of the lifter's was found.

    Args:
      joints_2d_px: `[..., 17, 2]`, pixels; (0, 0) and NaN are joints that were not.

    Returns:
      bool `[..., 17]`; never joint 9.
    """
    lost = (joints_2d_px == 0).all(axis=-1) | np.isnan(joints_2d_px).any(axis=-1)
    return np.asarray(~lost & (np.arange(JOINTS) != UNDETECTED_JOINT))


# The edges whose joint norm measures a pose's size. It is the tree of a 16-joint
# skeleton applied to 17-joint indices (joint 16 is unused, head top to left shoulder
# counts as a limb); kept because every learned parameter depends on it. See
# docs/fidelity.md, Q5.
NORMALISATION_TREE: Final = (
    (0, 1),
    (1, 2),
    (2, 3),
    (0, 4),
    (4, 5),
    (5, 6),
    (0, 7),
    (7, 8),
    (8, 9),
    (8, 10),
    (10, 11),
    (11, 12),
    (8, 13),
    (13, 14),
    (14, 15),
)

# The 32 joints as recorded, each with its common name if it has one. The others are
# copies (Spine of Hips, both collars of Neck, thumbs of wrists) and the ends of fingers
# and toes, kept by the motion-capture format.
_RECORDED: Final = {
    "Hips": "pelvis",
    "RightUpLeg": "right_hip",
    "RightLeg": "right_knee",
    "RightFoot": "right_ankle",
    "RightToeBase": None,
    "Site": None,
    "LeftUpLeg": "left_hip",
    "LeftLeg": "left_knee",
    "LeftFoot": "left_ankle",
    "LeftToeBase": None,
    "Site_1": None,
    "Spine": None,
    "Spine1": "spine",
    "Neck": "thorax",
    "Head": "neck",
    "Site_2": "head_top",
    "LeftShoulder": None,
    "LeftArm": "left_shoulder",
    "LeftForeArm": "left_elbow",
    "LeftHand": "left_wrist",
    "LeftHandThumb": None,
    "Site_3": None,
    "L_Wrist_End": None,
    "Site_4": None,
    "RightShoulder": None,
    "RightArm": "right_shoulder",
    "RightForeArm": "right_elbow",
    "RightHand": "right_wrist",
    "RightHandThumb": None,
    "Site_5": None,
    "R_Wrist_End": None,
    "Site_6": None,
}
_ALIASES_32: Final = {word: name for word, name in _RECORDED.items() if name}
_WORDS: Final = {name: word for word, name in _ALIASES_32.items()}

# The tree of the recording: a copy hangs on the joint that it is a copy of.
RECORDED_32: Final = Skeleton.grown(
    {
        "pelvis": None,
        "right_hip": "pelvis",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "RightToeBase": "right_ankle",
        "Site": "RightToeBase",
        "left_hip": "pelvis",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "LeftToeBase": "left_ankle",
        "Site_1": "LeftToeBase",
        "Spine": "pelvis",
        "spine": "Spine",
        "thorax": "spine",
        "neck": "thorax",
        "head_top": "neck",
        "LeftShoulder": "thorax",
        "left_shoulder": "LeftShoulder",
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "LeftHandThumb": "left_wrist",
        "Site_3": "LeftHandThumb",
        "L_Wrist_End": "left_wrist",
        "Site_4": "L_Wrist_End",
        "RightShoulder": "thorax",
        "right_shoulder": "RightShoulder",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
        "RightHandThumb": "right_wrist",
        "Site_5": "RightHandThumb",
        "R_Wrist_End": "right_wrist",
        "Site_6": "R_Wrist_End",
    },
    aliases=_ALIASES_32,
    pairs=(
        *LIFTER_17.pairs,
        ("LeftToeBase", "RightToeBase"),
        ("Site_1", "Site"),
        ("LeftShoulder", "RightShoulder"),
        ("LeftHandThumb", "RightHandThumb"),
        ("Site_3", "Site_5"),
        ("L_Wrist_End", "R_Wrist_End"),
        ("Site_4", "Site_6"),
    ),
)
JOINT_NAMES_32: Final = tuple(_RECORDED)
JOINTS_32: Final = len(RECORDED_32)

# The image network's joints: without the lifter's spine.
IMAGE_16: Final = Skeleton.grown(
    {
        "pelvis": None,
        "right_hip": "pelvis",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "left_hip": "pelvis",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "thorax": "pelvis",
        "neck": "thorax",
        "head_top": "neck",
        "left_shoulder": "thorax",
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "right_shoulder": "thorax",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
    },
    aliases={word: name for word, name in _ALIASES_32.items() if name != "spine"},
)
# The network's words for its joints, and their positions in the 32.
JOINT_NAMES_16: Final = tuple(_WORDS[name] for name in IMAGE_16.names)
JOINTS_16_OF_32: Final = tuple(RECORDED_32.index(name) for name in IMAGE_16.names)

# `joints[..., FLIP_ORDER_16, :]` is the mirror image's joints.
FLIP_ORDER_16: Final = IMAGE_16.flip_order

# The 17 joints of coarse-to-fine volumetric prediction: the 16 and the spine, legs left
# before right. No network here uses them.
COARSE_17: Final = Skeleton.grown(
    {
        "pelvis": None,
        "left_hip": "pelvis",
        "left_knee": "left_hip",
        "left_ankle": "left_knee",
        "right_hip": "pelvis",
        "right_knee": "right_hip",
        "right_ankle": "right_knee",
        "spine": "pelvis",
        "thorax": "spine",
        "neck": "thorax",
        "head_top": "neck",
        "left_shoulder": "thorax",
        "left_elbow": "left_shoulder",
        "left_wrist": "left_elbow",
        "right_shoulder": "thorax",
        "right_elbow": "right_shoulder",
        "right_wrist": "right_elbow",
    },
    aliases=_ALIASES_32,
)

# What the original gives a joint that its source does not have.
_FILL: Final = 0.5
# The original's table of the 32 ends 4 entries early, and C fills it with zeros: the
# root.
_UNLISTED_OF_32: Final = (28, 29, 30, 31)


def to_16_joints(joints: Any) -> np.ndarray:
    """The image network's 16 joints of the recorded 32.

    Args:
      joints: array `[..., 32, C]`.

    Returns:
      `[..., 16, C]`.
    """
    return convert(joints, RECORDED_32, IMAGE_16)


def to_32_joints(joints_2d: Any) -> np.ndarray:
    """The 16 joints at their places among 32, for tools that expect those.

    Args:
      joints_2d: array `[..., 16, 2]`.

    Returns:
      `[..., 32, 2]`; the other joints are 0.5 as in the original, the last four the
      root.
    """
    result = convert(joints_2d, IMAGE_16, RECORDED_32, fill=_FILL)
    result[..., _UNLISTED_OF_32, :] = result[..., :1, :]
    return result


def to_17_joints(joints: Any, fill: Any = _FILL) -> np.ndarray:
    """The 16 joints at their places among coarse-to-fine prediction's 17.

    Args:
      joints: array `[..., 16, C]`.
      fill: the value of the spine, which the 16 do not have; the original's table
        leaves it unset.

    Returns:
      `[..., 17, C]`.
    """
    return convert(joints, IMAGE_16, COARSE_17, fill=fill)
