"""How far a training of the image network is."""

import math
from dataclasses import dataclass

from absl import logging


@dataclass
class Progress:
    """How far a training is.

    Attributes:
      stage: place of the running stage, from 0.
      step: batches of this stage already taken.
      total: updates of all stages so far, the step of TensorBoard.
      best_mm: the running stage's lowest error of a validation; None before the first,
        as in states of version 0.1.
    """

    stage: int = 0
    step: int = 0
    total: int = 0
    best_mm: float | None = None

    def __post_init__(self) -> None:
        counts = (self.stage, self.step, self.total)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise ValueError(f"counts must be whole numbers; received {counts}")
        if self.best_mm is not None and not math.isfinite(self.best_mm):
            raise ValueError(f"best_mm must be finite; received {self.best_mm}")

    def validated_by(self, now: int, before: int, what: str) -> None:
        """Forgets the best error, if validations are of other samples from here on.

        Args:
          now: how many samples they measure.
          before: how many they measured.
          what: the samples, for the warning.
        """
        if now == before or self.best_mm is None:
            return
        logging.warning(
            "validations are of %s %s, no longer of %s: the best error so far counts "
            "no more",
            now, what, before,
        )  # fmt: skip
        self.best_mm = None
