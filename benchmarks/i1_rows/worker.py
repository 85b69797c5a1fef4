"""What a side's process does: calls on request, each answered by a figure."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import worker

_AHEAD = 10


def serve(call: Callable[[], float | None]) -> None:
    """Answers every request: what `call` returns, or its seconds."""

    def figure(_: str) -> float:
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
