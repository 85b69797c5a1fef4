"""Moments in memory: thousands of updates need each picture decoded once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from human_pose.i1.input import Stream
from human_pose.pipeline.batches import open_moments

VIEWS = (0, 1, 2, 3)
# Of each picture, and of each moment.
_OF_PICTURES = ("image", "box", "camera", "joints_2d", "depth", "z_mm")
_OF_MOMENTS = ("joints_world_mm", "moment")
_AT_ONCE = 32


class Moments:
    """All moments of a part of a set, `[N, V, ...]` and `[N, ...]`.

    Args:
      folder: of the pictures.
      part: "train" or "test".
      input_size: of the network.
      most: moments at even distances; None for all.
    """

    def __init__(
        self, folder: Path, part: str, input_size: int, most: int | None = None
    ) -> None:
        data = open_moments(folder, "corrected", part, VIEWS)
        data = data if most is None else data.some(most)
        parts: dict[str, list[np.ndarray]] = {}
        for batch in data.batches(Stream(_AT_ONCE, input_size=input_size)):
            for name in (*_OF_PICTURES, *_OF_MOMENTS, "projection"):
                value = batch[name].numpy()
                if name in _OF_PICTURES:
                    value = value.reshape(-1, len(VIEWS), *value.shape[1:])
                parts.setdefault(name, []).append(value)
        self.arrays = {name: np.concatenate(some) for name, some in parts.items()}
        # A stream keeps a short last batch.
        self.subject = data.moments.subject

    def __len__(self) -> int:
        return len(self.subject)

    def of(self, subjects: tuple[int, ...]) -> "Moments":
        """Those of some subjects."""
        chosen = object.__new__(Moments)
        rows = np.isin(self.subject, subjects)
        chosen.subject = self.subject[rows]
        chosen.arrays = {name: array[rows] for name, array in self.arrays.items()}
        return chosen

    def batch(self, rows: np.ndarray, views: tuple[int, ...]) -> dict[str, Any]:
        """A batch as `MomentSet.batches` gives it."""
        chosen = list(views)
        result = {}
        for name, array in self.arrays.items():
            value = array[rows]
            if name in _OF_PICTURES:
                value = value[:, chosen]
                value = value.reshape(-1, *value.shape[2:])
            elif name == "projection":
                value = value[:, chosen]
            result[name] = tf.constant(value)
        return result

    def shuffled(
        self, batch_size: int, views: tuple[int, ...], seed: int
    ) -> Iterator[dict[str, Any]]:
        """Batches without end, each epoch in an order of its own."""
        rng = np.random.default_rng(seed)
        while True:
            order = rng.permutation(len(self))
            for first in range(0, len(order) - batch_size + 1, batch_size):
                yield self.batch(order[first : first + batch_size], views)

    def in_order(
        self, batch_size: int, views: tuple[int, ...]
    ) -> Iterator[dict[str, Any]]:
        """All once; a last batch that is short is left out."""
        for first in range(0, len(self) - batch_size + 1, batch_size):
            yield self.batch(np.arange(first, first + batch_size), views)
