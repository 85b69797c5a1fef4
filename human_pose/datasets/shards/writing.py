"""One shard, written at once or not at all, and only if it is not there already.

A temporary file beside it, fsync, rename; then the sidecar likewise. Whoever is killed
in between leaves a shard without a sidecar, which is made again with the same bytes.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.datasets.shards.records import Field, Sample, Schema, encode
from human_pose.datasets.shards.sidecar import (
    Sidecar,
    crc32_of,
    read_sidecar,
    sidecar_path,
    text_of,
)
from human_pose.files.errors import InputError, one_line
from human_pose.files.paths import atomic

# What TFDS calls this kind of file.
FORMAT: Final = "tfrecord"
# The time that a file gets is some milliseconds older than the clock's.
_CLOCKS_APART_NS: Final = 10_000_000


@dataclass(frozen=True)
class Bad:
    """A sample that cannot be used: its index, and why, in one line."""

    index: int
    reason: str


@dataclass(frozen=True)
class Good:
    """A sample: its index, and its entries."""

    index: int
    sample: Sample


def shard_name(data_set: str, part: str, number: int, shards: int) -> str:
    """A shard's file name, as TFDS has them."""
    return f"{data_set}-{part}.{FORMAT}-{number:05d}-of-{shards:05d}"


def schema_name(schema: Schema) -> str:
    """One line that tells schemas apart."""
    fields = (
        f"{name}:{_kind(field)}{list(field.shape)}"
        for name, field in sorted(schema.items())
    )
    return " ".join(fields)


def _kind(field: Field) -> str:
    return "picture" if field.picture else "text" if field.text else field.dtype


def written(
    path: str | os.PathLike[str],
    source: str,
    schema: Schema,
    indices: np.ndarray | None = None,
) -> Sidecar | None:
    """What is known of a shard, if it is there, whole, and of this source and schema.

    Args:
      path: of the shard.
      source: tells what it is made of.
      schema: of its records.
      indices: int, of the samples that it may hold, so that no other shard's file under
        its name counts; None for any.
    """
    try:
        sidecar = read_sidecar(path)
    except InputError:
        return None
    if (sidecar.source, sidecar.schema) != (source, schema_name(schema)):
        return None
    held = [*sidecar.indices, *(index for index, _ in sidecar.skipped)]
    return sidecar if indices is None or np.isin(held, indices).all() else None


def write_shard(
    path: str | os.PathLike[str],
    samples: Iterable[Good | Bad],
    schema: Schema,
    source: str,
    indices: np.ndarray | None = None,
) -> Sidecar:
    """Writes a shard, or finds that it is there.

    Args:
      path: of the shard.
      samples: in order, the good to be written, the bad to be listed; asked for only
        if they are needed.
      schema: of the good.
      source: tells what the shard is made of.
      indices: see `written`.

    Returns:
      What is known of it.

    Raises:
      InputError: naming the file, if it cannot be written (a full disk): what was there
        before stays.
    """
    path = Path(path)
    found = written(path, source, schema, indices)
    if found is not None:
        return found
    good: list[int] = []
    lengths: list[int] = []
    skipped: list[tuple[int, str]] = []
    began_ns = time.time_ns() - _CLOCKS_APART_NS
    with atomic(path) as temporary:
        with _writer(path, temporary) as writer:
            for item in samples:
                if isinstance(item, Bad):
                    skipped.append((item.index, item.reason))
                    continue
                record = encode(item.sample, schema)
                writer.write(record)
                good.append(item.index)
                lengths.append(len(record))
        _sync(temporary)
        sidecar = Sidecar(
            source,
            schema_name(schema),
            tuple(good),
            tuple(lengths),
            os.path.getsize(temporary),
            crc32_of(temporary),
            tuple(skipped),
        )
        _remove_other_sidecar(path, sidecar)
    with atomic(sidecar_path(path)) as temporary:
        temporary.write_text(text_of(sidecar), encoding="utf-8")
        # What changes from here on may have been read before: it counts as later.
        os.utime(temporary, ns=(began_ns, began_ns))
        _sync(temporary)
    return sidecar


def _remove_other_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Lets no sidecar of what was there before stand beside what comes.

    One that is equal is of another writer of this shard, an orphan of a killed run,
    that was quicker; it stays, for somebody may be counting on it.
    """
    try:
        stays = read_sidecar(path) == sidecar
    except InputError:
        stays = False
    if not stays:
        sidecar_path(path).unlink(missing_ok=True)


@contextmanager
def _writer(path: Path, temporary: Path) -> Iterator[Any]:
    """TensorFlow's writer of records, whose errors are told as those of the shard."""
    try:
        # As bytes, because a name may be no UTF-8, which TensorFlow's strings are.
        with tf.io.TFRecordWriter(os.fsencode(temporary)) as writer:
            yield writer
    except tf.errors.OpError as error:
        raise InputError(f"{path}: cannot be written: {one_line(error)}") from error


def _sync(path: Path) -> None:
    """Waits until a file is on the disk, whatever happens to the machine then."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
