"""Reading and writing `.npz` and other files: nothing half-written, mistakes named."""

import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

PROJECT_ROOT: Final = Path(__file__).resolve().parent.parent


class InputError(ValueError):
    """A mistake in what the user gave; the message is one line that names it."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, renamed to it when the block succeeds.

    Raises:
      InputError: if the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    with folder as name:
        temporary = Path(name) / path.name
        yield temporary
        os.replace(temporary, path)


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
