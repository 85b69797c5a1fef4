"""Layers of joint angles that actions are made of: legs and trunk, arms, liveliness.

Angles are degrees; see `angles` for their senses.
"""

from typing import Final

import numpy as np

from human_pose.datasets.synthetic.angles import LIMITS_DEG, Angles, blend
from human_pose.datasets.synthetic.tracks import bump, sway, wander

# Where an arm is: shoulder flexion, abduction and inward rotation, elbow flexion.
# Found by placing the wrist and elbow of a 1.75 m body where the name says.
ARMS_DEG: Final = {
    "hanging": (2.0, 8.0, 10.0, 14.0),
    "phone at ear": (72.0, 22.0, 22.0, 138.0),
    "mouth": (53.0, 2.0, 33.0, 137.0),
    "camera at eyes": (66.0, 7.0, 25.0, 120.0),
    "hand on hip": (-34.0, 52.0, 40.0, 121.0),
    "crossed": (25.0, -5.0, 64.0, 108.0),
    "on thigh": (11.0, 13.0, 24.0, 86.0),
    "on knee": (35.0, 9.0, 34.0, 61.0),
    "on table": (33.0, 20.0, 37.0, 86.0),
    "waving": (120.0, 65.0, 40.0, 92.0),
    "pointing": (86.0, 8.0, 29.0, 18.0),
    "behind head": (155.0, 30.0, 55.0, 138.0),
    "in pocket": (-28.0, 26.0, 22.0, 92.0),
    "gesturing": (28.0, 17.0, 16.0, 100.0),
    "open gesture": (26.0, 30.0, -18.0, 86.0),
    "leash": (34.0, 10.0, 16.0, 22.0),
    "reaching down": (66.0, 4.0, 23.0, 22.0),
    "carrying": (30.0, 6.0, 24.0, 86.0),
    "watch": (39.0, 9.0, 41.0, 105.0),
    "support behind": (-14.0, 20.0, -30.0, 8.0),
}
_ARM_ANGLES: Final = (
    "shoulder_flex",
    "shoulder_abduct",
    "shoulder_rotate",
    "elbow_flex",
)
# Share of an arm's elevation that lifts the collar bone.
_COLLAR_SHARE: Final = 0.12

# One person's habit around a posture, and restless movement about it.
_HABIT_DEG: Final = 4.0
_FIDGET_DEG: Final = 1.5


def arm(side: str, pose: str) -> Angles:
    """One arm held as `ARMS_DEG` says."""
    values = ARMS_DEG[pose]
    layer = {
        f"{side}_{name}": np.asarray(value)
        for name, value in zip(_ARM_ANGLES, values, strict=True)
    }
    elevation = max(values[0], values[1], 0.0)
    layer[f"{side}_shoulder_raise"] = np.asarray(_COLLAR_SHARE * elevation)
    return layer


def arm_between(side: str, first: str, second: str, weight: np.ndarray) -> Angles:
    """One arm going from a pose (`weight` 0) to another (1)."""
    return blend(arm(side, first), arm(side, second), weight)


def stirred(
    rng: np.random.Generator, time_s: np.ndarray, side: str, amount_deg: float
) -> Angles:
    """Gesticulation: an arm moving about its pose."""
    return {
        f"{side}_{name}": amount_deg * scale * sway(rng, time_s, 1.2)
        for name, scale in zip(_ARM_ANGLES, (0.8, 0.5, 0.8, 1.2), strict=True)
    }


def liveliness(rng: np.random.Generator, time_s: np.ndarray) -> Angles:
    """What no two takes share: habits that last and restless movement."""
    return {
        name: rng.normal(0, _HABIT_DEG) + _FIDGET_DEG * sway(rng, time_s, 2.5)
        for name in LIMITS_DEG
    }


def standing(
    rng: np.random.Generator,
    time_s: np.ndarray,
    *,
    knees_deg: float | np.ndarray = 6.0,
    lean_deg: float | np.ndarray = 0.0,
) -> Angles:
    """Feet on the floor, the weight going from leg to leg.

    Args:
      rng: source of the stance.
      time_s: `[F]`.
      knees_deg: mean flexion of the knees, a number or `[F]`.
      lean_deg: forward pitch of the pelvis over the feet, a number or `[F]`.
    """
    weight = sway(rng, time_s, 4.0)
    stride = rng.normal(0, 7)
    width = rng.uniform(1, 9)
    roll = 2.0 * weight
    layer: Angles = {"pelvis_pitch": np.asarray(lean_deg), "pelvis_roll": roll}
    for side, sign in (("right", 1), ("left", -1)):
        knee = np.maximum(knees_deg + 5 + 4 * sign * weight, 1.0)
        layer[f"{side}_knee_flex"] = knee
        # Half the knee's angle keeps the foot below the hip.
        layer[f"{side}_hip_flex"] = 0.5 * knee + lean_deg + sign * stride
        layer[f"{side}_hip_abduct"] = width + sign * roll
    return layer


