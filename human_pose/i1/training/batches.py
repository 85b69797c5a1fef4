"""The samples that a training of the image network uses, and those it leaves out."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from absl import logging

from human_pose.datasets.images import ImageSet, open_images
from human_pose.datasets.protocol import Part
from human_pose.files.paths import atomic
from human_pose.i1.config import ImageTrainingConfig

_LOGGED: Final = 3  # bad samples named in the log


def open_samples(config: ImageTrainingConfig, part: Part, **options: Any) -> ImageSet:
    """A part of the data set, read and checked.

    Args:
      config: which set, and whether bad samples may be left out.
      part: "train" or "test".
      **options: of `open_images`.

    Raises:
      InputError: for a bad sample that may not be left out, or if none is good.
    """
    dataset = open_images(config.data_dir, config.split, part, **options)
    dataset.good_indices(skip_bad=config.skip_bad)
    return dataset


def open_validation(config: ImageTrainingConfig) -> ImageSet | None:
    """Test samples at even distances, or None if there shall be none.

    Raises:
      InputError: see `open_samples`.
    """
    if not config.validation_samples:
        return None
    available = open_images(config.data_dir, config.split, "test").indices
    places = np.linspace(0, len(available) - 1, config.validation_samples)
    chosen = available[np.unique(places.astype(int))]
    return open_samples(config, "test", indices=chosen.tolist())


def list_skipped(
    datasets: Iterable[ImageSet | None], path: str | os.PathLike[str]
) -> None:
    """Writes a line for every sample that is left out, and logs how many they are.

    Args:
      datasets: read; the places of None are passed over.
      path: the file; it is removed if there are none.

    Raises:
      InputError: if it cannot be written.
    """
    path = Path(path)
    opened = [dataset for dataset in datasets if dataset is not None]
    reasons = [bad.reason for dataset in opened for bad in dataset.skipped]
    if not reasons:
        path.unlink(missing_ok=True)
        return
    with atomic(path) as temporary:
        text = "".join(f"{reason}\n" for reason in reasons)
        # A name of a file may be no text.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    logging.warning(
        "left out %d of %d samples, listed in %s; the first: %s",
        len(reasons), sum(map(len, opened)), path, "; ".join(reasons[:_LOGGED]),
    )  # fmt: skip
