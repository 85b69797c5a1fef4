"""The Human3.6M skeletons: names, limbs, sides, and the size measure's tree.

The lifter's 17 joints come first; the image network's 16, the recorded 32 and the 17 of
coarse-to-fine prediction follow, with the conversions between them.

Joint order and trees follow the data files of Tome et al., "Rethinking Pose in 3D"
(3DV 2018). World coordinates are millimetres with z up; images are pixels, y down.
"""

from typing import Any, Final

import numpy as np

from human_pose.geometry.skeleton import Skeleton

JOINT_NAMES: Final = (
    "hip",
    "right_hip",
    "right_knee",
    "right_foot",
    "left_hip",
    "left_knee",
    "left_foot",
    "spine",
    "thorax",
    "neck",
    "head_top",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
)
JOINTS: Final = len(JOINT_NAMES)

# The four Human3.6M cameras, in the order of every `[..., V, ...]` axis.
VIEW_NAMES: Final = ("54138969", "55011271", "58860488", "60457274")
VIEWS: Final = len(VIEW_NAMES)

# The stacked-hourglass detector has no such joint: files hold (0, 0) there, and the
# lifter always masks it.
UNDETECTED_JOINT: Final = 9

# Anatomical limbs, for drawing.
LIMBS: Final = (
    (0, 1),
    (1, 2),
    (2, 3),
    (0, 4),
    (4, 5),
    (5, 6),
    (0, 7),
    (7, 8),
    (8, 9),
    (9, 10),
    (8, 11),
    (11, 12),
    (12, 13),
    (8, 14),
    (14, 15),
    (15, 16),
)

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

RIGHT_JOINTS: Final = (1, 2, 3, 14, 15, 16)
LEFT_JOINTS: Final = (4, 5, 6, 11, 12, 13)

# The 32 joints as recorded. Several are copies of others (11 of 0, 16, 24 of 13, ...),
# kept by the motion-capture format for the ends of fingers and toes.
JOINT_NAMES_32: Final = (
    "Hips",
    "RightUpLeg",
    "RightLeg",
    "RightFoot",
    "RightToeBase",
    "Site",
    "LeftUpLeg",
    "LeftLeg",
    "LeftFoot",
    "LeftToeBase",
    "Site_1",
    "Spine",
    "Spine1",
    "Neck",
    "Head",
    "Site_2",
    "LeftShoulder",
    "LeftArm",
    "LeftForeArm",
    "LeftHand",
    "LeftHandThumb",
    "Site_3",
    "L_Wrist_End",
    "Site_4",
    "RightShoulder",
    "RightArm",
    "RightForeArm",
    "RightHand",
    "RightHandThumb",
    "Site_5",
    "R_Wrist_End",
    "Site_6",
)
JOINTS_32: Final = len(JOINT_NAMES_32)

# The 16 joints of the image network, as positions in the 32.
JOINTS_16_OF_32: Final = (0, 1, 2, 3, 6, 7, 8, 13, 14, 15, 17, 18, 19, 25, 26, 27)
JOINT_NAMES_16: Final = tuple(JOINT_NAMES_32[joint] for joint in JOINTS_16_OF_32)
JOINTS_16: Final = len(JOINT_NAMES_16)

# Right and left joints that a mirror image swaps.
FLIP_PAIRS_16: Final = ((1, 4), (2, 5), (3, 6), (13, 10), (14, 11), (15, 12))
# `joints[..., FLIP_ORDER_16, :]` is the mirror image's joints.
FLIP_ORDER_16: Final = (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 13, 14, 15, 10, 11, 12)

LIMBS_16: Final = (
    (0, 1),
    (1, 2),
    (2, 3),
    (0, 4),
    (4, 5),
    (5, 6),
    (0, 7),
    (7, 8),
    (8, 9),
    (7, 10),
    (10, 11),
    (11, 12),
    (7, 13),
    (13, 14),
    (14, 15),
)
RIGHT_JOINTS_16: Final = (1, 2, 3, 13, 14, 15)
LEFT_JOINTS_16: Final = (4, 5, 6, 10, 11, 12)


SKELETON_LIFTER: Final = Skeleton(JOINTS, LIMBS, LEFT_JOINTS, RIGHT_JOINTS)
SKELETON_16: Final = Skeleton(JOINTS_16, LIMBS_16, LEFT_JOINTS_16, RIGHT_JOINTS_16)

# The 17 joints of coarse-to-fine volumetric prediction: the 16 and Spine1, legs left
# before right. No network here uses them.
JOINT_NAMES_17: Final = (
    "Hips",
    "LeftUpLeg",
    "LeftLeg",
    "LeftFoot",
    "RightUpLeg",
    "RightLeg",
    "RightFoot",
    "Spine1",
    "Neck",
    "Head",
    "Site_2",
    "LeftArm",
    "LeftForeArm",
    "LeftHand",
    "RightArm",
    "RightForeArm",
    "RightHand",
)
# Where joint i of the 16 stands in those 17. The original's table; as it lists no place
# for the neck in the 17's position 7 (Spine1), that joint stays unset.
JOINTS_17_OF_16: Final = (0, 4, 5, 6, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16)

# What `to_32_joints` gives a joint that the 16 do not have.
_FILL_2D: Final = 0.5
# The original's table ends 4 entries early, and C fills it with zeros: the root.
_UNLISTED_OF_32: Final = (28, 29, 30, 31)


def to_16_joints(joints: Any) -> Any:
    """The image network's 16 joints of the recorded 32.

    Args:
      joints: array `[..., 32, C]`.

    Returns:
      `[..., 16, C]`.
    """
    return np.asarray(joints)[..., JOINTS_16_OF_32, :]


def to_32_joints(joints_2d: Any) -> Any:
    """The 16 joints at their places among 32, for tools that expect those.

    Args:
      joints_2d: array `[..., 16, 2]`.

    Returns:
      `[..., 32, 2]`; the other joints are 0.5 as in the original, the last four the
      root.
    """
    joints_2d = np.asarray(joints_2d)
    result = np.full((*joints_2d.shape[:-2], JOINTS_32, 2), _FILL_2D, joints_2d.dtype)
    result[..., JOINTS_16_OF_32, :] = joints_2d
    result[..., _UNLISTED_OF_32, :] = joints_2d[..., :1, :]
    return result


def to_17_joints(joints: Any, fill: float = 0.5) -> Any:
    """The 16 joints at their places among coarse-to-fine prediction's 17.

    Args:
      joints: array `[..., 16, C]`.
      fill: the value of Spine1, which the 16 do not have.

    Returns:
      `[..., 17, C]`.
    """
    joints = np.asarray(joints)
    shape = (*joints.shape[:-2], len(JOINT_NAMES_17), joints.shape[-1])
    result = np.full(shape, fill, joints.dtype)
    result[..., JOINTS_17_OF_16, :] = joints
    return result
