"""What a skeleton is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Skeleton:
    """What drawing a pose needs.

    Attributes:
      joints: their number.
      limbs: pairs of joints.
      left: joints of the left side.
      right: joints of the right side.
    """

    joints: int
    limbs: tuple[tuple[int, int], ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
