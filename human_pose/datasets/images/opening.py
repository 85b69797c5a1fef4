"""A set of pictures, however it is kept."""

import os
from collections.abc import Iterable
from typing import Any

from human_pose.datasets.images.dataset import ImageDataset, open_dataset
from human_pose.datasets.images.sharded import ShardedImages, open_sharded
from human_pose.datasets.protocol import Part, Split
from human_pose.datasets.shards.folders import is_prepared
from human_pose.files.paths import locate

ImageSet = ImageDataset | ShardedImages


def open_images(
    folder: str | os.PathLike[str],
    split: Split = "corrected",
    part: Part = "train",
    *,
    indices: Iterable[int] | None = None,
    every: int = 1,
    **options: Any,
) -> ImageSet:
    """Opens a set by what its folder holds: shards, or the original's layout.

    Args:
      folder: of the set.
      split: see `open_dataset`; a prepared set has the split that it was prepared with.
      part: "train" or "test".
      indices: use these only.
      every: use only indices that are multiples of this.
      **options: of `open_dataset`, for the original's layout.

    Raises:
      InputError: naming the file or argument and the rule.
    """
    if is_prepared(root := locate(folder)):
        return open_sharded(root, part, indices=indices, every=every)
    return open_dataset(root, split, part, indices=indices, every=every, **options)
