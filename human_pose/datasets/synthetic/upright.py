"""Actions on the spot: standing, crouching and stooping."""

import numpy as np

from human_pose.datasets.synthetic.postures import (
    arm,
    arm_between,
    standing,
    stirred,
)
from human_pose.datasets.synthetic.score import Generator, Score
from human_pose.datasets.synthetic.tracks import sway, visits, wander


def directions(rng: Generator, time_s: np.ndarray) -> Score:
    """Standing, one arm stretched out, pointing the way."""
    aside = wander(rng, time_s, -10, 45)
    pointing = {
        "right_shoulder_abduct": aside,
        "right_shoulder_flex": wander(rng, time_s, -18, 22),
        "right_elbow_flex": wander(rng, time_s, -12, 14),
        "neck_twist": 0.7 * aside,
        "back_twist": 0.35 * aside,
    }
    layers = (standing(rng, time_s), arm("left", "hanging"))
    return Score(
        (*layers, arm("right", "pointing"), pointing), wander(rng, time_s, -20, 20)
    )


def discussion(rng: Generator, time_s: np.ndarray) -> Score:
    """Standing and talking with both hands."""
    hands = [
        arm_between(side, "gesturing", "open gesture", wander(rng, time_s, 0, 1.2))
        for side in ("right", "left")
    ]
    talk = {
        "neck_flex": 5 * sway(rng, time_s, 1.0),
        "neck_twist": 12 * sway(rng, time_s, 2.5),
        "back_flex": 5 + 4 * sway(rng, time_s, 2.5),
    }
    stirring = [stirred(rng, time_s, side, 11) for side in ("right", "left")]
    return Score(
        (standing(rng, time_s), *hands, *stirring, talk), 15 * sway(rng, time_s, 4.0)
    )


def greeting(rng: Generator, time_s: np.ndarray) -> Score:
    """Standing and waving a raised hand, with small bows."""
    rate = rng.uniform(1.2, 1.8)
    wave = np.sin(2 * np.pi * (rate * time_s + rng.uniform()))
    bow = visits(rng, time_s, period_s=rng.uniform(2.2, 3.0), stay_s=0.2)
    moving = {
        "right_shoulder_rotate": 20 * wave,
        "right_shoulder_abduct": 8 * wave,
        "right_elbow_flex": -18 * wave,
        "back_flex": 16 * bow,
        "back_side": -4 + 2 * wave,
        "neck_flex": 8 * bow - 6,
    }
    return Score(
        (
            standing(rng, time_s, lean_deg=8 * bow),
            arm("right", "waving"),
            arm("left", "hanging"),
            moving,
        ),
        12 * sway(rng, time_s, 3.5),
    )


def phoning(rng: Generator, time_s: np.ndarray) -> Score:
    """Standing about with a telephone at the ear, turning as one does."""
    head = {
        "neck_side": 12 + 3 * sway(rng, time_s, 2.0),
        "neck_flex": 6 + 4 * sway(rng, time_s, 2.0),
        "back_twist": 8 * sway(rng, time_s, 3.0),
    }
    talk = visits(rng, time_s, period_s=rng.uniform(3.0, 5.0), stay_s=0.8)
    return Score(
        (
            standing(rng, time_s),
            arm("right", "phone at ear"),
            arm_between("left", "hanging", "in pocket", talk),
            head,
        ),
        rng.uniform(-25, 25) * time_s + 15 * sway(rng, time_s, 4.0),
    )


def photo(rng: Generator, time_s: np.ndarray) -> Score:
    """Half crouching behind a camera held at the eyes, following something."""
    low = wander(rng, time_s, 0, 1, hold_s=0.8, move_s=0.9)
    aim = {
        "back_flex": 12 + 14 * low,
        "back_twist": 8 * sway(rng, time_s, 2.5),
        "neck_flex": -6 - 8 * low,
    }
    return Score(
        (
            standing(rng, time_s, knees_deg=30 + 45 * low, lean_deg=6 + 10 * low),
            arm("right", "camera at eyes"),
            arm("left", "camera at eyes"),
            aim,
        ),
        wander(rng, time_s, -35, 35, hold_s=0.4, move_s=1.2),
    )


def posing(rng: Generator, time_s: np.ndarray) -> Score:
    """A hand on the hip, the other behind the head, the hip pushed out."""
    drop = wander(rng, time_s, 0.0, 0.45, hold_s=1.0, move_s=0.6)
    turn = wander(rng, time_s, -1, 1, hold_s=1.0, move_s=0.5)
    shape = {
        "pelvis_roll": 7 + 4 * turn,
        "back_side": -12 - 5 * turn,
        "back_twist": 18 * turn,
        "neck_twist": -30 * turn,
        "left_hip_flex": np.asarray(14.0),
        "left_knee_flex": np.asarray(20.0),
    }
    return Score(
        (
            standing(rng, time_s),
            arm_between("right", "behind head", "hand on hip", drop),
            arm("left", "hand on hip"),
            shape,
        ),
        wander(rng, time_s, -40, 40, hold_s=1.0, move_s=0.6),
    )


def purchases(rng: Generator, time_s: np.ndarray) -> Score:
    """Stooping to pick things up and lifting them."""
    lift = wander(rng, time_s, 0.0, 0.7, hold_s=0.3, move_s=0.8)
    stoop = 1 - lift
    trunk = {"back_flex": 12 + 38 * stoop, "neck_flex": -12 * stoop}
    arms = [
        arm_between(side, "reaching down", "carrying", lift)
        for side in ("right", "left")
    ]
    stirring = [stirred(rng, time_s, side, 7) for side in ("right", "left")]
    return Score(
        (
            standing(rng, time_s, knees_deg=12 + 22 * stoop, lean_deg=42 * stoop),
            *arms,
            *stirring,
            trunk,
        ),
        18 * sway(rng, time_s, 3.0),
    )


def waiting(rng: Generator, time_s: np.ndarray) -> Score:
    """Standing with crossed arms, looking around and at the watch."""
    look = visits(rng, time_s, period_s=rng.uniform(3.5, 5.0), stay_s=0.6)
    head = {
        "neck_twist": wander(rng, time_s, -50, 50) * (1 - look),
        "neck_flex": 28 * look,
        "back_flex": np.asarray(5.0),
    }
    return Score(
        (
            standing(rng, time_s),
            arm("right", "crossed"),
            arm_between("left", "crossed", "watch", look),
            head,
        ),
        10 * sway(rng, time_s, 3.0),
    )
