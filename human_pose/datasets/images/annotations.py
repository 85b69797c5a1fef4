"""The text files of many samples, read once and kept as arrays.

Human3.6M in this layout is 19 million small files. Reading nine of them per picture and
epoch would cost more than decoding the picture, so each range of the index (one
subject's action) is read once, checked, and kept in `<root>/.index/<range>.npz`, 0.4 kB
a sample; later runs only compare the files' sizes and times with those noted there.
A folder that cannot be written to works too, but is read anew each time.
"""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from absl import logging

from human_pose import skeleton
from human_pose.datasets.images.index_range import IndexRange
from human_pose.datasets.images.layout import (
    STORED,
    TEXT_FOLDERS,
    Sample,
    read_sample,
    text_path,
)
from human_pose.files import InputError, atomic

INDEX_FOLDER: Final = ".index"
# Part of every kept file's key: raise it when what is kept, or a rule, changes.
_VERSION: Final = "version 4"
# Reading waits for the disk more than for Python.
_READERS: Final = 8

Progress = Callable[[IndexRange, int, int], None]


class Skipped(NamedTuple):
    """The index of a sample that breaks a rule, and the rule's message."""

    sample: int
    reason: str


@dataclass(frozen=True)
class Annotations:
    """N good samples, sorted by index, and those that are not.

    Attributes:
      index: int64 `[N]`.
      box: float32 `[N, 4]` x1 y1 x2 y2, px of the raw camera frame.
      camera: float32 `[N, 4]` fx fy cx cy, px.
      joints_2d_px: float32 `[N, 16, 2]`, px of the 224 px picture.
      joints_3d_mm: float32 `[N, 16, 3]`, camera frame.
      image: `[N]`, file names under `images/`, bytes.
      subject: int32 `[N]`.
      action: int32 `[N]`, positions in `index_range.ACTIONS`.
      skipped: the samples left out.
    """

    index: np.ndarray
    box: np.ndarray
    camera: np.ndarray
    joints_2d_px: np.ndarray
    joints_3d_mm: np.ndarray
    image: np.ndarray
    subject: np.ndarray
    action: np.ndarray
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        return len(self.index)


_ARRAYS: Final = ("box", "camera", "joints_2d_px", "joints_3d_mm", "image")


def read_annotations(
    root: Path,
    ranges: Sequence[IndexRange],
    indices: np.ndarray,
    *,
    trust_index: bool = False,
    progress: Progress | None = None,
) -> Annotations:
    """Reads, or takes from the kept index, the samples of some ranges.

    Args:
      root: the folder of the layout.
      ranges: which ranges to read, whole.
      indices: int64 `[N]`, those wanted of them, sorted.
      trust_index: take what is kept without looking at the files.
      progress: called after each range with it, its place from 1, and their number.
    """
    parts = []
    for place, item in enumerate(ranges, 1):
        wanted = indices[(indices >= item.first) & (indices <= item.last)]
        if len(wanted):
            parts.append(_chosen(root, _range(root, item, trust_index), item, wanted))
        if progress:
            progress(item, place, len(ranges))
    return _joined(parts)


class _Shard(NamedTuple):
    """A range as it is kept; reasons name files from the root, which may be moved."""

    indices: np.ndarray
    arrays: dict[str, np.ndarray]
    skipped: tuple[Skipped, ...]


def _range(root: Path, item: IndexRange, trust_index: bool) -> _Shard:
    path = root / INDEX_FOLDER / f"{item.name}_{item.first}_{item.last}.npz"
    kept = _read_shard(path, _VERSION) if trust_index else None
    if kept is not None:
        return kept
    # Taken before the files are read, so that a change meanwhile is noticed next time.
    key = _fingerprint(root, item)
    kept = _read_shard(path, key)
    if kept is not None:
        return kept
    if len(range(item.first, item.last)) > 1000:
        logging.info("reading the text files of %s", item.name)
    shard = _parse(root, item)
    _write_shard(path, key, shard)
    return shard


