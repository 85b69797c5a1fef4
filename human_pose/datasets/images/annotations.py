"""The text files of many samples, read once and kept as arrays.

Human3.6M in this layout is 19 million small files. Reading nine of them per picture and
epoch would cost more than decoding the picture, so each range of the index (one
subject's action) is read once, checked and kept (`kept_index`). Later runs only compare
sizes and times of the files, pictures included, with those noted there. A folder that
cannot be written to works too, but is read anew each time.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from absl import logging

from human_pose.datasets.images.crop import WHOLE, check_shown, is_whole
from human_pose.datasets.images.file_state import (
    FileStatus,
    checksum,
    state_of,
    status_of,
)
from human_pose.datasets.images.index_range import IndexRange
from human_pose.datasets.images.kept_index import (
    ARRAYS,
    Shard,
    Skipped,
    read_shard,
    shard_path,
    write_shard,
)
from human_pose.datasets.images.layout import TEXT_FOLDERS, Sample, read_texts
from human_pose.datasets.images.picture_file import PictureFile
from human_pose.datasets.images.plausibility import (
    check_bodies,
    warn_of_leftovers,
    warn_of_misfit,
)
from human_pose.datasets.images.text_numbers import STORED
from human_pose.files.errors import InputError
from human_pose.geometry import skeletons

# Reading waits for the disk more than for Python.
_READERS: Final = 8

# How many samples there may be in the ranges for each that is in the folder. Human3.6M
# has 105 ranges, and whoever holds one of them alone may leave the others out.
_MOST_MISSING: Final = 1000
_MOST_DIGITS: Final = 7  # of an index
# What is known of stored pictures, unless all are of 224 px and whole.
_STORED: Final = ("squares", "sizes_px")

Progress = Callable[[IndexRange, int, int], None]


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
      action: int32 `[N]`, positions in `protocol.IMAGE_ACTIONS`.
      skipped: the samples left out.
      squares: float32 `[N, 4]` x1 y1 x2 y2, px of the stored pictures: what the 224 px
        ones show; None if all are stored as they are.
      sizes_px: int32 `[N, 2]`, width and height of the stored pictures, with `squares`.
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
    # None, and not the same for all: neither batches nor a set's identity know of it.
    squares: np.ndarray | None = None
    sizes_px: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.index)


def read_annotations(
    root: str | os.PathLike[str],
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

    Raises:
      InputError: if next to none of the samples is there, or a range's joints are not
        mm in the camera's frame.
    """
    root = Path(root)
    if not all(shard_path(root, item).exists() for item in ranges):
        _check_present(root, ranges)
    parts = []
    for place, item in enumerate(ranges, 1):
        wanted = indices[(indices >= item.first) & (indices <= item.last)]
        if len(wanted):
            shard = _range(root, item, trust_index)
            check_bodies(f"{root}: {item.name}", shard.arrays["joints_3d_mm"])
            parts.append(_chosen(root, shard, item, wanted))
        if progress:
            progress(item, place, len(ranges))
    found = _joined(parts)
    warn_of_misfit(root, vars(found), found.squares)
    if found.squares is not None and found.sizes_px is not None:
        warn_of_leftovers(root, found.squares, found.sizes_px)
    return found


