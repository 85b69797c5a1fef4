"""Numbers in the layout's files of text, and what is wrong with them."""

import os
from typing import Final

import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.paths import read_text

# Of everything batches hold. Rules are checked on numbers rounded to it: a box may have
# an area, or a joint a place, in float64 only.
STORED: Final = np.float32


def read_numbers(
    path: str | os.PathLike[str], count: int, dtype: type = np.float64
) -> np.ndarray:
    """The numbers of a file, `[count]` of a type.

    Raises:
      InputError: naming the file and the rule, if it is missing, a word is not a
        finite number of the type, or there are more or fewer than `count`.
    """
    return numbers_of(path, read_text(path).split(), count, dtype)


def numbers_of(
    path: str | os.PathLike[str],
    words: list[str],
    count: int,
    dtype: type,
    field: str = "",
) -> np.ndarray:
    """Words as `[count]` numbers of a type.

    Args:
      path: the file that they are of.
      words: the words.
      count: how many there must be.
      dtype: what they become.
      field: what errors call them, with a blank behind; "" where they are all there is.

    Raises:
      InputError: see `read_numbers`.
    """
    if len(words) != count:
        plural = "s" if count > 1 else ""
        raise InputError(
            f"{path}: {field}must be {count} number{plural}; received {len(words)}"
        )
    try:
        with np.errstate(over="ignore"):  # to infinity, which is refused below
            values: np.ndarray = np.array(words, np.float64).astype(dtype)
    except ValueError:
        bad = next(word for word in words if not _is_number(word))
        raise InputError(f"{path}: {field}must be numbers; received {bad!r}") from None
    finite = np.isfinite(values)
    if not finite.all():
        raise InputError(
            f"{path}: {field}must be finite numbers ({values.dtype}); "
            f"received {words[np.argmin(finite)]!r}"
        )
    return values


def within(
    path: str | os.PathLike[str],
    values: np.ndarray,
    limit: float,
    unit: str,
    field: str = "",
) -> np.ndarray:
    """The values, if none is farther from 0 than the limit.

    Raises:
      InputError: naming the file, the limit with its unit, and the farthest value.
    """
    farthest = values.flat[np.argmax(np.abs(values))]
    if abs(farthest) > limit:
        raise InputError(
            f"{path}: {field}must be from -{limit:.0f} to {limit:.0f} {unit}; "
            f"received {farthest:.7g}"
        )
    return values


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
