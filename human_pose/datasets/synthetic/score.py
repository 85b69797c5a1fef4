"""What a person does during a take, before body and place are known."""

from dataclasses import dataclass

import numpy as np

from human_pose.datasets.synthetic.angles import Angles

Generator = np.random.Generator


@dataclass(frozen=True)
class Score:
    """The layers of an action, and how the person turns.

    Attributes:
      layers: joint angles to be summed.
      turning_deg: `[F]`, change of heading, counter-clockwise seen from above.
      seated: on a chair throughout.
    """

    layers: tuple[Angles, ...]
    turning_deg: np.ndarray
    seated: bool = False
