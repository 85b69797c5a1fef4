"""The original's layout of text files as a source of shards."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.images import layout
from human_pose.datasets.images.annotations import arrays_of, squares_of
from human_pose.datasets.images.crop import check_shown, is_whole
from human_pose.datasets.images.encoding import Encoding, check_encoding, encoded
from human_pose.datasets.images.index_range import (
    IndexRange,
    read_ranges,
    split_ranges,
)
from human_pose.datasets.images.layout import (
    read_image_path,
    read_info,
    read_texts,
    text_path,
)
from human_pose.datasets.images.picture_file import size_of
from human_pose.datasets.images.plausibility import (
    check_bodies,
    warn_of_leftovers,
    warn_of_misfit,
)
from human_pose.datasets.images.schema import IMAGE_SCHEMA, image_sample
from human_pose.datasets.images.variants import Variant
from human_pose.datasets.protocol import PARTS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.shards.plan import Piece, Source, stepped, summary_of
from human_pose.datasets.shards.records import Sample
from human_pose.datasets.shards.writing import Bad, Good
from human_pose.files.errors import InputError
from human_pose.files.paths import locate

_SUBJECTS: Final = (*TRAIN_SUBJECTS, *TEST_SUBJECTS)
# Samples of a folder that are looked at before all of them are read: so many in all,
# and of each range so many at least, for each may be from elsewhere.
_LOOKED_AT: Final = 64
_LOOKED_AT_OF_EACH: Final = 8
# And pictures of these.
_PICTURES_LOOKED_AT: Final = 4


def text_source(
    root: str | os.PathLike[str],
    variant: Variant | None = None,
    *,
    encoding: Encoding = "jpeg",
    partial_set: bool = False,
    data_set: str = "h36m_images",
) -> Source:
    """The samples of a folder in the original's layout.

    Args:
      root: the folder that holds `index_range`, `images` and the text files.
      variant: which of them; default: all, split by subject.
      encoding: of the pictures in the records. Files' bytes are kept where they are
        of this encoding and of 224 px, shown whole.
      partial_set: also where subjects are missing.
      data_set: its name.

    Raises:
      InputError: naming the file or argument and the rule; a missing subject, too,
        unless `partial_set`.
    """
    check_encoding(encoding)
    variant = variant or Variant()
    root = locate(root)
    ranges = read_ranges(root / "index_range")
    check_subjects(root, {item.subject for item in ranges}, partial_set)
    _check_some(root, ranges)
    summary = summary_of(f"{item.name} {item.first} {item.last}" for item in ranges)
    return Source(
        data_set,
        variant.name,
        IMAGE_SCHEMA,
        f"text layout {summary}, {variant.name}, {encoding}",
        partial(_samples, root, variant, encoding),
        pieces_of(ranges, variant),
        f"Pictures of people with 3D joints: {variant.description}.",
        partial(_files, root),
    )


def _check_some(root: Path, ranges: Sequence[IndexRange]) -> None:
    """Refuses, or warns of, numbers that are not what the layout says they are.

    Raises:
      InputError: see `check_bodies`.
    """
    found = []
    most = max(-(-_LOOKED_AT // len(ranges)), _LOOKED_AT_OF_EACH)
    for item in ranges:
        of_range = [*_some(root, item, most)]
        if of_range:
            joints = arrays_of(of_range)["joints_3d_mm"]
            check_bodies(f"{root}: {item.name}", joints)
        found += of_range
    if found:
        warn_of_misfit(root, arrays_of(found), squares_of(found))
        _check_pictures(root, found[:_PICTURES_LOOKED_AT])


def _some(root: Path, item: IndexRange, most: int) -> Iterator[layout.Sample]:
    """A range's samples, evenly spread, as far as they can be read."""
    every = -(-(item.last + 1 - item.first) // most)
    for index in range(item.first, item.last + 1, every):
        # What is wrong with a sample is said where it would be used.
        with suppress(InputError):
            yield read_texts(root, index)


def _check_pictures(root: Path, samples: Sequence[layout.Sample]) -> None:
    """Warns of pictures that are not of the sizes that the text files are about."""
    there, sizes_px = [], []
    for sample in samples:
        with suppress(InputError):
            sizes_px.append(size_of(sample.image))
            there.append(sample)
    if there:
        warn_of_leftovers(root, squares_of(there), np.array(sizes_px))


def check_subjects(
    root: str | os.PathLike[str], found: set[int], partial_set: bool
) -> None:
    """Refuses a set that lacks subjects of the protocol.

    Raises:
      InputError: naming them, unless `partial_set` allows it.
    """
    missing = [f"S{number}" for number in _SUBJECTS if number not in found]
    if missing and not (partial_set and found):
        raise InputError(
            f"{root}: lacks {', '.join(missing)} of {len(_SUBJECTS)} subjects; add "
            "them, or let `partial` prepare the others"
        )


def pieces_of(
    ranges: Sequence[IndexRange], variant: Variant
) -> dict[str, tuple[Piece, ...]]:
    """The pieces of each part that has a sample; their places are ranges.

    Raises:
      InputError: if the split needs the whole set, or none has a sample.
    """
    parts = {}
    for part in PARTS:
        if variant.split == "corrected" and not _has(ranges, part):
            continue
        pieces = (
            Piece(item, stepped(item.first, item.last, variant.every))
            for item in split_ranges(ranges, variant.split, part)
        )
        if found := tuple(piece for piece in pieces if len(piece)):
            parts[part] = found
    if not parts:
        raise InputError(
            "every", "must divide the index of one of the samples", variant.every
        )
    return parts


def _has(ranges: Sequence[IndexRange], part: str) -> bool:
    subjects = TRAIN_SUBJECTS if part == "train" else TEST_SUBJECTS
    return any(item.subject in subjects for item in ranges)


def _samples(
    root: Path, variant: Variant, encoding: Encoding, piece: Piece
) -> Iterator[Good | Bad]:
    start = os.path.join(root, "")
    for index in piece.indices:
        try:
            if variant.sound and not variant.holds(
                read_info(text_path(root, "info_all", index)).video
            ):
                continue
            yield Good(index, _sample(root, index, piece.place, encoding))
        except InputError as error:
            yield Bad(index, str(error).replace(start, ""))


def _files(root: Path, piece: Piece) -> Iterator[Path]:
    """The text files of a piece's samples, and their pictures."""
    for index in piece.indices:
        yield from (text_path(root, folder, index) for folder in layout.TEXT_FOLDERS)
        with suppress(InputError):
            yield read_image_path(text_path(root, "image_path_file", index), root)


def _sample(root: Path, index: int, item: IndexRange, encoding: Encoding) -> Sample:
    found = read_texts(root, index)
    return image_sample(
        _picture(found, encoding),
        index,
        item.subject,
        item.action_number,
        box=found.box,
        camera=found.camera,
        joints_2d_px=found.joints_2d_px,
        joints_3d_mm=found.joints_3d_mm,
    )


def _picture(found: layout.Sample, encoding: Encoding) -> bytes:
    """The 224 px picture of a sample, as batches from the files have it.

    Raises:
      InputError: naming the file and the rule.
    """
    stored = check_shown(found.image, found.square)
    content = found.image.read_bytes()
    if is_whole(stored, found.square) and stored.kind.lower() == encoding:
        return content
    # Only here: opening a source need not wait for it.
    from human_pose.datasets.images import cutting

    pixels = cutting.shown(cutting.decoded(content), found.square)
    return encoded(pixels.numpy(), encoding)
