"""Training frames in batches, in an order that the seed and the epoch decide."""

import zlib
from typing import Any

import numpy as np
import tensorflow as tf

from human_pose.datasets.pose_files import PoseSet

# What one batch is: the lifter's inputs, and the truth.
Batch = tuple[dict[str, Any], Any]


class FrameBatches:
    """The batches of every epoch; any of them can be had again.

    A resumed training needs no state of a shuffle buffer: the order of an epoch is a
    function of `(seed, epoch)`. A batch is `({"joints_2d_px": [N, 4, 17, 2]},
    joints_3d_mm [N, 17, 3])`; the last one of an epoch may be shorter.

    Args:
      poses: the frames.
      batch_size: frames in a batch.
      shuffle: whether each epoch has its own order; else that of `poses`.
      seed: of these orders, 0 or more.

    Attributes:
      batch_size: likewise.
    """

    def __init__(
        self, poses: PoseSet, *, batch_size: int, shuffle: bool = True, seed: int = 0
    ) -> None:
        self._joints_2d_px = poses.joints_2d_px
        self._joints_3d_mm = poses.joints_3d_mm
        self.batch_size = batch_size
        self._shuffle = shuffle
        self._seed = seed

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-self.frames // self.batch_size)

    @property
    def frames(self) -> int:
        """Frames in an epoch."""
        return len(self._joints_2d_px)

    @property
    def checksum(self) -> int:
        """CRC-32 of the frames, to recognise them when a training is resumed."""
        checksum = zlib.crc32(self._joints_2d_px.tobytes())
        return zlib.crc32(self._joints_3d_mm.tobytes(), checksum)

    def order(self, epoch: int) -> np.ndarray:
        """The frame numbers `[F]` of one epoch, in the order of training."""
        if not self._shuffle:
            return np.arange(self.frames)
        return np.random.default_rng((self._seed, epoch)).permutation(self.frames)

    def batch(self, epoch: int, index: int) -> Batch:
        """Batch number `index`, from 0, of one epoch."""
        start = index * self.batch_size
        return self._gather(self.order(epoch)[start : start + self.batch_size])

    def frame(self, number: int) -> Batch:
        """One frame as a batch of its own."""
        return self._gather(np.array([number]))

    def epoch(
        self, epoch: int, first: int = 0, *, workers: int = 1, worker: int = 0
    ) -> tf.data.Dataset:
        """The batches of one epoch, or a worker's part of each.

        Args:
          epoch: its number.
          first: number of the batch to start with.
          workers: W, who share every batch.
          worker: whose part: frames w N / W to (w + 1) N / W - 1 of a whole batch;
            of a short last one the last workers may have none.
        """
        joints_2d_px = tf.constant(self._joints_2d_px)
        joints_3d_mm = tf.constant(self._joints_3d_mm)
        size = self.batch_size // workers

        def gather(frames: tf.Tensor) -> Batch:
            frames = frames[worker * size : (worker + 1) * size]
            inputs = {"joints_2d_px": tf.gather(joints_2d_px, frames)}
            return inputs, tf.gather(joints_3d_mm, frames)

        # The frames are in memory: indices are shuffled and batched, and only then is
        # anything copied.
        indices = tf.data.Dataset.from_tensor_slices(self.order(epoch))
        return indices.batch(self.batch_size).skip(first).map(gather).prefetch(2)

    def _gather(self, frames: np.ndarray) -> Batch:
        return {"joints_2d_px": self._joints_2d_px[frames]}, self._joints_3d_mm[frames]
