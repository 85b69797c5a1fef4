"""Writes the files of the layout that this package reads."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.images.layout import TEXT_FOLDERS

FOLDERS: Final = (*TEXT_FOLDERS, "images", "index_range")


def write_range(
    root: str | os.PathLike[str], subject: int, action: str, first: int, last: int
) -> None:
    """Writes which pictures, `first` to `last`, are of a subject's action."""
    path = Path(root) / "index_range" / f"S{subject}_{action}_range.txt"
    path.write_text(f"{first} {last}\n")


def rows(values: np.ndarray) -> str:
    """A line of text for each row of `values`, `[R, C]`."""
    return "\n".join(numbers(row, "{:.6f}") for row in values)


def numbers(values: Iterable[float], form: str) -> str:
    """Numbers in one line, each by the format `form`."""
    return " ".join(map(form.format, values))
