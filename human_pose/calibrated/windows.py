"""Windows of a long recording, which is minimised a part at a time."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.calibrated import gaps
from human_pose.calibrated.energy import Unknowns
from human_pose.calibrated.work import Work

# Windows are filled up to multiples of it, so that few lengths are compiled.
_LENGTHS: Final = 64
# Frames that windows share at the least, whatever the rate.
_LEAST_OVERLAP: Final = 2


class Window(NamedTuple):
    """Frames that are minimised together.

    Attributes:
      part: all of them.
      kept: those whose results count.
      own: where these are among all.
      overlap: frames that chunks share within it.
    """

    part: slice
    kept: slice
    own: slice
    overlap: int

    def of(
        self,
        work: Work,
        joints: np.ndarray,
        turns: np.ndarray,
        whole: bool = True,
    ) -> tuple[Any, ...]:
        """What `Stages.sequence` takes, filled up to a length that is compiled.

        Args:
          work: the recording.
          joints: `[F, J, 3]`, of all its frames.
          turns: `[F, 3, 3]`, of the bodies.
          whole: with the frames before the first that shows something, and after the
            last; else they are these again, and follow nothing. Nothing holds them:
            where all frames are minimised together, steps would be as short as they
            need.
        """
        first, count = self.part.start, self.part.stop - self.part.start
        # Frames beyond the end are the last one again, and follow nothing.
        filled = np.minimum(np.arange(-(-count // _LENGTHS) * _LENGTHS), count - 1)
        follows = work.follows[self.part]
        inside = np.zeros(len(filled))
        inside[1 : count - 1] = follows[1:-1] * follows[2:]
        if not whole:
            begin, end = gaps.spans(work.shows[self.part], follows)
            number = np.arange(count)
            held = (begin <= number) & (number <= end)
            inside[1 : count - 1] *= held[:-2] & held[1:-1] & held[2:]
            near = np.where(end >= 0, np.clip(number, begin, end), number)
            filled = near[filled]
        rows = first + filled
        return (
            Unknowns(tf.constant(joints[rows]), tf.zeros([len(rows), 3], tf.float64)),
            tf.constant(turns[rows]),
            tf.constant(inside),
            work.observed(rows),
            work.body(),
            work.terms(True),
            tf.constant(self.overlap, tf.int32),
        )

    def carried_on(self, work: Work, joints: np.ndarray) -> np.ndarray:
        """Those of `kept`, of joints `[N, J, 3]` found from what is not whole."""
        part = slice(0, self.part.stop - self.part.start)
        shows, follows = work.shows[self.part], work.follows[self.part]
        return gaps.carried_on(joints[part], shows, follows, self.overlap)[self.own]


def windows(work: Work, stage: str) -> Iterator[Window]:
    """A recording's windows; tells of each once it is done."""
    settings, shared = work.lifter.config.solver, overlap(work)
    for first in range(0, len(work), settings.window):
        last = min(first + settings.window, len(work))
        low, high = max(first - shared, 0), min(last + shared, len(work))
        own = slice(first - low, last - low)
        yield Window(slice(low, high), slice(first, last), own, shared)
        work.tell(stage, last / len(work))


def overlap(work: Work) -> int:
    """Frames that windows share on each side."""
    overlap_s = work.lifter.config.solver.overlap_s
    return max(round(overlap_s * work.take.fps), _LEAST_OVERLAP)
