"""Which sample indices belong to which subject and action, and how they are split.

`index_range/S1_Directions_range.txt` holds the first and last index (inclusive) of one
subject's frames of one action, whatever the camera. Human3.6M in this layout has 105
such files for the indices 0 to 2108570, subjects in the order 1, 5, 6, 7, 8, 9, 11.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.images.text_numbers import read_numbers
from human_pose.datasets.protocol import (
    IMAGE_ACTIONS,
    PARTS,
    SPLITS,
    TEST_SUBJECTS,
    TRAIN_SUBJECTS,
    Part,
    Split,
)
from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError

# Human3.6M has two million samples of ten files each. A larger index is a mistake, and
# arrays of all indices up to it might not fit into memory.
_MAX_INDEX: Final = 9_999_999

_FILE_NAME: Final = re.compile(r"S(\d+)_([A-Za-z]+)_range\.txt")


@dataclass(frozen=True)
class PublishedSplit:
    """The literal numbers of the original's files and README.

    Attributes:
      last_train: a digit swap of 1559751: the last 180 frames of S8, a training
        subject, count as test frames.
      last: the last index of the whole set, by which the set is recognised.
    """

    last_train: int = 1_559_571
    last: int = 2_108_570


@dataclass(frozen=True)
class IndexRange:
    """The samples `first` to `last`, inclusive, of one subject's action."""

    subject: int
    action: str
    first: int
    last: int

    @property
    def name(self) -> str:
        """As in the file's name: `S1_Directions`."""
        return f"S{self.subject}_{self.action}"

    @property
    def action_number(self) -> int:
        """The position in `IMAGE_ACTIONS`."""
        return IMAGE_ACTIONS.index(self.action)


def read_ranges(folder: str | os.PathLike[str]) -> tuple[IndexRange, ...]:
    """Reads every range file of a folder.

    Args:
      folder: `<root>/index_range`.

    Returns:
      The ranges by first index.

    Raises:
      InputError: naming the file and the rule: no range file, an unknown action or
        subject, not two whole numbers in order, an index that no set reaches, or ranges
        that overlap.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; it must hold files like S1_Directions_range.txt"
        )
    ranges = sorted(
        (_read_range(path) for path in folder.glob("*_range.txt")),
        key=lambda item: item.first,
    )
    if not ranges:
        raise InputError(f"{folder}: must hold files like S1_Directions_range.txt")
    for one, other in pairwise(ranges):
        if other.first <= one.last:
            raise InputError(
                f"{folder}: ranges must not overlap; {one.name} ends at {one.last}, "
                f"{other.name} begins at {other.first}"
            )
    return tuple(ranges)


def split_ranges(
    ranges: Sequence[IndexRange], split: Split, part: Part
) -> tuple[IndexRange, ...]:
    """The ranges, cut where the split says so, of the training or the test part.

    "corrected" goes by subject: S1, 5, 6, 7, 8 train, S9 and S11 test. "published" goes
    by the original's literal indices (`PublishedSplit`), which have a meaning for the
    whole set only.

    Raises:
      InputError: for an unknown split or part, "published" on another set, or a part
        with no samples.
    """
    for name, value, known in (("split", split, SPLITS), ("part", part, PARTS)):
        if value not in known:
            raise InputError(name, f"must be one of {', '.join(known)}", value)
    if split == "published":
        chosen = _cut(ranges, part)
    else:
        subjects = TRAIN_SUBJECTS if part == "train" else TEST_SUBJECTS
        chosen = tuple(item for item in ranges if item.subject in subjects)
    if not chosen:
        raise InputError(f"index_range: the {split} split has no {part} samples here")
    return chosen


def indices_of(ranges: Iterable[IndexRange], every: int = 1) -> np.ndarray:
    """All indices of the ranges that are multiples of `every`, int64 `[N]`.

    The original's `train_index.txt` is `every=5`.
    """
    check_whole("every", every, 1)
    parts = [np.arange(-(-r.first // every) * every, r.last + 1, every) for r in ranges]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _cut(ranges: Sequence[IndexRange], part: Part) -> tuple[IndexRange, ...]:
    published = PublishedSplit()
    last = max(item.last for item in ranges)
    if last != published.last:
        raise InputError(
            "split",
            "must be corrected here: published is two literal index ranges of the "
            f"whole set, whose last index is {published.last}; here it is {last}",
        )
    first, last = (
        (0, published.last_train)
        if part == "train"
        else (published.last_train + 1, published.last)
    )
    clipped = (
        IndexRange(r.subject, r.action, max(r.first, first), min(r.last, last))
        for r in ranges
    )
    return tuple(item for item in clipped if item.first <= item.last)


def _read_range(path: Path) -> IndexRange:
    match = _FILE_NAME.fullmatch(path.name)
    if not match:
        raise InputError(f"{path}: must be named like S1_Directions_range.txt")
    subject, action = int(match[1]), match[2]
    if subject not in TRAIN_SUBJECTS + TEST_SUBJECTS:
        raise InputError(f"{path}: the subject must be 1, 5, 6, 7, 8, 9 or 11")
    if action not in IMAGE_ACTIONS:
        raise InputError(
            f"{path}: the action must be one of {', '.join(IMAGE_ACTIONS)}"
        )
    first, last = read_numbers(path, 2)
    if first != int(first) or last != int(last) or not 0 <= first <= last:
        raise InputError(
            f"{path}: must hold two whole numbers, first <= last; "
            f"received {first:.12g} {last:.12g}"
        )
    if last > _MAX_INDEX:
        raise InputError(
            f"{path}: indices must be at most {_MAX_INDEX}; received {last:.12g}"
        )
    return IndexRange(subject, action, int(first), int(last))
