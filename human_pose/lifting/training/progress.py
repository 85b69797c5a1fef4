"""Where a training run stands."""

from dataclasses import dataclass


@dataclass
class Progress:
    """Where a training run stands between two batches.

    Attributes:
      epoch: number of the running epoch, from 0.
      batch: batches of this epoch already taken.
      epoch_error_mm: sum of these batches' errors.
      recent_batches: batches since the last report.
      recent_error_mm: sum of these batches' errors.
    """

    epoch: int = 0
    batch: int = 0
    epoch_error_mm: float = 0.0
    recent_batches: int = 0
    recent_error_mm: float = 0.0

    def __post_init__(self) -> None:
        counts = (self.epoch, self.batch, self.recent_batches)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise ValueError(f"counts must be whole numbers; received {counts}")

    def add_batch(self, error_mm: float) -> None:
        """Counts one more batch."""
        self.batch += 1
        self.epoch_error_mm += error_mm
        self.recent_batches += 1
        self.recent_error_mm += error_mm

    def end_epoch(self) -> None:
        """Goes to the start of the next epoch."""
        self.epoch += 1
        self.batch = 0
        self.epoch_error_mm = 0.0

    def end_report(self) -> None:
        """Starts the mean since the last report anew."""
        self.recent_batches = 0
        self.recent_error_mm = 0.0

    def is_due(self, every: int) -> bool:
        """Whether the last batch has number 0, `every`, 2 `every`, ... in its epoch."""
        return (self.batch - 1) % every == 0

    @property
    def epoch_mean_mm(self) -> float:
        """Mean error of the batches of this epoch; needs one."""
        return self.epoch_error_mm / self.batch

    @property
    def recent_mean_mm(self) -> float:
        """Mean error of the batches since the last report; needs one."""
        return self.recent_error_mm / self.recent_batches
