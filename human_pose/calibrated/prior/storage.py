"""Rows of numbers on disk, written one after the other and read in parts.

What a prior is fitted to may be larger than memory, and EM reads it many times; files
of motion take far longer to read than these.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from human_pose.files.errors import InputError

# Of poses in mm to a tenth of a micrometre.
_DTYPE: Final = np.dtype(np.float32)


class Rows:
    """Rows `[N, D]` in a temporary file, which is gone once it is closed.

    Args:
      size: D.

    Raises:
      InputError: if there is no folder for it.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        try:
            self._file = tempfile.TemporaryFile()
        except OSError as error:
            raise _unwritable(error) from error

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Removes the file."""
        # Rows that found no place are written once more, and nobody wants them now: the
        # error that was told is not to be hidden by another.
        with contextlib.suppress(OSError):
            self._file.close()

    def append(self, rows: np.ndarray) -> range:
        """Writes rows `[n, D]` at the end; returns their places.

        Raises:
          InputError: if the disk is full.
        """
        self.write(self._count, rows)
        places = range(self._count, self._count + len(rows))
        self._count += len(rows)
        return places

    def write(self, first: int, rows: np.ndarray) -> None:
        """Writes rows from the place `first` on.

        Raises:
          InputError: if the disk is full.
        """
        try:
            self._file.seek(first * self._size * _DTYPE.itemsize)
            self._file.write(np.ascontiguousarray(rows, _DTYPE).tobytes())
            self._file.flush()
        except OSError as error:
            raise _unwritable(error) from error

    def read(self, places: range) -> np.ndarray:
        """Rows that follow each other, float64 `[n, D]`."""
        width = self._size * _DTYPE.itemsize
        self._file.seek(places.start * width)
        content = self._file.read(len(places) * width)
        return np.frombuffer(content, _DTYPE).reshape(-1, self._size).astype(np.float64)

    def drawn(self, places: np.ndarray) -> np.ndarray:
        """Rows at some places `[n]`, float64 `[n, D]`."""
        rows = [self.read(range(place, place + 1)) for place in places.tolist()]
        return np.concatenate(rows) if rows else np.empty((0, self._size))

    def chunks(self, spans: Iterable[range], most: int) -> Iterator[np.ndarray]:
        """The rows of some spans, at most so many at a time; short spans together."""
        waiting: list[np.ndarray] = []
        count = 0
        for span in spans:
            for first in range(span.start, span.stop, most):
                part = self.read(range(first, min(first + most, span.stop)))
                if count + len(part) > most and waiting:
                    yield np.concatenate(waiting)
                    waiting, count = [], 0
                waiting.append(part)
                count += len(part)
        if count:
            yield np.concatenate(waiting)


def _unwritable(error: OSError) -> InputError:
    return InputError(
        f"{tempfile.tempdir or 'TMPDIR'}: temporary files cannot be written: "
        f"{error.strerror}; the variable TMPDIR names another folder"
    )
