"""Which sample is visited at which position of a stream: one by one, or by groups."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.source import Batch
from human_pose.datasets.order import row_at
from human_pose.files.errors import InputError
from human_pose.i1.input.stream import Stream


@dataclass(frozen=True)
class Visits:
    """What an epoch visits.

    Attributes:
      count: the number of samples of an epoch.
      at: from a position of the stream, int64 `[]`, to the sample's `row` there, int64
        `[]`, and to its `group` if there are groups.
    """

    count: int
    at: Callable[[tf.Tensor], Batch]


def visits(count: int, stream: Stream, groups: np.ndarray | None = None) -> Visits:
    """The order of a stream.

    Args:
      count: the number of samples that there are.
      stream: with its order and seed; of groups, where there are some.
      groups: int `[N, V]`, rows of samples that are visited one after the other.

    Raises:
      InputError: if `groups` are none, a row is not one of `count`, or a worker's part
        of a batch does not consist of whole groups.
    """
    row_of = partial(
        row_at, seed=stream.seed, shuffle=stream.shuffle, sampling=stream.sampling
    )
    if groups is None:
        return Visits(count, lambda position: {"row": row_of(position, count)})
    rows = _checked(groups, count)
    number, size = rows.shape
    if stream.part_size % size:
        share = f" for each of {stream.workers} workers" if stream.workers > 1 else ""
        rule = f"must be a multiple of {size}, the pictures of a group{share}"
        raise InputError("batch_size", rule, stream.batch_size)
    table = tf.constant(rows)

    def at(position: tf.Tensor) -> Batch:
        group = row_of(position // size, number)
        return {"row": table[group, position % size], "group": group}

    return Visits(rows.size, at)


def _checked(groups: np.ndarray, count: int) -> np.ndarray:
    rows = np.asarray(groups)
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "iu":
        raise InputError(
            "groups", "must be whole numbers of shape [N, V], at least one", rows.shape
        )
    outside = rows[(rows < 0) | (rows >= count)]
    if len(outside):
        rule = f"must be rows of the {count} samples, from 0"
        raise InputError("groups", rule, int(outside[0]))
    return rows.astype(np.int64)
