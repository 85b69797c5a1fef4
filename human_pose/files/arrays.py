"""Rules for arrays in files: what a file declares is checked before anything is read.

A damaged or hostile file of a few kilobytes can declare terabytes.
"""

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.files.errors import InputError, one_line

# A dimension is a number, or a letter that must stand for one size within a file.
Shape = tuple[int | str, ...]

# The most that arrays of one file may take where a letter leaves their size open: three
# times all of Human3.6M, whose pose file of all training frames has 0.7 GB.
MOST_BYTES: Final = 1 << 31

# Compressed files may hold more than their own size; beyond `ALWAYS_BYTES` not more
# than this many times as much. Numbers that were measured shrink to a half; what
# shrinks to a thousandth, the limit of gzip, is made to fill the memory.
MOST_INFLATION: Final = 100
ALWAYS_BYTES: Final = 1 << 26

_NUMBERS: Final = "fiu"  # kinds of NumPy's types: floats, integers
_FLAGS: Final = "b"
_WIDEST: Final = 8  # bytes; longer floats differ from machine to machine
_TEXTS: Final = "SU"
_LISTED: Final = 10  # names shown of what a file holds
_LONGEST_REASON: Final = 200  # letters of what a library says


@contextmanager
def refusing(path: str | os.PathLike[str], verdict: str) -> Iterator[None]:
    """Turns whatever a library raises over a file into one line.

    h5py and zipfile report damage by errors of a dozen kinds, and not by the same ones
    in each version.

    Args:
      path: the file.
      verdict: "is no readable ...", what is said of it.

    Raises:
      InputError: naming the file, in place of any error that does not.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) and str(error).startswith(f"{path}"):
            raise
        reason = one_line(error)[:_LONGEST_REASON]
        raise InputError(f"{path}: {verdict} ({reason})") from error


def check_names(
    path: str | os.PathLike[str], wanted: Iterable[str], held: Iterable[str]
) -> None:
    """Refuses a file that lacks something.

    Raises:
      InputError: naming what it lacks and what it holds.
    """
    held = list(held)
    missing = [name for name in wanted if name not in set(held)]
    if missing:
        more = len(held) - _LISTED
        names = [name if name.isprintable() else ascii(name) for name in held[:_LISTED]]
        shown = ", ".join(names) + (f" and {more} more" if more > 0 else "")
        raise InputError(
            f"{path}: must hold {', '.join(missing)}; it holds {shown or 'nothing'}"
        )


class Declared:
    """The arrays that a file declares, checked one by one before any is read.

    Args:
      path: the file.
      flags: whether an array may be of yes and no, besides numbers.
    """

    def __init__(self, path: str | os.PathLike[str], *, flags: bool = False) -> None:
        self._path = Path(path)
        self._kinds = _NUMBERS + _FLAGS if flags else _NUMBERS
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def check(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype,
        wanted: Shape,
        *,
        text: bool = False,
        stored_bytes: int | None = None,
    ) -> None:
        """Checks one more array.

        Args:
          name: its name.
          shape: what the file declares.
          dtype: what the file declares.
          wanted: what it must be; a letter stands for one size in all arrays.
          text: whether letters are wanted; else numbers.
          stored_bytes: what reading it takes, if that is more than its size.

        Raises:
          InputError: naming the file, the array and the rule.
        """
        where = f"{self._path}: {name}"
        _check_kind(where, dtype, _TEXTS if text else self._kinds)
        self._check_shape(where, shape, wanted)
        if any(isinstance(n, str) for n in wanted) or text:
            self._bytes += math.prod(shape) * dtype.itemsize
        self._check_size(where, shape, dtype, stored_bytes or 0)

    def _check_shape(self, where: str, shape: tuple[int, ...], wanted: Shape) -> None:
        expected = [self._sizes.get(n, n) if isinstance(n, str) else n for n in wanted]
        if (
            any(size < 0 for size in shape)
            or len(shape) != len(wanted)
            or any(
                isinstance(n, int) and n != size
                for n, size in zip(expected, shape, strict=True)
            )
        ):
            listed = ", ".join(map(str, expected))
            raise InputError(
                f"{where} must have shape [{listed}]; received {list(shape)}"
            )
        for n, size in zip(wanted, shape, strict=True):
            if isinstance(n, str):
                self._sizes[n] = size

    def _check_size(
        self, where: str, shape: tuple[int, ...], dtype: np.dtype, stored_bytes: int
    ) -> None:
        if self._bytes > MOST_BYTES:
            raise InputError(
                f"{where} must have at most {MOST_BYTES} bytes with what is before "
                f"it; received {list(shape)} of {dtype}"
            )
        needed = max(self._bytes, math.prod(shape) * dtype.itemsize, stored_bytes)
        most = max(ALWAYS_BYTES, MOST_INFLATION * self._path.stat().st_size)
        if needed > most:
            raise InputError(
                f"{where} must have at most {most} bytes in a file of this size; "
                f"received {needed}"
            )


def _check_kind(where: str, dtype: np.dtype, kinds: str) -> None:
    if kinds == _TEXTS:
        if dtype.kind not in _TEXTS or not dtype.itemsize:
            raise InputError(f"{where} must be text; received {dtype}")
    elif dtype.kind not in kinds or dtype.itemsize > _WIDEST or dtype.metadata:
        raise InputError(f"{where} must be real numbers; received {dtype}")


def checked_values(where: str, array: np.ndarray, finite: bool = True) -> np.ndarray:
    """Values that were read, in this machine's order of bytes.

    Args:
      where: file and name.
      array: numbers or text.
      finite: whether numbers must be; else NaN stands for what is not there.

    Raises:
      InputError: if a number is infinite, or NaN and `finite`.
      ValueError: if a text is none.
    """
    if array.dtype.kind == "U":
        array.tolist()  # for an error where a number is no letter's
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f":
        wrong = ~np.isfinite(array) if finite else np.isinf(array)
        if wrong.any():
            first = [int(i) for i in np.argwhere(wrong)[0]]
            raise InputError(
                f"{where} must be finite; {int(wrong.sum())} values are not, the first "
                f"at {first}"
            )
    return array
