"""Reading and writing `.npz` and text files, checked and never half-written."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.paths import atomic


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads named arrays of finite numbers from an `.npz` file, as float64.

    Raises:
      InputError: if the file is missing or not of that kind, or an array is missing,
        not numeric or not finite.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        # Opened here, because NumPy does not close what it cannot read.
        with open(path, "rb") as stream, np.load(stream) as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise InputError(
                    f"{path}: must hold {', '.join(missing)}; "
                    f"it holds {', '.join(file) or 'nothing'}"
                )
            arrays = {name: file[name] for name in names}
    except InputError:
        raise
    # np.load gives a bare array for an .npy file, which is no context.
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: is no readable .npz file") from error
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
            raise InputError(
                f"{path}: {name} must be real numbers; received {array.dtype}"
            )
        if not np.all(np.isfinite(array)):
            raise InputError(f"{path}: {name} must be finite")
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes an `.npz` file, atomically."""
    with atomic(path) as temporary:
        np.savez(temporary, **arrays)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
