"""A set of pictures with 3D poses in shards, as a preparation leaves it.

Nothing of the samples is in memory but their indices and where each begins in its file.
"""

import os
import zlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np

from human_pose.datasets.images.kept_index import Skipped
from human_pose.datasets.images.schema import IMAGE_SCHEMA
from human_pose.datasets.images.source import Source, of_shards
from human_pose.datasets.protocol import PARTS, Part
from human_pose.datasets.shards.reading import Shards, open_shards
from human_pose.datasets.shards.sidecar import check_content
from human_pose.datasets.shards.writing import schema_name
from human_pose.files.checks import check_whole, whole_numbers
from human_pose.files.errors import InputError


class ShardedImages:
    """The training or the test part of a prepared set; made by `open_sharded`.

    Attributes:
      root: the folder of the shards.
      skipped: the chosen samples that the preparation left out: `(index, reason)` each.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        shards: Shards,
        rows: np.ndarray,
        skipped: tuple[Skipped, ...],
    ) -> None:
        self.root = Path(root)
        self.skipped = skipped
        self._shards = shards
        self._rows = rows

    def __len__(self) -> int:
        """The number of chosen samples, with those that were left out."""
        return len(self._rows) + len(self.skipped)

    @cached_property
    def indices(self) -> np.ndarray:
        """int64 `[N]`, the chosen sample indices in order, also of those left out."""
        skipped = np.array([bad.sample for bad in self.skipped], np.int64)
        return np.sort(np.concatenate([self.good_indices(), skipped]))

    def good_indices(self, *, skip_bad: bool = True) -> np.ndarray:
        """int64 `[M]`, of the samples that there are, by row.

        Args:
          skip_bad: without effect; whoever prepared the set allowed for bad samples.
        """
        return self._shards.indices[self._rows]

    @cached_property
    def identity(self) -> str:
        """Tells sets apart by all that is in their shards, and the chosen samples."""
        checksum = zlib.crc32(self._shards.identity.encode())
        checksum = zlib.crc32(self._rows.tobytes(), checksum)
        return f"{len(self._rows)} (checksum {checksum:08x})"

    def check(self) -> tuple[Skipped, ...]:
        """Compares every shard with its checksum.

        Returns:
          The samples that the preparation left out.

        Raises:
          InputError: naming the first shard that is damaged.
        """
        for path in self._shards.paths:
            check_content(path)
        return self.skipped

    def source(self, *, skip_bad: bool = True) -> Source:
        """The samples for batches; see `good_indices`."""
        return of_shards(self._shards, self._rows)


def open_sharded(
    folder: str | os.PathLike[str],
    part: Part = "train",
    *,
    indices: Iterable[int] | None = None,
    every: int = 1,
) -> ShardedImages:
    """Opens a prepared set; reads what stands beside its shards.

    Args:
      folder: of the shards.
      part: "train" or "test".
      indices: use these only; they must belong to the part and be multiples of `every`.
      every: use only indices that are multiples of this.

    Raises:
      InputError: naming the file or argument and the rule.
    """
    if part not in PARTS:
        raise InputError("part", f"must be one of {', '.join(PARTS)}", part)
    check_whole("every", every, 1)
    shards = open_shards(folder, part)
    if shards.schema != schema_name(IMAGE_SCHEMA):
        raise InputError(f"{shards.paths[0]}: holds no samples of pictures")
    skipped = [
        Skipped(index, reason)
        for sidecar in shards.sidecars
        for index, reason in sidecar.skipped
        if index % every == 0
    ]
    # In the order of indices, as in the layout of files, wherever each was put.
    rows = np.argsort(shards.indices, kind="stable")
    rows = rows[shards.indices[rows] % every == 0]
    if indices is not None:
        wanted = whole_numbers("indices", indices)
        of_part = np.append(shards.indices[rows], [bad.sample for bad in skipped])
        if len(outside := wanted[~np.isin(wanted, of_part)]):
            rule = f"must be of {part} samples of {folder}"
            if every > 1:
                rule += f" and multiples of `every`, which is {every}"
            raise InputError("indices", rule, int(outside[0]))
        rows = rows[np.isin(shards.indices[rows], wanted)]
        asked = set(wanted.tolist())
        skipped = [bad for bad in skipped if bad.sample in asked]
    if not len(rows):
        raise InputError(f"{folder}: has none of the {part} samples that are asked for")
    return ShardedImages(folder, shards, rows, tuple(skipped))