def _parse(root: Path, item: IndexRange) -> _Shard:
    def read(index: int) -> tuple[int, Sample | Skipped]:
        try:
            return index, read_sample(root, index)
        except InputError as error:
            return index, Skipped(index, str(error).removeprefix(_start(root)))

    good: list[tuple[int, Sample]] = []
    skipped: list[Skipped] = []
    with ThreadPoolExecutor(_READERS) as pool:
        for index, result in pool.map(read, range(item.first, item.last + 1)):
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                good.append((index, result))
    samples = [sample for _, sample in good]
    joints = list(skeleton.JOINTS_16_OF_32)

    def stack(rows: list[np.ndarray], *shape: int) -> np.ndarray:
        return np.array(rows, STORED).reshape(len(samples), *shape)

    return _Shard(
        np.array([index for index, _ in good], np.int64),
        {
            "box": stack([s.box for s in samples], 4),
            "camera": stack([s.camera for s in samples], 4),
            "joints_2d_px": stack([s.joints_2d_px[joints] for s in samples], 16, 2),
            "joints_3d_mm": stack([s.joints_3d_mm[joints] for s in samples], 16, 3),
            "image": np.array([os.fsencode(s.image.name) for s in samples], "S"),
        },
        tuple(skipped),
    )


def _fingerprint(root: Path, item: IndexRange) -> str:
    """Changes when a file of the range does: all their sizes and times of change.

    Pictures are taken to be called like the sample; one of another name is noticed by
    the text file that names it.
    """
    folders = [(folder, ".txt") for folder in TEXT_FOLDERS] + [("images", ".png")]
    sums = [_VERSION]
    for folder, ending in folders:
        start = os.fspath(text_path(root, folder, 0).parent) + os.sep
        stats = [
            _stat(f"{start}{index}{ending}")
            for index in range(item.first, item.last + 1)
        ]
        sums.append(f"{folder} {zlib.crc32(np.array(stats, np.int64).tobytes()):08x}")
    return "; ".join(sums)


def _stat(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _read_shard(path: Path, key: str) -> _Shard | None:
    """What is kept under a key, or one that begins so; None if there is nothing."""
    try:
        with np.load(path) as file:
            if not f"{file['key']};".startswith(f"{key};"):
                return None
            skipped = zip(file["skipped_index"], file["skipped_reason"], strict=True)
            return _Shard(
                file["index"],
                {name: file[name] for name in _ARRAYS},
                tuple(Skipped(int(index), str(reason)) for index, reason in skipped),
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None  # absent or damaged: it is made again


def _write_shard(path: Path, key: str, shard: _Shard) -> None:
    arrays: dict[str, Any] = shard.arrays | {
        "key": np.array(key),
        "index": shard.indices,
        "skipped_index": np.array([s.sample for s in shard.skipped], np.int64),
        "skipped_reason": np.array([s.reason for s in shard.skipped], np.str_),
    }
    try:
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except InputError as error:  # a read-only disc is no reason to stop
        logging.warning("the index is not kept: %s", error)


def _start(root: Path) -> str:
    """What the paths of files in the folder begin with."""
    return os.path.join(root, "")


def _chosen(
    root: Path, shard: _Shard, item: IndexRange, wanted: np.ndarray
) -> Annotations:
    rows = np.flatnonzero(np.isin(shard.indices, wanted))
    missing = set(wanted.tolist())
    return Annotations(
        shard.indices[rows],
        **{name: shard.arrays[name][rows] for name in _ARRAYS},
        subject=np.full(len(rows), item.subject, np.int32),
        action=np.full(len(rows), item.action_number, np.int32),
        skipped=tuple(
            Skipped(index, _start(root) + reason)
            for index, reason in shard.skipped
            if index in missing
        ),
    )


def _joined(parts: Sequence[Annotations]) -> Annotations:
    def all_of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    def skipped() -> Iterator[Skipped]:
        for part in parts:
            yield from part.skipped

    names = ("index", *_ARRAYS, "subject", "action")
    return Annotations(**{name: all_of(name) for name in names}, skipped=(*skipped(),))
