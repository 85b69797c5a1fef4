"""What is kept of the samples of a range, so that their files need not be read again.

Each range (one subject's action) has one file, `<root>/.index/<range>.npz`, with 0.4 kB
a sample: its numbers, and which state the files were in that they come from.
"""

import zipfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from absl import logging

from human_pose.datasets.images.index_range import IndexRange
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic

_FOLDER: Final = ".index"
# Of every kept file: raise it when what is kept, or a rule, changes.
_VERSION: Final = "version 6"
# Of the numbers of good samples.
ARRAYS: Final = ("box", "camera", "joints_2d_px", "joints_3d_mm", "image")


class Skipped(NamedTuple):
    """The index of a sample that breaks a rule, and the rule's message."""

    sample: int
    reason: str


class Shard(NamedTuple):
    """A range as it is kept.

    Attributes:
      indices: int64 `[N]`, of the good samples.
      arrays: `ARRAYS` of these, as in `Annotations`.
      skipped: the others; reasons name files from the root, which may be moved.
      pictures: `[M]`, bytes, names of the pictures looked at, good or bad: of all
        samples whose text files are good.
      texts_state: `file_state` of the text files, before any was read.
      pictures_state: of `pictures`, each before it was read.
    """

    indices: np.ndarray
    arrays: dict[str, np.ndarray]
    skipped: tuple[Skipped, ...]
    pictures: np.ndarray
    texts_state: str
    pictures_state: str


def shard_path(root: Path, item: IndexRange) -> Path:
    """Where a range is kept."""
    return root / _FOLDER / f"{item.name}_{item.first}_{item.last}.npz"


def read_shard(path: Path) -> Shard | None:
    """What is kept, whatever has changed since; None if nothing can be used."""
    try:
        with np.load(path) as file:
            if str(file["version"]) != _VERSION:
                return None
            skipped = zip(file["skipped_index"], file["skipped_reason"], strict=True)
            return Shard(
                file["index"],
                {name: file[name] for name in ARRAYS},
                tuple(Skipped(int(index), str(reason)) for index, reason in skipped),
                file["pictures"],
                str(file["texts_state"]),
                str(file["pictures_state"]),
            )
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None  # absent or damaged: it is made again


def write_shard(path: Path, shard: Shard) -> None:
    """Keeps a range, or warns that its folder cannot be written to."""
    arrays: dict[str, Any] = shard.arrays | {
        "version": np.array(_VERSION),
        "index": shard.indices,
        "skipped_index": np.array([s.sample for s in shard.skipped], np.int64),
        "skipped_reason": np.array([s.reason for s in shard.skipped], np.str_),
        "pictures": shard.pictures,
        "texts_state": np.array(shard.texts_state),
        "pictures_state": np.array(shard.pictures_state),
    }
    try:
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except InputError as error:  # a read-only disc is no reason to stop
        logging.warning("the index is not kept: %s", error)
