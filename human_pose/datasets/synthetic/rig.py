"""Four cameras at the corners of a room, like Human3.6M's.

Between subjects the cameras are knocked and set up anew, so each has its own, some
degrees off the average that the lifter starts from.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.geometry.cameras import Camera, look_at

# Corner signs in the order of `skeletons.VIEW_NAMES`: the first two views see the
# person from one long side of the room, the last two from the other.
_CORNERS: Final = ((1, 1), (1, -1), (-1, 1), (-1, -1))
CAMERAS: Final = len(_CORNERS)


@dataclass(frozen=True)
class Rig:
    """How cameras are placed; numbers of our own in the range of Human3.6M's room.

    Attributes:
      distance_mm: from the origin to each camera, seen from above.
      azimuth_deg: of the corners, from the room's short axis x.
      height_mm: of the cameras.
      target_height_mm: what the optical axes aim at, above the origin.
      focal_px: focal length.
      centre_px: principal point, both axes.
      position_deviation_mm: a camera's shift from its corner, per axis.
      target_deviation_mm: a camera's aim off the target, per axis.
      roll_deviation_deg: a camera's tilt about its axis.
      focal_deviation_px: differences between lenses.
      centre_deviation_px: differences between principal points.
    """

    distance_mm: float = 4900.0
    azimuth_deg: float = 66.0
    height_mm: float = 1600.0
    target_height_mm: float = 900.0
    focal_px: float = 1146.0
    centre_px: float = 512.0
    position_deviation_mm: float = 100.0
    target_deviation_mm: float = 90.0
    roll_deviation_deg: float = 1.0
    focal_deviation_px: float = 2.0
    centre_deviation_px: float = 4.0


def cameras(rng: np.random.Generator, rig: Rig | None = None) -> tuple[Camera, ...]:
    """One subject's four cameras."""
    rig = rig or Rig()
    return tuple(_camera(rng, rig, corner) for corner in _CORNERS)


def _camera(rng: np.random.Generator, rig: Rig, corner: tuple[int, int]) -> Camera:
    azimuth = np.deg2rad(rig.azimuth_deg)
    plan = rig.distance_mm * np.array([np.cos(azimuth), np.sin(azimuth)]) * corner
    return look_at(
        np.append(plan, rig.height_mm) + rng.normal(0, rig.position_deviation_mm, 3),
        np.array([0, 0, rig.target_height_mm])
        + rng.normal(0, rig.target_deviation_mm, 3),
        focal_px=rig.focal_px + rng.normal(0, rig.focal_deviation_px, 2),
        centre_px=rig.centre_px + rng.normal(0, rig.centre_deviation_px, 2),
        roll_rad=np.deg2rad(rng.normal(0, rig.roll_deviation_deg)),
    )
