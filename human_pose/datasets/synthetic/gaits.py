"""Actions on the way: alone, with a dog, with someone."""

import numpy as np

from human_pose.datasets.synthetic.postures import (
    arm,
    arm_between,
    stirred,
    walking,
)
from human_pose.datasets.synthetic.score import Generator, Score
from human_pose.datasets.synthetic.tracks import sway, wander


def walking_dog(rng: Generator, time_s: np.ndarray) -> Score:
    """Walking behind a dog that pulls at the leash, leaning against it."""
    pull = sway(rng, time_s, 1.5)
    gait = walking(
        rng,
        time_s,
        strides_hz=rng.uniform(0.75, 0.9),
        stride_deg=rng.uniform(15, 19),
        swing_deg=4.0,
    )
    body = {
        "right_shoulder_flex": 10 * pull,
        "right_elbow_flex": -12 * pull,
        "left_shoulder_flex": np.asarray(-14.0),
        "left_shoulder_abduct": np.asarray(16.0),
        "pelvis_pitch": np.asarray(-12.0),
        "back_twist": -12 + 3 * pull,
        "neck_flex": np.asarray(20.0),
        "right_knee_flex": np.asarray(12.0),
        "left_knee_flex": np.asarray(12.0),
    }
    return Score(
        (gait, arm("right", "leash"), arm("left", "hanging"), body),
        rng.choice([-1, 1]) * rng.uniform(20, 50) * time_s
        + 12 * sway(rng, time_s, 2.0),
    )


def walking_alone(rng: Generator, time_s: np.ndarray) -> Score:
    """Walking round at an easy pace, the arms swinging."""
    gait = walking(
        rng,
        time_s,
        strides_hz=rng.uniform(0.8, 0.95),
        stride_deg=rng.uniform(20, 25),
        swing_deg=rng.uniform(18, 28),
    )
    return Score(
        (gait, arm("right", "hanging"), arm("left", "hanging")),
        rng.choice([-1, 1]) * rng.uniform(25, 55) * time_s,
    )


def walking_together(rng: Generator, time_s: np.ndarray) -> Score:
    """Strolling beside someone, turned to them and talking with a hand."""
    gait = walking(
        rng,
        time_s,
        strides_hz=rng.uniform(0.7, 0.8),
        stride_deg=rng.uniform(17, 21),
        swing_deg=8.0,
    )
    talk = {
        "neck_twist": 42 + 6 * sway(rng, time_s, 2.0),
        "back_twist": 14 + 4 * sway(rng, time_s, 3.0),
    }
    return Score(
        (
            gait,
            arm("left", "hanging"),
            arm_between(
                "right", "gesturing", "open gesture", wander(rng, time_s, 0, 1)
            ),
            stirred(rng, time_s, "right", 9),
            talk,
        ),
        rng.choice([-1, 1]) * rng.uniform(15, 40) * time_s,
    )
