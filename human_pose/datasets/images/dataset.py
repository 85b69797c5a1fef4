"""A set of pictures with 3D poses in the original's layout."""

import contextlib
import os
import zlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.images.annotations import (
    Annotations,
    Progress,
    read_annotations,
)
from human_pose.datasets.images.index_range import (
    IndexRange,
    indices_of,
    read_ranges,
    split_ranges,
)
from human_pose.datasets.images.kept_index import Skipped
from human_pose.datasets.images.source import Source, of_folder
from human_pose.datasets.protocol import Part, Split
from human_pose.files.checks import whole_numbers
from human_pose.files.errors import InputError
from human_pose.files.paths import locate

# Pictures that tell sets of the same annotations apart.
_PICTURES_OF_IDENTITY: Final = 64


class ImageDataset:
    """The training or the test part of a set; made by `open_dataset`.

    Attributes:
      root: the folder of the layout.
      indices: int64 `[N]`, the chosen sample indices in order, good or bad.
      trust_index: see `open_dataset`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        ranges: Sequence[IndexRange],
        whole_ranges: Sequence[IndexRange],
        indices: np.ndarray,
        *,
        trust_index: bool,
        progress: Progress | None,
    ):
        self.root = Path(root)
        self.indices = indices
        self._ranges = tuple(ranges)
        self._whole_ranges = tuple(whole_ranges)
        self.trust_index = trust_index
        self._progress = progress

    def __len__(self) -> int:
        """The number of chosen indices."""
        return len(self.indices)

    @cached_property
    def annotations(self) -> Annotations:
        """The numbers of the good samples; read at first use, then kept."""
        return read_annotations(
            self.root,
            self._whole_ranges,
            self.indices,
            trust_index=self.trust_index,
            progress=self._progress,
        )

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The samples that break a rule: `(index, reason)` each."""
        return self.annotations.skipped

    def check(self) -> tuple[Skipped, ...]:
        """Reads every text file and picture of the part, or what was noted of them.

        Returns:
          The samples that break a rule.
        """
        return self.skipped

    def good_annotations(self, *, skip_bad: bool = False) -> Annotations:
        """The annotations, if all samples are good or the bad ones may be left out.

        Raises:
          InputError: for the first bad sample, or if no sample is left.
        """
        if self.skipped and not skip_bad:
            first, *others = self.skipped
            plural = "s" if len(others) > 1 else ""
            more = f" (and {len(others)} more bad sample{plural})" if others else ""
            them = "them" if others else "it"
            raise InputError(f"{first.reason}{more}; `skip_bad` leaves {them} out")
        if not len(self.annotations):
            raise InputError(
                f"{self.root}: none of the {len(self)} samples can be used; "
                f"the first: {self.skipped[0].reason}"
            )
        return self.annotations

    def good_indices(self, *, skip_bad: bool = False) -> np.ndarray:
        """int64 `[M]`, of the good samples, by row; see `good_annotations`."""
        return self.good_annotations(skip_bad=skip_bad).index

    @cached_property
    def identity(self) -> str:
        """Tells sets apart by all annotations of their good samples, and some pictures.

        Sets of the same bodies may differ in their pictures alone. All of them would be
        read at each start, so these are some, evenly spread.
        """
        checksum = 0
        for column in vars(self.annotations).values():
            if isinstance(column, np.ndarray):
                checksum = zlib.crc32(column.tobytes(), checksum)
        pictures = 0
        every = -(-len(self.annotations) // _PICTURES_OF_IDENTITY) or 1
        for name in self.annotations.image[::every]:
            with contextlib.suppress(OSError):
                path = self.root / "images" / os.fsdecode(name)
                pictures = zlib.crc32(path.read_bytes(), pictures)
        known = f"checksum {checksum:08x}, pictures {pictures:08x}"
        return f"{len(self.annotations)} ({known})"

    def source(self, *, skip_bad: bool = False) -> Source:
        """The good samples for batches; see `good_annotations`."""
        return of_folder(
            self.good_annotations(skip_bad=skip_bad),
            self.root / "images",
            verify=self.trust_index,
        )


def open_dataset(
    root: str | os.PathLike[str],
    split: Split = "corrected",
    part: Part = "train",
    *,
    indices: Iterable[int] | None = None,
    every: int = 1,
    trust_index: bool = False,
    progress: Progress | None = None,
) -> ImageDataset:
    """Opens a set in the original's layout; reads only its index ranges yet.

    Args:
      root: the folder that holds `index_range`, `images` and the folders of text files.
      split: "corrected" goes by subject; "published" by the original's literal indices,
        for the whole set only.
      part: "train" or "test".
      indices: use these only; they must belong to the part and be multiples of `every`.
      every: use only indices that are multiples of this (the original's
        `train_index.txt` is 5).
      trust_index: do not look for changes of files whose numbers are kept in
        `<root>/.index`; saves some ten seconds a million samples. Pictures are checked
        as they are read instead; TensorFlow's error then names a bad one.
      progress: called as the samples are read: range, its place from 1, their number.

    Raises:
      InputError: naming the file or argument and the rule.
    """
    root = locate(root)
    ranges = read_ranges(root / "index_range")
    chosen = split_ranges(ranges, split, part)
    available = indices_of(chosen, every)
    if not len(available):
        raise InputError(
            "every",
            f"must divide the index of one of the {split} {part} samples",
            every,
        )
    if indices is not None:
        wanted = whole_numbers("indices", indices)
        _check_wanted(wanted, indices_of(chosen), f"{split} {part}", every)
        available = wanted.astype(np.int64)
    names = {item.name for item in chosen}
    return ImageDataset(
        root,
        chosen,
        [item for item in ranges if item.name in names],
        available,
        trust_index=trust_index,
        progress=progress,
    )


def _check_wanted(
    wanted: np.ndarray, of_part: np.ndarray, part: str, every: int
) -> None:
    outside = wanted[~np.isin(wanted, of_part)]
    if len(outside):
        raise InputError(
            "indices",
            f"must lie in the index ranges of the {part} samples",
            int(outside[0]),
        )
    between = wanted[wanted % every != 0]
    if len(between):
        raise InputError(
            "indices",
            f"must be multiples of `every`, which is {every}",
            int(between[0]),
        )
