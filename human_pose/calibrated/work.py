"""A recording on its way through the lifter's stages: what is known of it so far."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from human_pose.calibrated import swaps
from human_pose.calibrated.energy import Body, Observed, Weights
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.observe import Sight
from human_pose.calibrated.stages import Stages
from human_pose.calibrated.take import Take
from human_pose.geometry.triangulation import Triangulated

Progress = Callable[[str, float], None]


class Work:
    """One recording's arrays, and the parts of them that a stage is given.

    Args:
      lifter: the model.
      stages: compiled for the recording's cameras.
      sight: the detections as they were made.
      follows: `[F]`, 1 where a frame follows the one before it in a sequence.
      take: what is known beside the detections.
      tell: told the stage and the share of it that is done, from 0 to 1.

    Attributes:
      original: the detections as they were made, with shifts taken off.
      sight: the same with exchanges undone.
      exchanges: int `[F, V]`, as of `swaps.find_swaps`; 0 is none.
      shift_px: `[V, 2]`, added to the views' detections.
      points: the triangulated detections, once there are.
    """

    points: Triangulated

    def __init__(
        self,
        lifter: CalibratedLifter,
        stages: Stages,
        sight: Sight,
        follows: np.ndarray,
        take: Take,
        tell: Progress,
    ) -> None:
        self.lifter, self.stages, self.tell = lifter, stages, tell
        self.sight, self.original = sight, sight
        self.follows, self.take = follows, take
        self.exchanges = np.zeros(sight.points_px.shape[:2], np.int64)
        self.shift_px = np.zeros((len(sight.projection), 2))
        self._projection = tf.constant(sight.projection)

    def __len__(self) -> int:
        return len(self.sight)

    @property
    def shows(self) -> np.ndarray:
        """Whether any view shows anything in a frame, bool `[F]`."""
        return np.asarray((self.sight.confidence > 0).any(axis=(1, 2)))

    @property
    def showing(self) -> np.ndarray:
        """Numbers of the views that show anything."""
        return np.flatnonzero((self.sight.confidence > 0).any(axis=(0, 2)))

    def body(self) -> Body:
        """The prior of the take's person."""
        return self.lifter.body(self.take)

    def terms(self, temporal: bool) -> Weights:
        """The weights, of frames or of a sequence."""
        return self.lifter.terms(self.take, temporal)

    def observed(
        self, part: slice | np.ndarray, sight: Sight | None = None
    ) -> Observed:
        """Some frames' detections, those of `sight` unless others are given."""
        sight = sight or self.sight
        return self.lifter.observed(
            tf.constant(sight.points_px[part]),
            tf.constant(sight.confidence[part]),
            self._projection,
            self.take,
            () if sight.whitening is None else tf.constant(sight.whitening[part]),
        )

    def triangulated(self, part: slice | np.ndarray) -> Triangulated:
        """Some frames' triangulated points."""
        return Triangulated(*(tf.constant(array[part]) for array in self.points))

    def batches(self, stage: str, count: int | None = None) -> Iterator[slice]:
        """Frames that a stage takes together, of `count` or all.

        Tells of each batch once it is done.
        """
        count = len(self) if count is None else count
        step = self.lifter.config.solver.batch
        for first in range(0, count, step):
            last = min(first + step, count)
            yield slice(first, last)
            self.tell(stage, last / count)

    def triangulate(self) -> None:
        """Triangulates the detections as they are now."""
        parts = [
            self.stages.triangulate(
                self.sight.points_px[part],
                self.sight.confidence[part],
                self._projection,
            )
            for part in self.batches("triangulating")
        ]
        columns = zip(*parts, strict=True)
        self.points = Triangulated(*(np.concatenate(column) for column in columns))

    def shift(self, shift_px: np.ndarray) -> None:
        """Moves the views' detections by `[V, 2]`, and triangulates them again."""
        self.shift_px = self.shift_px + shift_px
        self.original = _moved(self.original, shift_px)
        self.undo(self.exchanges)
        self.triangulate()

    def exchange(self, joints_mm: np.ndarray | None = None) -> bool:
        """Undoes the exchanges that are most likely now; whether these changed.

        Args:
          joints_mm: `[F, J, 3]`, that the detections are beside; None for what the
            detections themselves say of how they go on.
        """
        original = self.original
        exchanges = swaps.find_swaps(
            original.points_px,
            original.confidence > 0,
            self.follows > 0,
            self.lifter.joints,
            self.terms(True).swaps.numpy(),
            None if joints_mm is None else self._gains(joints_mm),
        )
        changed = not np.array_equal(exchanges, self.exchanges)
        self.undo(exchanges)
        return changed

    def undo(self, exchanges: np.ndarray) -> None:
        """Undoes exchanges `[F, V]` of the detections as they were made."""
        original, joints = self.original, self.lifter.joints
        self.exchanges = exchanges
        if not exchanges.any():
            self.sight = original
            return
        changed = {
            name: swaps.exchanged(values, exchanges, joints)
            for name, values in vars(original).items()
            if name != "projection" and values is not None
        }
        self.sight = dataclasses.replace(original, **changed)

    def settle(self) -> None:
        """Lets go of what joints are found from; long takes fill the memory by it."""
        self.original = self.sight
        del self.points

    def _gains(self, joints_mm: np.ndarray) -> np.ndarray:
        """What exchanges of the original detections would gain beside the joints."""
        parts = [
            self.stages.fits(
                joints_mm[part], self.observed(part, self.original), self.terms(True)
            )[2]
            for part in self.batches("swaps")
        ]
        return np.concatenate(parts)


def _moved(sight: Sight, shift_px: np.ndarray) -> Sight:
    seen = (sight.confidence > 0)[..., None]
    points = sight.points_px + np.where(seen, shift_px[:, None], 0.0)
    return dataclasses.replace(sight, points_px=points)
