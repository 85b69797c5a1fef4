"""Checks of numbers among the options of solvers and losses."""

import math
import numbers
from typing import Any


def check_numbers(positive: bool = False, **options: Any) -> None:
    """Refuses numbers below 0, infinite ones and NaN; tensors are the caller's.

    Args:
      positive: whether 0 is refused, too.
      **options: values by their names.

    Raises:
      ValueError: for the first of them.
    """
    for name, value in options.items():
        if not isinstance(value, numbers.Real):
            continue
        number = float(value)
        if not (0 < number if positive else 0 <= number) or number == math.inf:
            rule = "above 0" if positive else ">= 0"
            raise ValueError(f"`{name}` must be finite and {rule}; received {value}")


def check_counts(**options: Any) -> None:
    """Refuses numbers that are no counts.

    Raises:
      ValueError: for one that is below 0 or not whole.
    """
    for name, value in options.items():
        if isinstance(value, numbers.Real) and not (
            isinstance(value, numbers.Integral) and int(value) >= 0
        ):
            raise ValueError(f"`{name}` must be an integer >= 0; received {value}")
