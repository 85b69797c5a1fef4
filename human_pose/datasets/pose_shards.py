"""Prepared sets for the lifter, read into memory: 1.9 kB a frame.

What is read is what a preparation wrote, bit for bit, so whatever is done with frames
of pose files can be done with these.
"""

import os
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from absl import logging

from human_pose.datasets.lifting_sets.schema import LIFTING_SCHEMA
from human_pose.datasets.pose_files import PoseSet, check_people
from human_pose.datasets.protocol import Part
from human_pose.datasets.shards.reading import Shards, open_shards
from human_pose.datasets.shards.records import parse_batch
from human_pose.datasets.shards.sidecar import check_content
from human_pose.datasets.shards.writing import schema_name
from human_pose.files.errors import InputError

# Records parsed together.
_BATCH: Final = 512


@dataclass(frozen=True)
class PreparedPoses:
    """One part of a prepared set, in the order of its samples' indices.

    Attributes:
      poses: the F frames.
      indices: int64 `[F]`, of the samples.
      subjects: int64 `[F]`, numbers of the people, or `lifting_sets.schema.UNKNOWN`.
      actions: int64 `[F]`, positions in `protocol.ACTIONS`, or `UNKNOWN`.
    """

    poses: PoseSet
    indices: np.ndarray
    subjects: np.ndarray
    actions: np.ndarray


def read_prepared(folder: str | os.PathLike[str], part: Part) -> PreparedPoses:
    """Reads a part of a prepared set, whose shards are compared with their checksums.

    Args:
      folder: of the shards.
      part: "train" or "test".

    Raises:
      InputError: naming the folder or file, if there are no shards of the part, one is
        missing or damaged, they hold something else, or frames that nobody can be
        (see `pose_files.check_people`).
    """
    shards = open_shards(folder, part)
    if shards.schema != schema_name(LIFTING_SCHEMA):
        raise InputError(
            f"{shards.paths[0]}: holds no frames of four views with their poses"
        )
    for path in shards.paths:
        check_content(path)
    entries = _read(shards)
    if (entries["index"] != np.sort(shards.indices)).any():
        raise InputError(f"{folder}: records of the {part} part are not as indexed")
    if left_out := sum(len(sidecar.skipped) for sidecar in shards.sidecars):
        logging.warning(
            "%s: %d samples of the %s part were left out when it was prepared",
            *(folder, left_out, part),
        )
    poses = PoseSet(
        entries["joints_2d_px"], entries["joints_3d_mm"], entries["rotations"]
    )
    check_people(folder, poses)
    return PreparedPoses(poses, entries["index"], entries["subject"], entries["action"])


def _read(shards: Shards) -> dict[str, np.ndarray]:
    """All entries of the records, in the order of indices."""
    entries = {
        name: np.empty((len(shards), *field.shape), field.dtype)
        for name, field in LIFTING_SCHEMA.items()
    }
    # Where each record goes, so that no array is there twice.
    places = np.empty(len(shards), np.int64)
    places[np.argsort(shards.indices, kind="stable")] = np.arange(len(shards))
    names = tf.constant([os.fsencode(path) for path in shards.paths])
    records = tf.data.TFRecordDataset(names).batch(_BATCH)
    parsed = records.map(lambda records: parse_batch(records, LIFTING_SCHEMA))
    start = 0
    for batch in parsed.as_numpy_iterator():
        stop = start + len(batch["index"])
        for name, values in batch.items():
            entries[name][places[start:stop]] = values
        start = stop
    return entries