def _check_present(root: Path, ranges: Sequence[IndexRange]) -> None:
    """Refuses ranges of samples that are not there, before each is looked for.

    A wrong digit in a range file makes ten million of them, and minutes of search.
    """
    count = sum(item.last + 1 - item.first for item in ranges)
    wanted = -(-count // _MOST_MISSING)
    folder = root / TEXT_FOLDERS[0]
    try:
        with os.scandir(folder) as entries:
            found = (entry for entry in entries if _is_of(ranges, entry.name))
            present = sum(1 for _ in islice(found, wanted))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
    if present < wanted:
        raise InputError(
            f"{root}: index_range names {count} samples, {ranges[0].first} to "
            f"{ranges[-1].last}, of which {folder.name} has {present or 'none'}"
        )


def _is_of(ranges: Sequence[IndexRange], name: str) -> bool:
    """Whether a file's name is that of a sample of sorted ranges."""
    stem = name.removesuffix(".txt")
    if not (stem.isascii() and stem.isdecimal()) or len(stem) > _MOST_DIGITS:
        return False
    place = bisect_right(ranges, int(stem), key=lambda item: item.first) - 1
    return place >= 0 and int(stem) <= ranges[place].last


def _range(root: Path, item: IndexRange, trust_index: bool) -> Shard:
    path = shard_path(root, item)
    kept = read_shard(path)
    if kept is not None and trust_index:
        return kept
    # Noted before the files are read, so that a change meanwhile is noticed next time.
    texts_state = _texts_state(root, item)
    if kept is not None and (
        kept.texts_state == texts_state
        and kept.pictures_state == state_of(root / "images", kept.pictures.tolist())
    ):
        return kept
    if len(range(item.first, item.last)) > 1000:
        logging.info("reading the text files of %s", item.name)
    shard = _parse(root, item, texts_state)
    write_shard(path, shard)
    return shard


def _texts_state(root: Path, item: IndexRange) -> str:
    names = [b"%d.txt" % index for index in range(item.first, item.last + 1)]
    return " ".join(state_of(root / folder, names) for folder in TEXT_FOLDERS)


def _parse(root: Path, item: IndexRange, texts_state: str) -> Shard:
    good: list[tuple[int, Sample]] = []
    sizes_px: list[tuple[int, int]] = []
    all_whole = True
    skipped: list[Skipped] = []
    pictures: list[_Picture] = []
    indices = range(item.first, item.last + 1)
    with ThreadPoolExecutor(_READERS) as pool:
        read = pool.map(partial(_read, root), indices)
        for index, (picture, result) in zip(indices, read, strict=True):
            if picture:
                pictures.append(picture)
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                good.append((index, result.sample))
                sizes_px.append(result.stored.size_px)
                all_whole &= is_whole(result.stored, result.sample.square)
    samples = [sample for _, sample in good]
    return Shard(
        np.array([index for index, _ in good], np.int64),
        arrays_of(samples),
        squares_of([] if all_whole else samples),
        np.array([] if all_whole else sizes_px, np.int32).reshape(-1, 2),
        tuple(skipped),
        np.array([picture.name for picture in pictures], "S"),
        texts_state,
        checksum([picture.status for picture in pictures]),
    )


class _Picture(NamedTuple):
    """A picture's name under `images/`, and its state before it was read."""

    name: bytes
    status: FileStatus


class _Good(NamedTuple):
    """A sample and its picture's file."""

    sample: Sample
    stored: PictureFile


def _read(root: Path, index: int) -> tuple[_Picture | None, _Good | Skipped]:
    """A sample, and its picture if the text files were good enough to look at it."""
    picture = None
    try:
        sample = read_texts(root, index)
        name = os.fsencode(sample.image.name)
        picture = _Picture(name, status_of(os.fsencode(sample.image)))
        stored = check_shown(sample.image, sample.square)
    except InputError as error:
        return picture, Skipped(index, str(error).removeprefix(_start(root)))
    return picture, _Good(sample, stored)


def arrays_of(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """`ARRAYS` of samples, by name."""
    joints = list(skeletons.JOINTS_16_OF_32)

    def stack(rows: list[np.ndarray], *shape: int) -> np.ndarray:
        return np.array(rows, STORED).reshape(len(samples), *shape)

    return {
        "box": stack([s.box for s in samples], 4),
        "camera": stack([s.camera for s in samples], 4),
        "joints_2d_px": stack([s.joints_2d_px[joints] for s in samples], 16, 2),
        "joints_3d_mm": stack([s.joints_3d_mm[joints] for s in samples], 16, 3),
        "image": np.array([os.fsencode(s.image.name) for s in samples], "S"),
    }


def squares_of(samples: Sequence[Sample]) -> np.ndarray:
    """What of the stored pictures is shown: float32 `[N, 4]`."""
    return np.array([s.square for s in samples], STORED).reshape(len(samples), 4)


def _start(root: Path) -> str:
    """What the paths of files in the folder begin with."""
    return os.path.join(root, "")


def _chosen(
    root: Path, shard: Shard, item: IndexRange, wanted: np.ndarray
) -> Annotations:
    rows = np.flatnonzero(np.isin(shard.indices, wanted))
    all_whole = not len(shard.squares)
    missing = set(wanted.tolist())
    return Annotations(
        shard.indices[rows],
        **{name: shard.arrays[name][rows] for name in ARRAYS},
        subject=np.full(len(rows), item.subject, np.int32),
        action=np.full(len(rows), item.action_number, np.int32),
        skipped=tuple(
            Skipped(index, _start(root) + reason)
            for index, reason in shard.skipped
            if index in missing
        ),
        **({} if all_whole else {name: getattr(shard, name)[rows] for name in _STORED}),
    )


def _joined(parts: Sequence[Annotations]) -> Annotations:
    def all_of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    def skipped() -> Iterator[Skipped]:
        for part in parts:
            yield from part.skipped

    names = ("index", *ARRAYS, "subject", "action")
    return Annotations(
        **{name: all_of(name) for name in names},
        skipped=(*skipped(),),
        **_joined_stored(parts),
    )


def _joined_stored(parts: Sequence[Annotations]) -> dict[str, np.ndarray]:
    if all(part.squares is None for part in parts):
        return {}

    def all_of(name: str, of_whole: np.ndarray) -> np.ndarray:
        found = ((getattr(part, name), len(part)) for part in parts)
        return np.concatenate(
            [np.tile(of_whole, (n, 1)) if a is None else a for a, n in found]
        )

    whole = np.array(WHOLE, STORED), np.array(WHOLE[2:], np.int32)
    return {
        name: all_of(name, value) for name, value in zip(_STORED, whole, strict=True)
    }
