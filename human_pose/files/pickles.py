"""Pickled containers of arrays, and nothing that could run.

A pickle is a program. Those of NumPy's object arrays and of PyTables' attributes need
three things of it, which stand below; whatever else one asks for is refused.
"""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from typing import Any, Final

import numpy as np

from human_pose.files.arrays import MOST_BYTES, refusing
from human_pose.files.errors import InputError


def _new_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """What pickles call to begin an array; its size, type and content follow."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("only plain arrays are read")
    return np.empty(0, np.int8)


def _latin(text: str, encoding: str) -> bytes:
    """What pickles of Python 2's protocol call to make bytes of text."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("only bytes in latin1 are read")
    return text.encode(encoding)


def _from_buffer(buffer: bytes, dtype: np.dtype, shape: Any, order: str) -> np.ndarray:
    """What the protocol 5 calls to make an array."""
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)  # type: ignore[call-overload]


_SAFE: Final = {
    ("_codecs", "encode"): _latin,
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    **{
        (f"numpy.{core}.multiarray", "_reconstruct"): _new_array
        for core in ("core", "_core")
    },
    **{
        (f"numpy.{core}.numeric", "_frombuffer"): _from_buffer
        for core in ("core", "_core")
    },
}


# The one in C makes room for as much as a few bytes ask it to.
class _Unpickler(pickle._Unpickler):
    """Knows plain containers, numbers, texts and arrays."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle asks for by name."""
        if (module, name) not in _SAFE:
            raise pickle.UnpicklingError(f"{module}.{name} is not read from pickles")
        return _SAFE[module, name]


def unpickle(path: str | os.PathLike[str], content: bytes) -> Any:
    """The value of a pickle that holds containers, numbers, texts and arrays alone.

    Args:
      path: the file that it is of, for messages.
      content: the pickle.

    Raises:
      InputError: if it is damaged, or asks for anything else.
    """
    with refusing(path, "holds a pickle that is not read"):
        return _Unpickler(io.BytesIO(content)).load()


def unpickle_npz(path: str | os.PathLike[str], name: str) -> Any:
    """A dictionary that `numpy.savez` pickled as an array of an `.npz` file.

    Args:
      path: the file.
      name: of the array.

    Raises:
      InputError: if the file or the pickle is damaged, too large, or another array.
    """
    with refusing(path, "is no readable .npz file"), zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{name}.npy")
        if entry.file_size > MOST_BYTES:
            raise InputError(f"{path}: {name} must have {MOST_BYTES} bytes at most")
        content = archive.read(entry)
    return unpickle_npy(path, content)


def unpickle_npy(path: str | os.PathLike[str], content: bytes) -> Any:
    """The value of an array of no dimension that holds one object.

    Args:
      path: the file that it is of, for messages.
      content: an entry of an `.npz` file, as `numpy.savez` writes a dictionary.

    Raises:
      InputError: if it is damaged, or another array.
    """
    stream = io.BytesIO(content)
    with refusing(path, "holds no pickled dictionary"):
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        if shape != () or not dtype.hasobject:
            raise ValueError(f"an array {list(shape)} of {dtype}")
        return unpickle(path, stream.read()).item()
