"""What a 2D pose detector makes of exact image points.

Independent errors per frame and view: a Gaussian for every joint, wider where limbs are
thin and fast; now and then a joint placed elsewhere; now and then the left and right
arm or leg taken for each other. The detector knows no joint 9 and leaves (0, 0) there.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.geometry.skeletons import LIFTER_17, UNDETECTED_JOINT


def _joints(side: str, *names: str) -> tuple[int, ...]:
    return tuple(LIFTER_17.index(f"{side}_{name}") for name in names)


EXTREMITIES: Final = tuple(
    joint
    for side in ("right", "left")
    for joint in _joints(side, "ankle", "elbow", "wrist")
)

# Arm and leg with their counterparts; each pair is confused as a whole.
_EXCHANGES: Final = tuple(
    (_joints("right", *limb), _joints("left", *limb))
    for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
)


@dataclass(frozen=True)
class Detector:
    """The rates and sizes of errors, near what stacked hourglasses show on Human3.6M.

    Attributes:
      deviation_px: of each coordinate.
      extremity_deviation_px: the same at ankles, elbows and wrists.
      outlier_rate: probability of a joint being placed elsewhere.
      outlier_px: smallest and largest distance of such a joint.
      exchange_rate: probability of the arms, and of the legs, being exchanged.
    """

    deviation_px: float = 4.0
    extremity_deviation_px: float = 7.0
    outlier_rate: float = 0.02
    outlier_px: tuple[float, float] = (20.0, 80.0)
    exchange_rate: float = 0.005

    def detect(self, points_px: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Detections of exact points.

        Args:
          points_px: `[..., 17, 2]`, exact image points.
          rng: source of the errors.

        Returns:
          `[..., 17, 2]`, pixels; joint 9 is (0, 0).
        """
        points = self._exchanged(points_px, rng)
        deviation = np.full(points.shape[-2], self.deviation_px)
        deviation[list(EXTREMITIES)] = self.extremity_deviation_px
        points += rng.normal(size=points.shape) * deviation[:, None]
        points += self._outliers(points.shape[:-1], rng)
        points[..., UNDETECTED_JOINT, :] = 0
        return points

    def _exchanged(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        result = points.copy()
        for right, left in _EXCHANGES:
            confused = rng.uniform(size=(*points.shape[:-2], 1, 1)) < self.exchange_rate
            there, back = list(right + left), list(left + right)
            result[..., there, :] = np.where(
                confused, points[..., back, :], points[..., there, :]
            )
        return result

    def _outliers(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        angle = rng.uniform(0, 2 * np.pi, shape)
        distance = rng.uniform(*self.outlier_px, shape)
        distance *= rng.uniform(size=shape) < self.outlier_rate
        return distance[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
