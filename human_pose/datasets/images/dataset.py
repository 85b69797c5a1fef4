"""A set of pictures with 3D poses in the original's layout, and batches of it."""

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from human_pose.arguments import whole_numbers
from human_pose.datasets.images import pipeline, projection
from human_pose.datasets.images.annotations import (
    Annotations,
    Progress,
    read_annotations,
)
from human_pose.datasets.images.index_range import (
    IndexRange,
    Part,
    Split,
    indices_of,
    read_ranges,
    split_ranges,
)
from human_pose.datasets.images.kept_index import Skipped
from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.datasets.images.sampling import Sampling
from human_pose.files import InputError, locate

# Decoding is half the time of a small picture's way; sets of this size need it once.
_MOST_KEPT_BYTES: Final = 1 << 30


class ImageDataset:
    """The training or the test part of a set; made by `open_dataset`.

    Attributes:
      root: the folder of the layout.
      indices: int64 `[N]`, the chosen sample indices in order, good or bad.
    """

    def __init__(
        self,
        root: Path,
        ranges: Sequence[IndexRange],
        whole_ranges: Sequence[IndexRange],
        indices: np.ndarray,
        *,
        trust_index: bool,
        progress: Progress | None,
    ):
        self.root = root
        self.indices = indices
        self._ranges = tuple(ranges)
        self._whole_ranges = tuple(whole_ranges)
        self._trust_index = trust_index
        self._progress = progress
        self._pictures: dict[int, tf.Tensor] = {}  # by the crops' size

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
            trust_index=self._trust_index,
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
            raise InputError(f"{first.reason}{more}; --skip_bad=1 leaves {them} out")
        if not len(self.annotations):
            raise InputError(
                f"{self.root}: none of the {len(self)} samples can be used; "
                f"the first: {self.skipped[0].reason}"
            )
        return self.annotations

    def batches(
        self,
        batch_size: int,
        augment: pipeline.Augment | None = None,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        start_step: int = 0,
        input_size: int = 256,
        repeat: bool = False,
        skip_bad: bool = False,
        sampling: Sampling = "epochs",
    ) -> tf.data.Dataset:
        """Batches for the network; equal arguments give equal batches on any machine.

        Args:
          batch_size: B.
          augment: "published" scales, rotates and flips as the original does; "modern"
            scales and rotates less (`placement.MODERN`), in one bilinear pass, changes
            colours too, and exchanges left and right depths of mirrored people; "mild"
            does so still less and mirrors nobody (`placement.MILD`); None is the
            original's test transform, u256 = u224 / 1.12 + 28.5. Pictures of an endless
            "modern" or "mild" stream are kept in memory if they need less than 1 GiB.
          shuffle: random order.
          seed: of order and augmentation, 0 to 2^30 - 1.
          epoch: where to start: after that many passes over the samples.
          start_step: where to start: after that many further batches.
          input_size: S, a divisor of 256; smaller inputs are means over the crop.
          repeat: never end. Otherwise the stream ends with the epoch, and its last
            batch may be short.
          skip_bad: leave out the samples that break a rule, listed in `skipped`.
          sampling: with `shuffle`, "epochs" visits each sample once an epoch,
            "replacement" draws anew each time, as the original does.

        Returns:
          Dictionaries of

          - `image` float32 `[B, S, S, 3]`, blue first, (grey level - 128) / 256
          - `joints_2d` float32 `[B, 16, 2]`, x and y in [0, 1] of the crop or beyond
          - `depth` float32 `[B, 16]`, encoded by `i1.geometry.encode_depth`
          - `z_mm` float32 `[B, 16]`, the camera-frame z that `depth` encodes
          - `joints_3d_mm` float32 `[B, 16, 3]`, camera frame, never augmented
          - `box` float32 `[B, 4]` x1 y1 x2 y2, and `camera` float32 `[B, 4]` fx fy cx
            cy, px of the raw camera frame
          - `flipped` bool, `index` int64, `action` and `subject` int32, `[B]`

        Raises:
          InputError: for an argument out of range, or a bad sample if not `skip_bad`.
        """
        pipeline.check_arguments(
            batch_size=batch_size,
            augment=augment,
            sampling=sampling,
            seed=seed,
            epoch=epoch,
            start_step=start_step,
            input_size=input_size,
        )
        annotations = self.good_annotations(skip_bad=skip_bad)
        count = len(annotations)
        start = epoch * count + start_step * batch_size
        left = None if repeat else max((epoch + 1) * count - start, 0)
        stream = pipeline.Stream(
            batch_size=batch_size,
            augment=augment,
            shuffle=shuffle,
            sampling=sampling,
            seed=seed,
            start=start,
            count=left,
            input_size=input_size,
            verify=self._trust_index,
        )
        folder = os.fspath(self.root / "images")
        comes_back = repeat and augment in pipeline.ONE_PASS
        kept = self._kept(folder, stream) if comes_back else None
        return pipeline.build(annotations, folder, stream, kept)

    def _kept(self, folder: str, stream: pipeline.Stream) -> tf.Tensor | None:
        """The pictures in memory for a stream that comes back to them, if they fit."""
        size = stream.input_size
        side = IMAGE_SIZE_PX // projection.reduction(size)
        if len(self.annotations) * side**2 * 3 > _MOST_KEPT_BYTES:
            return None
        if size not in self._pictures:
            self._pictures[size] = pipeline.reduced_pictures(
                self.annotations, folder, size, verify=self._trust_index
            )
        return self._pictures[size]


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
            "every (--subsample) must divide the index of a sample; none of the "
            f"{split} {part} samples has a multiple of {every}"
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
            f"indices must lie in the index ranges of the {part} samples; "
            f"got {outside[0]}"
        )
    between = wanted[wanted % every != 0]
    if len(between):
        raise InputError(
            f"indices must be multiples of every; got {between[0]} with every={every}"
        )