def walking(
    rng: np.random.Generator,
    time_s: np.ndarray,
    *,
    strides_hz: float,
    stride_deg: float,
    swing_deg: float = 17.0,
) -> Angles:
    """A gait cycle of legs, pelvis, trunk and counter-swinging arms.

    The courses of hip and knee follow the usual gait curves (Winter 1991): the knee
    yields at loading and bends most in early swing.

    Args:
      rng: source of the starting phase.
      time_s: `[F]`.
      strides_hz: strides (two steps) per second.
      stride_deg: amplitude of the hips.
      swing_deg: amplitude of the shoulders.
    """
    cycle = strides_hz * time_s + rng.uniform()
    layer = {
        "pelvis_roll": 3 * np.sin(2 * np.pi * cycle),
        "back_side": -3 * np.sin(2 * np.pi * cycle),
        "back_twist": 7 * np.cos(2 * np.pi * cycle),
        "back_flex": np.asarray(4.0),
        "pelvis_pitch": np.asarray(3.0),
    }
    for side, phase in (("right", cycle), ("left", cycle + 0.5)):
        swing = np.cos(2 * np.pi * (phase + 0.04))
        layer[f"{side}_hip_flex"] = 12 + stride_deg * swing
        layer[f"{side}_hip_abduct"] = np.asarray(1.0)
        layer[f"{side}_knee_flex"] = (
            5 + 14 * bump(phase, 0.14, 0.07) + 56 * bump(phase, 0.72, 0.11)
        )
        layer[f"{side}_shoulder_flex"] = 2 - swing_deg * swing
        layer[f"{side}_elbow_flex"] = 8 - 0.5 * swing_deg * swing
    return layer


def sitting(rng: np.random.Generator, time_s: np.ndarray, *, lean_deg: float) -> Angles:
    """On a chair, feet on the floor.

    Args:
      rng: source of how the legs are put.
      time_s: `[F]`.
      lean_deg: forward pitch of the pelvis.
    """
    layer: Angles = {"pelvis_pitch": np.asarray(lean_deg)}
    for side in ("right", "left"):
        layer[f"{side}_hip_flex"] = np.asarray(rng.uniform(82, 92) + lean_deg)
        layer[f"{side}_hip_abduct"] = wander(rng, time_s, 3, 20)
        layer[f"{side}_knee_flex"] = wander(rng, time_s, 78, 105, hold_s=1.5)
    return layer


def legs_crossed(rng: np.random.Generator, time_s: np.ndarray) -> Angles:
    """What turns `sitting` into sitting with the right ankle on the left knee."""
    foot = sway(rng, time_s, 1.5)
    return {
        "right_hip_flex": 14 + 3 * foot,
        "right_hip_abduct": np.asarray(20.0),
        "right_hip_rotate": -38 + 4 * foot,
        "right_knee_flex": np.asarray(12.0),
    }


def squatting() -> Angles:
    """Deep on bent legs, the way down to the floor."""
    layer = {"pelvis_pitch": 28.0, "back_flex": 35.0}
    for side in ("right", "left"):
        layer[f"{side}_hip_flex"] = 112.0
        layer[f"{side}_hip_abduct"] = 14.0
        layer[f"{side}_knee_flex"] = 128.0
    return {name: np.asarray(value) for name, value in layer.items()}


def on_the_floor(rng: np.random.Generator, time_s: np.ndarray) -> Angles:
    """Sitting on the floor: one leg folded, the other drawn up or stretched out."""
    bent = wander(rng, time_s, 35, 105, hold_s=1.0, move_s=1.0)
    return {
        "pelvis_pitch": np.asarray(-16.0),
        "back_flex": wander(rng, time_s, 22, 40),
        "right_hip_flex": 82 + 0.4 * bent,
        "right_hip_abduct": np.asarray(10.0),
        "right_knee_flex": bent,
        "left_hip_flex": np.asarray(106.0),
        "left_hip_abduct": np.asarray(40.0),
        "left_hip_rotate": np.asarray(-50.0),
        "left_knee_flex": np.asarray(132.0),
    }
