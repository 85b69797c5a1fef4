"""What a side's process does: calls on request, each answered by a figure."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import worker

_AHEAD = 10


# The request for a card's memory; every other is one for a call.
MEMORY = "memory"


def serve(
    call: Callable[[], float | None], memory_mib: Callable[[], float] | None = None
) -> None:
    """Answers every request: what `call` returns, or its seconds.

    `memory_mib` tells the most that the card has held, for requests of `MEMORY`.
    """

    def figure(request: str) -> float:
        if request == MEMORY and memory_mib is not None:
            return memory_mib()
        start = time.perf_counter()
        found = call()
        seconds = time.perf_counter() - start
        return seconds if found is None else found

    worker.serve(figure)


def stream_rate(batches: Iterator[Any], timed: int = 20) -> float:
    """Samples per second of a stream of batches whose sample axis is the first.

    While nobody asks, streams work ahead: those batches are not counted.
    """
    for _ in range(_AHEAD):
        next(batches)
    start = time.perf_counter()
    samples = sum(len(next(batches)["joints_2d"]) for _ in range(timed))
    return samples / (time.perf_counter() - start)
