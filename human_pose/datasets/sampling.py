"""How samples can be drawn, in words and numbers; `order` does it."""

from typing import Final, Literal, get_args

Sampling = Literal["epochs", "replacement"]
SAMPLINGS: Final = get_args(Sampling)
# Seeds of a stream are below this.
SEEDS: Final = 2**30
