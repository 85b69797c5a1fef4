"""What is kept of the samples of a range, so that their files need not be read again.

Each range (one subject's action) has one file, `<root>/.index/<range>.npz`, with 0.4 kB
a sample: its numbers, and which state the files were in that they come from.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from absl import logging

from human_pose.datasets.images.index_range import IndexRange
from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.npz import read_npz, write_npz
from human_pose.geometry.skeletons import JOINT_NAMES_16

_FOLDER: Final = ".index"
# Of every kept file: raise it when what is kept, or a rule, changes.
_VERSION: Final = "version 8"
# Of the numbers of good samples.
NUMBERS: Final = ("box", "camera", "joints_2d_px", "joints_3d_mm")
ARRAYS: Final = (*NUMBERS, "image")

_JOINTS: Final = len(JOINT_NAMES_16)
# N good samples, K skipped ones, M pictures; squares of all good samples, or none.
_SHAPES: Final[Mapping[str, Shape]] = {
    "index": ("N",),
    "box": ("N", 4),
    "camera": ("N", 4),
    "joints_2d_px": ("N", _JOINTS, 2),
    "joints_3d_mm": ("N", _JOINTS, 3),
    "squares": ("S", 4),
    "sizes_px": ("S", 2),
    "skipped_index": ("K",),
}
_TEXTS: Final[Mapping[str, Shape]] = {
    "image": ("N",),
    "skipped_reason": ("K",),
    "pictures": ("M",),
    **dict.fromkeys(("version", "texts_state", "pictures_state"), ()),
}


class Skipped(NamedTuple):
    """The index of a sample that breaks a rule, and the rule's message."""

    sample: int
    reason: str


class Shard(NamedTuple):
    """A range as it is kept.

    Attributes:
      indices: int64 `[N]`, of the good samples.
      arrays: `ARRAYS` of these, as in `Annotations`.
      squares: float32 `[N, 4]`, of these, px of the stored pictures; `[0, 4]` if all
        are of 224 px and whole, as most sets are.
      sizes_px: int32 `[N, 2]`, width and height of the stored pictures of `squares`;
        or `[0, 2]`.
      skipped: the others; reasons name files from the root, which may be moved.
      pictures: `[M]`, bytes, names of the pictures looked at, good or bad: of all
        samples whose text files are good.
      texts_state: `file_state` of the text files, before any was read.
      pictures_state: of `pictures`, each before it was read.
    """

    indices: np.ndarray
    arrays: dict[str, np.ndarray]
    squares: np.ndarray
    sizes_px: np.ndarray
    skipped: tuple[Skipped, ...]
    pictures: np.ndarray
    texts_state: str
    pictures_state: str


def shard_path(root: str | os.PathLike[str], item: IndexRange) -> Path:
    """Where a range is kept."""
    return Path(root) / _FOLDER / f"{item.name}_{item.first}_{item.last}.npz"


def read_shard(path: str | os.PathLike[str]) -> Shard | None:
    """What is kept, whatever has changed since; None if nothing can be used."""
    try:
        kept = read_npz(path, _SHAPES, _TEXTS)
    except InputError:
        return None  # absent or damaged: it is made again
    if str(kept["version"]) != _VERSION or not _is_sound(kept):
        return None
    skipped = zip(kept["skipped_index"], kept["skipped_reason"], strict=True)
    return Shard(
        kept["index"],
        {name: kept[name] for name in ARRAYS},
        kept["squares"],
        kept["sizes_px"],
        tuple(Skipped(int(index), str(reason)) for index, reason in skipped),
        kept["pictures"],
        str(kept["texts_state"]),
        str(kept["pictures_state"]),
    )


def _is_sound(kept: Mapping[str, np.ndarray]) -> bool:
    """Whether types and order are those that `write_shard` gives."""
    names = (
        "image", "pictures", *NUMBERS, "squares", "sizes_px", "index", "skipped_index"
    )  # fmt: skip
    kinds = [kept[name].dtype.kind for name in names]
    ordered = all((np.diff(kept[name]) > 0).all() for name in names[-2:])
    of_all_or_none = len(kept["squares"]) in (0, len(kept["index"]))
    return "".join(kinds) == "SSfffffiii" and ordered and of_all_or_none


def write_shard(path: str | os.PathLike[str], shard: Shard) -> None:
    """Keeps a range, or warns that its folder cannot be written to."""
    arrays: dict[str, Any] = shard.arrays | {
        "version": np.array(_VERSION),
        "index": shard.indices,
        "squares": shard.squares,
        "sizes_px": shard.sizes_px,
        "skipped_index": np.array([s.sample for s in shard.skipped], np.int64),
        "skipped_reason": np.array([s.reason for s in shard.skipped], np.str_),
        "pictures": shard.pictures,
        "texts_state": np.array(shard.texts_state),
        "pictures_state": np.array(shard.pictures_state),
    }
    try:
        write_npz(path, arrays)
    except InputError as error:  # a read-only disc is no reason to stop
        logging.warning("the index is not kept: %s", error)
