"""What a stream of batches is asked for: one value, checked when it is made."""

from dataclasses import dataclass
from typing import Any

from human_pose.datasets.sampling import SAMPLINGS, SEEDS, Sampling
from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError
from human_pose.i1.config import AUGMENTS, CROP_SIZE_PX, Augment


@dataclass(frozen=True)
class Stream:
    """Which batches for the network; equal streams are equal on any machine.

    Attributes:
      batch_size: B, of all workers together.
      augment: "published" scales, rotates and flips as the original does; "modern"
        scales and rotates less (`placement.MODERN`), in one bilinear pass, changes
        colours too, and exchanges left and right depths of mirrored people; "mild"
        does so still less and mirrors nobody (`placement.MILD`); None is the
        original's test transform, u256 = u224 / 1.12 + 28.5. Pictures of an endless
        "modern" or "mild" stream are kept in memory if they need less than 1 GiB.
      shuffle: random order.
      seed: of order and augmentation, 0 to 2^30 - 1.
      epoch: where to start: after that many passes over the samples.
      start_step: where to start: after that many further batches.
      input_size: S, a divisor of 256; smaller inputs are means over the crop.
      repeat: never end. Otherwise the stream ends with the epoch, and its last batch
        may be short.
      skip_bad: leave out the samples that break a rule, listed in `skipped`.
      sampling: with `shuffle`, "epochs" visits each sample once an epoch, "replacement"
        draws anew each time, as the original does.
      workers: W processes that share each batch, B / W samples each.
      worker: this one, w of 0 to W - 1. It has the samples w B / W to (w + 1) B / W - 1
        of each batch, and nothing of the others is read or decoded: the parts of all
        workers in order are the batch of one. Of a short last batch it has those of
        them that are there; where there are none, a batch of no samples, so that all
        workers have equally many batches.

    Raises:
      InputError: naming the argument that is out of range, and the rule.
    """

    batch_size: int
    augment: Augment | None = None
    shuffle: bool = False
    seed: int = 0
    epoch: int = 0
    start_step: int = 0
    input_size: int = CROP_SIZE_PX
    repeat: bool = False
    skip_bad: bool = False
    sampling: Sampling = "epochs"
    workers: int = 1
    worker: int = 0

    def __post_init__(self) -> None:
        check_whole("batch_size", self.batch_size, 1)
        check_whole("seed", self.seed, 0)
        check_whole("epoch", self.epoch, 0)
        check_whole("start_step", self.start_step, 0)
        check_whole("input_size", self.input_size, 1)
        check_whole("workers", self.workers, 1)
        check_whole("worker", self.worker, 0)
        rules: tuple[tuple[str, Any, bool, str], ...] = (
            (
                "augment",
                self.augment,
                self.augment in (*AUGMENTS, None),
                f"{', '.join(AUGMENTS)} or None",
            ),
            (
                "sampling",
                self.sampling,
                self.sampling in SAMPLINGS,
                "epochs or replacement",
            ),
            ("seed", self.seed, self.seed < SEEDS, "in [0, 2^30)"),
            (
                "input_size",
                self.input_size,
                CROP_SIZE_PX % self.input_size == 0,
                "a divisor of 256",
            ),
            (
                "worker",
                self.worker,
                self.worker < self.workers,
                f"less than `workers`, which is {self.workers}",
            ),
            (
                "batch_size",
                self.batch_size,
                self.batch_size % self.workers == 0,
                f"a multiple of `workers`, which is {self.workers}",
            ),
        )
        for name, value, holds, rule in rules:
            if not holds:
                raise InputError(name, f"must be {rule}", value)

    @property
    def part_size(self) -> int:
        """This worker's samples of a whole batch, B / W."""
        return self.batch_size // self.workers

    @property
    def part_start(self) -> int:
        """The place in a batch of the first of them."""
        return self.worker * self.part_size

    def span(self, count: int) -> tuple[int, int | None]:
        """The positions of the first sample and behind the last, which may be none.

        Args:
          count: the number of samples in an epoch.
        """
        start = self.epoch * count + self.start_step * self.batch_size
        end = None if self.repeat else max((self.epoch + 1) * count, start)
        return start, end

    def last_part_size(self, count: int) -> int | None:
        """This worker's samples of a short last batch, or None if no batch is short.

        Args:
          count: the number of samples in an epoch.
        """
        start, end = self.span(count)
        short = 0 if end is None else (end - start) % self.batch_size
        if not short:
            return None
        return min(max(short - self.part_start, 0), self.part_size)
