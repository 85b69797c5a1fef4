"""NumPy's `.npz` files: read with every rule checked, written at once or not at all.

An `.npz` is a zip archive of arrays. Their headers are read first, and only those
arrays that are as they must be are inflated.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy

from human_pose.files.arrays import (
    Declared,
    Shape,
    check_names,
    checked_values,
    refusing,
)
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file

_ENDING: Final = ".npy"

# What NumPy writes. Others inflate without bounds as Python reads them.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# The version of headers below 64 kB, as those of plain arrays are; a later one may
# declare a header of 4 GB.
_VERSION: Final = (1, 0)


def read_npz(
    path: str | os.PathLike[str],
    shapes: Mapping[str, Shape],
    texts: Mapping[str, Shape] | None = None,
    *,
    finite: bool = True,
) -> dict[str, np.ndarray]:
    """Reads named arrays of an `.npz` file and checks them.

    Args:
      path: the file.
      shapes: for each array of numbers its shape; a letter stands for any size, the
        same wherever the letter returns.
      texts: the same for arrays of text or bytes; `str(array)` is a single text, as a
        JSON header is.
      finite: whether NaN is refused, too.

    Returns:
      The arrays in the types that the file has, `shapes` first.

    Raises:
      InputError: naming the file, the array and the rule, if the file is missing or no
        `.npz`, damaged, or larger than it may be (`files.arrays`), an array is missing,
        of another kind or shape, or holds NaN or infinity.
    """
    path, texts = Path(path), texts or {}
    check_is_file(path)
    with refusing(path, "is no readable .npz file"), zipfile.ZipFile(path) as archive:
        held = [name.removesuffix(_ENDING) for name in archive.namelist()]
        check_names(path, [*shapes, *texts], held)
        declared = Declared(path, flags=True)
        for name, shape in [*shapes.items(), *texts.items()]:
            found, dtype = _header(path, archive, name)
            declared.check(name, found, dtype, shape, text=name in texts)
        names = [*shapes, *texts]
        return {name: _array(path, archive, name, finite) for name in names}


def listed_texts(where: str, names: np.ndarray) -> list[str]:
    """The texts of an array of text or bytes.

    Args:
      where: file and array, for the error.
      names: as `read_npz` gives them, of any shape.

    Raises:
      InputError: naming `where`, if bytes are no text in UTF-8.
    """
    flat = names.ravel().tolist()
    try:
        return [n.decode("utf-8") if isinstance(n, bytes) else n for n in flat]
    except UnicodeDecodeError as error:
        raise InputError(f"{where} must be text in UTF-8") from error


def npz_ranks(path: str | os.PathLike[str]) -> dict[str, int]:
    """How many dimensions each array of an `.npz` file has; -1 for pickled objects.

    Reads no array. What is no `.npz` file has none.
    """
    try:
        if not Path(path).is_file():
            return {}
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(_ENDING) for name in archive.namelist()]
            return {name: _rank(Path(path), archive, name) for name in names}
    except Exception:  # zipfile reports damage by errors of many kinds
        return {}


def _rank(path: Path, archive: zipfile.ZipFile, name: str) -> int:
    with archive.open(name + _ENDING) as entry:
        if npy.read_magic(entry) != _VERSION:
            raise InputError(f"{path}: {name} has a header that is not of an array")
        shape, _, dtype = npy.read_array_header_1_0(entry)
    return -1 if dtype.hasobject else len(shape)


def write_npz(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Writes arrays, numbers or text, as one `.npz` file, atomically.

    Equal arrays give equal bytes. Not compressed: weights hardly shrink, and a large
    network has half a gigabyte.

    Raises:
      InputError: if the file cannot be written.
      ValueError: if an array holds objects.
    """
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            # The entry's time is that of 1980, zipfile's own.
            with archive.open(name + _ENDING, "w", force_zip64=True) as entry:
                npy.write_array(entry, np.asanyarray(array), allow_pickle=False)


def _header(
    path: Path, archive: zipfile.ZipFile, name: str
) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array, whose entry has just the bytes that these need."""
    info = archive.getinfo(name + _ENDING)
    if info.compress_type not in _METHODS:
        raise InputError(
            f"{path}: {name} is compressed by a method that is not NumPy's"
        )
    with archive.open(info) as entry:
        if npy.read_magic(entry) != _VERSION:
            raise InputError(f"{path}: {name} has a header that is not of an array")
        shape, _, dtype = npy.read_array_header_1_0(entry)
        if dtype.hasobject:
            raise InputError(f"{path}: {name} must be numbers or text, no objects")
        size = entry.tell() + dtype.itemsize * int(np.prod(shape, dtype=object))
    if info.file_size != size:
        raise InputError(
            f"{path}: {name} must have the {size} bytes of its header; it has "
            f"{info.file_size}"
        )
    return shape, dtype


def _array(path: Path, archive: zipfile.ZipFile, name: str, finite: bool) -> np.ndarray:
    with archive.open(name + _ENDING) as entry:
        # Reads as much as the header says, in blocks, and zipfile checks the checksum.
        array = npy.read_array(entry, allow_pickle=False)
    return checked_values(f"{path}: {name}", array, finite)
