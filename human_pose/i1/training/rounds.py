"""The calls of `fit` that train a stage: how long, in what steps, where validated.

Pure arithmetic. Steps are batches; a chunk is the steps between two saved states, which
is an epoch of `fit`.
"""

import math
from collections.abc import Iterator


def rounds(done: int, total: int, chunk: int) -> Iterator[tuple[int, int, int]]:
    """First epoch, last epoch and steps an epoch of every call of `fit`.

    States are saved at multiples of `chunk` and at the end. The first call goes to the
    end of a chunk that was left in the middle.
    """
    first, whole = done // chunk, total // chunk
    if done % chunk and first < whole:
        yield first, first + 1, chunk - done % chunk
        first += 1
    if first < whole:
        yield first, whole, chunk
    rest = total - max(done, whole * chunk)
    if rest > 0:
        yield whole, whole + 1, rest


def steps_at_once(total: int, chunk: int, most: int, done: int = 0) -> int:
    """How many steps, up to `most`, divide those of every call of `fit`."""
    calls = (*rounds(0, total, chunk), *rounds(done, total, chunk))
    common = math.gcd(*(steps for _, _, steps in calls))
    return max(n for n in range(1, most + 1) if common % n == 0)


def validated(first: int, last: int, every: int, *, ends: bool) -> list[int]:
    """The epochs of a call of `fit`, from 1, that validate: the stage's last always."""
    return [
        epoch
        for epoch in range(first + 1, last + 1)
        if epoch % every == 0 or (ends and epoch == last)
    ]
