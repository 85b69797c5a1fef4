"""A take: one person doing one action somewhere in the capture space."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.datasets.synthetic.actions import CHOREOGRAPHY
from human_pose.datasets.synthetic.angles import Angles, mirrored, total
from human_pose.datasets.synthetic.body import Body
from human_pose.datasets.synthetic.grounding import grounded
from human_pose.datasets.synthetic.kinematics import joints_from_hip
from human_pose.datasets.synthetic.postures import liveliness

# Frames per second of a take, a quarter of Human3.6M's 50.
RATE_HZ: Final = 12.5

# Motion is made this many times finer, so that feet are held where they stand.
_OVERSAMPLING: Final = 4
FINEST_HZ: Final = RATE_HZ * _OVERSAMPLING

# Takes in which the other hand leads.
_MIRRORED_SHARE: Final = 0.15

# The floor on which the middle of a take may lie, and the hip may go, from the origin.
_PLACE_MM: Final = 400.0
_SPACE_MM: Final = 1200.0


@dataclass(frozen=True)
class Take:
    """A person's motion.

    Attributes:
      angles_deg: every angle of `angles.LIMITS_DEG`, `[F]`, degrees.
      heading_rad: `[F]`, counter-clockwise seen from above; 0 faces world y.
      joints_3d_mm: `[F, 17, 3]`, world millimetres, z up, the floor at 0.
    """

    angles_deg: Angles
    heading_rad: np.ndarray
    joints_3d_mm: np.ndarray


def perform(
    action: str,
    body: Body,
    rng: np.random.Generator,
    frames: int,
    *,
    oversampling: int = _OVERSAMPLING,
) -> Take:
    """One take of an action.

    Args:
      action: one of `protocol.ACTIONS`.
      body: who does it.
      rng: source of everything that varies.
      frames: number of frames, F; at `RATE_HZ` unless another `oversampling` is given.
      oversampling: at `FINEST_HZ` one of so many frames is kept.
    """
    time_s = np.arange(frames * oversampling) / FINEST_HZ
    score = CHOREOGRAPHY[action](rng, time_s)
    layers, turning_deg = score.layers, score.turning_deg
    if rng.uniform() < _MIRRORED_SHARE:
        layers, turning_deg = tuple(map(mirrored, layers)), -turning_deg
    angles = total(len(time_s), *layers, liveliness(rng, time_s))
    heading = rng.uniform(0, 2 * np.pi) + np.deg2rad(turning_deg)
    from_hip = joints_from_hip(body, angles, heading)
    joints = grounded(from_hip, FINEST_HZ, seated=score.seated)
    kept = slice(None, None, oversampling)
    return Take(
        {name: track[kept] for name, track in angles.items()},
        heading[kept],
        _placed(joints[kept], rng),
    )


def _placed(joints_mm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moves a take about the floor, its path staying within the capture space."""
    low = joints_mm[:, 0, :2].min(axis=0)
    high = joints_mm[:, 0, :2].max(axis=0)
    room = np.clip(_SPACE_MM - (high - low) / 2, 0, _PLACE_MM)
    shift = rng.uniform(-room, room) - (low + high) / 2
    return joints_mm + np.append(shift, 0.0)
