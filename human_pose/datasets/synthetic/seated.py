"""Actions on a chair, and the way down to the floor."""

import numpy as np

from human_pose.datasets.synthetic.angles import blend
from human_pose.datasets.synthetic.postures import (
    arm,
    arm_between,
    legs_crossed,
    on_the_floor,
    sitting,
    squatting,
    standing,
)
from human_pose.datasets.synthetic.score import Generator, Score
from human_pose.datasets.synthetic.tracks import ease, sway, visits, wander


def eating(rng: Generator, time_s: np.ndarray) -> Score:
    """Sitting at a table, leaning over it, a hand going to the mouth."""
    bite = visits(rng, time_s, period_s=rng.uniform(1.9, 2.6), stay_s=0.3, move_s=0.55)
    lean = rng.uniform(8, 14)
    trunk = {
        "back_flex": 26 - 6 * bite + 2 * sway(rng, time_s, 2.0),
        "neck_flex": 20 - 12 * bite,
    }
    return Score(
        (
            sitting(rng, time_s, lean_deg=lean),
            arm_between("right", "on table", "mouth", bite),
            arm("left", "on table"),
            trunk,
        ),
        4 * sway(rng, time_s, 4.0),
        seated=True,
    )


def sitting_still(rng: Generator, time_s: np.ndarray) -> Score:
    """Upright on a chair, the hands in the lap, looking around."""
    lean = rng.uniform(-8, 2)
    trunk = {
        "back_flex": 8 + 3 * sway(rng, time_s, 3.0),
        "back_twist": 6 * sway(rng, time_s, 4.0),
        "neck_twist": wander(rng, time_s, -45, 45),
    }
    hands = [
        arm_between(side, "on thigh", "on knee", wander(rng, time_s, 0, 0.8))
        for side in ("right", "left")
    ]
    return Score(
        (sitting(rng, time_s, lean_deg=lean), *hands, trunk),
        6 * sway(rng, time_s, 4.0),
        seated=True,
    )


def sitting_down(rng: Generator, time_s: np.ndarray) -> Score:
    """From standing to sitting on the floor, leaning on a hand behind."""
    start = rng.uniform(-1.6, 0.1)
    bending = ease((time_s - start) / 1.0)
    seated = ease((time_s - start - 0.7) / 1.0)
    down = blend(standing(rng, time_s), squatting(), bending)
    legs = blend(down, on_the_floor(rng, time_s), seated)
    head = {"neck_twist": wander(rng, time_s, -35, 35)}
    return Score(
        (
            legs,
            arm_between("right", "hanging", "support behind", seated),
            arm_between("left", "hanging", "on knee", seated),
            head,
        ),
        20 * seated,
    )


def smoking(rng: Generator, time_s: np.ndarray) -> Score:
    """Leaning back on a chair, legs crossed, a cigarette going to the mouth."""
    puff = visits(rng, time_s, period_s=rng.uniform(2.6, 3.4), stay_s=0.5)
    lean = rng.uniform(-18, -12)
    trunk = {
        "back_flex": np.asarray(4.0),
        "neck_flex": -6 - 8 * puff,
        "neck_twist": 10 * sway(rng, time_s, 3.0),
    }
    return Score(
        (
            sitting(rng, time_s, lean_deg=lean),
            legs_crossed(rng, time_s),
            arm_between("right", "open gesture", "mouth", puff),
            arm("left", "on thigh"),
            trunk,
        ),
        5 * sway(rng, time_s, 4.0),
        seated=True,
    )
