"""Reading and writing `.npz` and text files, checked and never half-written."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.npz import read_npz
from human_pose.files.paths import atomic


def read_arrays(
    path: str | os.PathLike[str], shapes: Mapping[str, Shape]
) -> dict[str, np.ndarray]:
    """Reads named arrays of finite numbers from an `.npz` file, as float64.

    Raises:
      InputError: if the file is missing or not of that kind, or an array is missing,
        not numeric, not finite or of another shape.
    """
    arrays = read_npz(path, shapes)
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def remove(path: str | os.PathLike[str]) -> None:
    """Removes a file.

    Raises:
      InputError: if it cannot be removed.
    """
    try:
        Path(path).unlink()
    except OSError as error:
        raise InputError(f"{path}: cannot be removed: {error.strerror}") from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
