"""Which cases of a parametrised test are run by default; the others are large."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def large_unless(default: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """All cases for `pytest.mark.parametrize`, marked large unless in `default`.

    Args:
      default: some of them.
      cases: tuples of arguments, or single arguments that are no tuples.
    """
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=() if case in default else pytest.mark.large,
        )
        for case in cases
    ]
