"""The embedded people's 17 joints as Human3.6M's 32, feet and hands added.

Names are those of `skeletons.JOINT_NAMES_32`. As in Human3.6M, several of the 32 are
copies: the back's lower end is the hip, both collars are the neck, thumbs are wrists.
"""

from typing import Final

import numpy as np

from human_pose.geometry.skeletons import LIFTER_17, RECORDED_32

# Which of the 17 each of the 32 is. Those not listed are added by `to_32_joints`.
_SAME: Final = {
    "Hips": "hip",
    "RightUpLeg": "right_hip",
    "RightLeg": "right_knee",
    "RightFoot": "right_foot",
    "LeftUpLeg": "left_hip",
    "LeftLeg": "left_knee",
    "LeftFoot": "left_foot",
    "Spine": "hip",
    "Spine1": "spine",
    "Neck": "thorax",
    "Head": "neck",
    "Site_2": "head_top",
    "LeftShoulder": "thorax",
    "LeftArm": "left_shoulder",
    "LeftForeArm": "left_elbow",
    "LeftHand": "left_wrist",
    "LeftHandThumb": "left_wrist",
    "RightShoulder": "thorax",
    "RightArm": "right_shoulder",
    "RightForeArm": "right_elbow",
    "RightHand": "right_wrist",
    "RightHandThumb": "right_wrist",
}

# Lengths as shares of the shank (foot) and the forearm (hand), by eye.
_BALL_SHARE: Final = 0.36
_TOE_SHARE: Final = 0.52
_HAND_SHARE: Final = 0.55
_THUMB_SHARE: Final = 0.40

# Soles lie flat where an ankle is lower than this (mm) above the floor.
_FLAT_BELOW_MM: Final = 200.0
_SOLE_MM: Final = 45.0

# How much the pelvis says where a foot points; a bent knee says it better.
_PELVIS_SHARE: Final = 0.15


def index(name: str) -> int:
    """The position of a name among the 32."""
    return RECORDED_32.index(name)


def to_32_joints(joints_mm: np.ndarray) -> np.ndarray:
    """The recorded set of 32 joints.

    Args:
      joints_mm: `[17, 3]`, world mm, z up, the floor at 0, order of
        `skeletons.LIFTER_17`.

    Returns:
      float64 `[32, 3]`, world mm, order of `skeletons.RECORDED_32`.
    """
    result = np.zeros((len(RECORDED_32), 3))
    for name, same in _SAME.items():
        result[index(name)] = joints_mm[LIFTER_17.index(same)]
    for side, ends in (
        ("Right", ("Site", "5", "R", "6")),
        ("Left", ("Site_1", "3", "L", "4")),
    ):
        toes, thumb, letter, hand = ends
        _add_foot(result, side, toes)
        _add_hand(result, side, f"Site_{thumb}", f"{letter}_Wrist_End", f"Site_{hand}")
    return result


def unit(vector: np.ndarray) -> np.ndarray:
    """A vector `[..., 3]` at length 1."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def _add_foot(joints: np.ndarray, side: str, toes: str) -> None:
    hip, knee, ankle = (joints[index(f"{side}{n}")] for n in ("UpLeg", "Leg", "Foot"))
    across = unit(joints[index("RightUpLeg")] - joints[index("LeftUpLeg")])
    thigh, shank = unit(knee - hip), unit(ankle - knee)
    # Knees bend backwards: the hinge points to the right, as the pelvis' axis does.
    hinge = np.cross(shank, thigh) + _PELVIS_SHARE * across
    forward = unit(np.cross(-shank, hinge))
    length = np.linalg.norm(ankle - knee)
    if ankle[2] < _FLAT_BELOW_MM and np.linalg.norm(forward[:2]) > 0.3:
        level = unit(np.append(forward[:2], 0.0)) * _BALL_SHARE * length
        ball = ankle + level - [0.0, 0.0, max(ankle[2] - _SOLE_MM, 0.0)]
        forward = np.append(unit(forward[:2]), 0.0)
    else:
        ball = ankle + unit(forward + 0.5 * shank) * _BALL_SHARE * length
    joints[index(f"{side}ToeBase")] = ball
    joints[index(toes)] = ball + forward * (_TOE_SHARE - _BALL_SHARE) * length


def _add_hand(joints: np.ndarray, side: str, thumb: str, end: str, site: str) -> None:
    elbow, wrist = joints[index(f"{side}ForeArm")], joints[index(f"{side}Hand")]
    joints[index(thumb)] = wrist + (wrist - elbow) * _THUMB_SHARE
    joints[index(end)] = joints[index(site)] = wrist + (wrist - elbow) * _HAND_SHARE
