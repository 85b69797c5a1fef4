"""How fast a stream is, and what it costs in all its processes."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import worker

# While nobody asks, streams work ahead: those batches are not counted.
_AHEAD, _TIMED = 10, 20
# Of a process's `stat`, behind its name: time in user and system mode.
_TIMES = slice(11, 13)


def serve(stream: Iterator[Any]) -> None:
    """Answers every request by pictures per second and CPU milliseconds of each."""
    worker.serve(_figures(stream))


def _figures(stream: Iterator[Any]) -> Callable[[str], str]:
    def figures(_: str) -> str:
        for _ in range(_AHEAD):
            next(stream)
        start, used = time.perf_counter(), _cpu_seconds()
        pictures = sum(len(next(stream)["joints_2d"]) for _ in range(_TIMED))
        seconds, used = time.perf_counter() - start, _cpu_seconds() - used
        return f"{pictures / seconds} {1e3 * used / pictures}"

    return figures


def _cpu_seconds() -> float:
    """Of this process and its children."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ticks = 0
    for process in ("self", *children):
        stat = Path(f"/proc/{process}/stat").read_text()
        ticks += sum(map(int, stat.rpartition(")")[2].split()[_TIMES]))
    return ticks / os.sysconf("SC_CLK_TCK")
