"""Any record of a set in shards by its place, in a graph of TensorFlow alone.

Nothing of the records is kept in memory but their numbers, lengths and where each
begins: 36 bytes a sample, and 20 more in each stream. A record is found by TensorFlow's
own reader, which compares its checksum.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from human_pose.datasets.shards.sidecar import (
    RECORD_FRAME_BYTES,
    Sidecar,
    read_sidecar,
    sidecar_path,
)
from human_pose.datasets.shards.writing import FORMAT
from human_pose.files.errors import InputError


@dataclass(frozen=True)
class Shards:
    """The shards of one part of a set, in order.

    Attributes:
      paths: of the shards.
      sidecars: of each.
    """

    paths: tuple[Path, ...]
    sidecars: tuple[Sidecar, ...]

    def __len__(self) -> int:
        """Samples in all shards."""
        return len(self.indices)

    @cached_property
    def indices(self) -> np.ndarray:
        """Of the samples, int64 `[N]`, in the order of shards and records."""
        return self._joined(lambda sidecar: sidecar.indices)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Where each record begins in its file, int64 `[N]`."""
        return self._joined(lambda sidecar: sidecar.offsets)

    @property
    def lengths(self) -> np.ndarray:
        """Of the records' contents, bytes, int64 `[N]`."""
        return self._joined(lambda sidecar: sidecar.lengths)

    @cached_property
    def files(self) -> np.ndarray:
        """The place of each record's file in `paths`, int32 `[N]`."""
        counts = [len(sidecar) for sidecar in self.sidecars]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)

    @property
    def schema(self) -> str:
        """What the records hold (`writing.schema_name`)."""
        return self.sidecars[0].schema

    @property
    def identity(self) -> str:
        """Tells sets apart by the content of all shards."""
        return " ".join(sidecar.crc32 for sidecar in self.sidecars)

    def _joined(self, column: Callable[[Sidecar], Any]) -> np.ndarray:
        """A number of each record, shard by shard."""
        parts = [np.array(column(sidecar), np.int64) for sidecar in self.sidecars]
        return np.concatenate([np.zeros(0, np.int64), *parts])


def open_shards(folder: str | os.PathLike[str], part: str) -> Shards:
    """The shards of a part, all of which must be there.

    Args:
      folder: that they lie in.
      part: "train" or "test".

    Raises:
      InputError: naming the folder or file, if there are none, one is missing, cut off
        or not finished, or they do not belong together, or not with the other parts.
    """
    folder = Path(folder)
    paths = sorted(folder.glob(f"*-{part}.{FORMAT}-*-of-*[0-9]"))
    if not paths:
        raise InputError(f"{folder}: holds no shards of the {part} part")
    starts = {path.name.rsplit("-", 3)[0] for path in paths}
    totals = {path.name.rsplit("-", 1)[1] for path in paths}
    if len(starts) > 1 or len(totals) > 1:
        raise InputError(
            f"{folder}: holds shards of several sets, {paths[0].name} and "
            f"{paths[-1].name}; each needs a folder of its own"
        )
    total = int(totals.pop())
    if len(paths) != total:
        present = {path.name.rsplit("-", 3)[1] for path in paths}
        missing = next(n for n in range(total) if f"{n:05d}" not in present)
        raise InputError(
            f"{folder}: must hold {total} shards of the {part} part; it has "
            f"{len(paths)}, without number {missing}: the preparation is not finished"
        )
    if not any(sidecar_path(path).exists() for path in paths):
        raise InputError(
            f"{folder}: holds shards alone, as TFDS builds them; `human-pose-prepare` "
            "makes those that can be trained on, with a file beside each"
        )
    shards = Shards(tuple(paths), tuple(map(read_sidecar, paths)))
    _check_alike(shards)
    _check_other_parts(folder, shards)
    return shards


def record_reader(
    shards: Shards, rows: Sequence[int] | np.ndarray | None = None
) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function of a graph from a place to the record there.

    Args:
      shards: to read from.
      rows: int `[R]`, which of their samples there are; default: all, in order.

    Returns:
      A function from int64 `[]`, in [0, R), to string `[]`.
    """
    chosen = np.arange(len(shards)) if rows is None else np.asarray(rows)
    # Captured as tensors, not as constants of the graph, which may not exceed 2 GB.
    names = tf.constant([os.fsencode(path) for path in shards.paths])
    files = tf.constant(shards.files[chosen])
    offsets = tf.constant(shards.offsets[chosen])
    sizes = tf.constant(shards.lengths[chosen] + RECORD_FRAME_BYTES)

    def read(place: tf.Tensor) -> tf.Tensor:
        # TensorFlow's public data sets begin at the start of a file.
        records = tf.raw_ops.TFRecordDatasetV2(
            filenames=[tf.gather(names, tf.gather(files, place))],
            compression_type="",
            buffer_size=tf.gather(sizes, place),
            byte_offsets=[tf.gather(offsets, place)],
        )
        one = {"output_types": [tf.string], "output_shapes": [[]]}
        first = tf.raw_ops.TakeDataset(
            input_dataset=records, count=tf.constant(1, tf.int64), **one
        )
        return tf.raw_ops.DatasetToSingleElement(dataset=first, **one)[0]

    return read


def _check_alike(shards: Shards) -> None:
    """Refuses shards of several preparations, and one in place of another."""
    for path, sidecar in zip(shards.paths, shards.sidecars, strict=True):
        _check_one(path, sidecar, shards)
    indices = np.sort(shards.indices)  # nearly sorted already: some milliseconds
    if (twice := indices[1:][np.diff(indices) == 0]).size:
        raise InputError(
            f"{shards.paths[0].parent}: holds the sample {twice[0]} twice, because a "
            "shard was copied to another's name: prepare the data set again, which "
            "makes it anew"
        )


def _check_other_parts(folder: Path, shards: Shards) -> None:
    """Refuses a part beside one of another preparation.

    One that is made anew because files of its source have changed, and is killed on its
    way, leaves a part of before and one of after. The last shard of each tells.
    """
    lasts = {
        path.name.rsplit("-", 3)[0]: path
        for path in sorted(folder.glob(f"[!.]*.{FORMAT}-*-of-*[0-9]"))
    }
    for path in lasts.values():
        try:
            sidecar = read_sidecar(path)
        except InputError:
            continue  # whoever reads that part is told
        _check_one(path, sidecar, shards)


def _check_one(path: Path, sidecar: Sidecar, shards: Shards) -> None:
    """Refuses a shard of another source or schema than the first of some."""
    first = shards.sidecars[0]
    if (sidecar.source, sidecar.schema) != (first.source, first.schema):
        raise InputError(
            f"{path}: is of another preparation than {shards.paths[0].name}; finish "
            "the one, or choose another folder"
        )
