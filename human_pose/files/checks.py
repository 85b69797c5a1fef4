"""Checks of the numbers that callers give."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np

from human_pose.files.errors import InputError


def check_whole(name: str, value: Any, least: int) -> None:
    """Checks one whole number.

    Raises:
      InputError: naming the argument, if it is none, or below `least`.
    """
    if not _is_whole(value) or value < least:
        raise InputError(name, f"must be a whole number, at least {least}", value)


def whole_numbers(name: str, values: Iterable[Any]) -> np.ndarray:
    """Whole numbers from 0, sorted, each once.

    Raises:
      InputError: naming the argument, if there are none, or one is another value.
    """
    values = list(values)  # one by one, because NumPy would turn `True` into 1
    if not values:
        raise InputError(name, "must name at least one sample; received none")
    for value in values:
        if not _is_whole(value) or value < 0:
            raise InputError(name, "must be whole numbers, at least 0", value)
    return np.unique(np.array(values))


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_within(where: str, values: np.ndarray, lowest: float, highest: float) -> None:
    """Checks numbers of a file, which beyond some size can only be damage.

    Args:
      where: file and name, to begin the error with.
      values: any shape.
      lowest: the least that they may be.
      highest: the most that they may be.

    Raises:
      InputError: naming the first that is outside.
    """
    outside = np.argwhere((values < lowest) | (values > highest))
    if len(outside):
        place = tuple(int(i) for i in outside[0])
        at = f" at {list(place)}" if place else ""
        raise InputError(
            f"{where} must be from {lowest:g} to {highest:g}; received "
            f"{values[place]:g}{at}"
        )
