"""Forward kinematics: joint angles and limb lengths to joint positions.

Body frames have x to the right, y forward and z up. Rotations are composed from the
hip outwards, so limb lengths hold to rounding whatever the angles are.
"""

from typing import Final

import numpy as np

from human_pose.datasets.synthetic.angles import Angles
from human_pose.datasets.synthetic.body import Body
from human_pose.geometry.skeletons import LIFTER_17


def _direction(x: float, y: float, z: float) -> np.ndarray:
    return np.array([x, y, z]) / np.linalg.norm([x, y, z])


# Directions of the upright rest pose, in the frame of the segment they belong to.
_DOWN: Final = _direction(0, 0, -1)
_LOWER_BACK: Final = _direction(0, -0.10, 1)
_UPPER_BACK: Final = _direction(0, 0.08, 1)
_NECK: Final = _direction(0, 0.75, 1)
_HEAD: Final = _direction(0, -0.40, 1)
_SHOULDER: Final = _direction(1, -0.05, -0.30)


def joints_from_hip(body: Body, angles: Angles, heading_rad: np.ndarray) -> np.ndarray:
    """Joint positions relative to the hip centre, in world directions.

    Args:
      body: limb lengths.
      angles: every angle of `angles.LIMITS_DEG`, degrees, each `[F]`.
      heading_rad: `[F]`, counter-clockwise seen from above; 0 faces world y.

    Returns:
      float64 `[F, 17, 3]`, mm, z up; joint 0 is 0.
    """
    rad = {name: np.deg2rad(track) for name, track in angles.items()}
    joints = np.zeros((len(heading_rad), len(LIFTER_17), 3))
    pelvis = (
        turn("z", heading_rad)
        @ turn("x", -rad["pelvis_pitch"])
        @ turn("y", rad["pelvis_roll"])
    )
    bend = _bend(rad["back_flex"] / 2, rad["back_side"] / 2, rad["back_twist"] / 2)
    lower, upper = pelvis @ bend, pelvis @ bend @ bend
    head = upper @ _bend(rad["neck_flex"], rad["neck_side"], rad["neck_twist"])
    joints[:, 7] = lower @ _LOWER_BACK * body.lower_back
    joints[:, 8] = joints[:, 7] + upper @ _UPPER_BACK * body.upper_back
    joints[:, 9] = joints[:, 8] + head @ _NECK * body.neck
    joints[:, 10] = joints[:, 9] + head @ _HEAD * body.head
    for side, sign, leg, arm in (("right", 1, 1, 14), ("left", -1, 4, 11)):
        own = {
            name.removeprefix(f"{side}_"): value
            for name, value in rad.items()
            if name.startswith(side)
        }
        _place_leg(joints, leg, body, own, sign, pelvis)
        _place_arm(joints, arm, body, own, sign, upper)
    return joints


def turn(axis: str, angle_rad: np.ndarray) -> np.ndarray:
    """Right-handed rotations `[F, 3, 3]` about the axis x, y or z."""
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    rotation = np.zeros((*np.shape(angle_rad), 3, 3))
    rotation[..., i, i] = 1
    rotation[..., j, j] = rotation[..., k, k] = np.cos(angle_rad)
    rotation[..., k, j] = np.sin(angle_rad)
    rotation[..., j, k] = -rotation[..., k, j]
    return rotation


def _bend(flex: np.ndarray, side: np.ndarray, twist: np.ndarray) -> np.ndarray:
    return turn("z", -twist) @ turn("x", -flex) @ turn("y", side)


def _limb(
    flex: np.ndarray, abduct: np.ndarray, rotate: np.ndarray, sign: int
) -> np.ndarray:
    return turn("x", flex) @ turn("y", -sign * abduct) @ turn("z", sign * rotate)


def _place_leg(
    joints: np.ndarray,
    first: int,
    body: Body,
    rad: Angles,
    sign: int,
    pelvis: np.ndarray,
) -> None:
    thigh = pelvis @ _limb(rad["hip_flex"], rad["hip_abduct"], rad["hip_rotate"], sign)
    shank = thigh @ turn("x", -rad["knee_flex"])
    joints[:, first] = pelvis[..., 0] * (sign * body.hip)
    joints[:, first + 1] = joints[:, first] + thigh @ _DOWN * body.thigh
    joints[:, first + 2] = joints[:, first + 1] + shank @ _DOWN * body.shank


def _place_arm(
    joints: np.ndarray,
    first: int,
    body: Body,
    rad: Angles,
    sign: int,
    thorax: np.ndarray,
) -> None:
    clavicle = (
        thorax
        @ turn("z", sign * rad["shoulder_protract"])
        @ turn("y", -sign * rad["shoulder_raise"])
    )
    upper = thorax @ _limb(
        rad["shoulder_flex"], rad["shoulder_abduct"], rad["shoulder_rotate"], sign
    )
    fore = upper @ turn("x", rad["elbow_flex"])
    rest = _SHOULDER * [sign, 1, 1]
    joints[:, first] = joints[:, 8] + clavicle @ rest * body.clavicle
    joints[:, first + 1] = joints[:, first] + upper @ _DOWN * body.upper_arm
    joints[:, first + 2] = joints[:, first + 1] + fore @ _DOWN * body.forearm
