"""Bodies of the seven invented subjects.

Segment lengths are fractions of the stature, near the averages of Drillis & Contini
(1966) as reprinted in Winter, Biomechanics and Motor Control of Human Movement. Each
subject departs from them in legs, arms and breadth, as people do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Body:
    """Limb lengths in mm; both sides of a body are alike.

    Attributes:
      hip: hip centre to a hip joint.
      thigh: hip joint to knee.
      shank: knee to ankle.
      lower_back: hip centre to spine.
      upper_back: spine to thorax.
      neck: thorax to nose.
      head: nose to the top of the head.
      clavicle: thorax to a shoulder.
      upper_arm: shoulder to elbow.
      forearm: elbow to wrist.
    """

    hip: float
    thigh: float
    shank: float
    lower_back: float
    upper_back: float
    neck: float
    head: float
    clavicle: float
    upper_arm: float
    forearm: float

    @classmethod
    def of(cls, stature_mm: float, *, legs: float, arms: float, breadth: float) -> Body:
        """The body of a stature; the other arguments are factors around 1."""
        return cls(
            hip=0.074 * stature_mm * breadth,
            thigh=0.247 * stature_mm * legs,
            shank=0.246 * stature_mm * legs,
            lower_back=0.134 * stature_mm * (2 - legs),
            upper_back=0.145 * stature_mm * (2 - legs),
            neck=0.066 * stature_mm,
            head=0.065 * stature_mm,
            clavicle=0.084 * stature_mm * breadth,
            upper_arm=0.164 * stature_mm * arms,
            forearm=0.144 * stature_mm * arms,
        )


# Keys are subject numbers.
BODIES: Final = {
    1: Body.of(1650.0, legs=1.00, arms=0.98, breadth=0.95),
    5: Body.of(1710.0, legs=1.02, arms=0.99, breadth=0.97),
    6: Body.of(1790.0, legs=0.99, arms=1.02, breadth=1.04),
    7: Body.of(1840.0, legs=1.03, arms=1.01, breadth=1.02),
    8: Body.of(1760.0, legs=0.97, arms=1.00, breadth=1.06),
    9: Body.of(1800.0, legs=1.01, arms=1.03, breadth=1.03),
    11: Body.of(1690.0, legs=0.98, arms=0.97, breadth=0.98),
}
