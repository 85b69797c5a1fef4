"""The ways in which a training can be shared, in words; `cluster` does it."""

from typing import Final, Literal, get_args

Distribution = Literal["none", "mirrored", "multiworker"]
DISTRIBUTIONS: Final = get_args(Distribution)
