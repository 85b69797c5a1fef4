"""A process that makes calls on request, so that two sides can take turns.

Each line of its input is one call, answered by a figure; after the last line it writes
its peak resident memory. Two frameworks in one process would fight over threads.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_AHEAD = 10


def serve(call: Callable[[], float | None]) -> None:
    """Answers every line of the input: what `call` returns, or its seconds."""
    # Libraries write to the output too; answers are marked.
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        figure = call()
        seconds = time.perf_counter() - start
        print(f"answer {seconds if figure is None else figure}", flush=True)
    print(f"answer {peak_memory_mib()}", flush=True)


def peak_memory_mib() -> float:
    """Of this process since it was started, ru_maxrss without the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


class Worker:
    """The other end: a process that serves.

    Args:
      module: of this package.
      *arguments: its command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"i1_rows.{module}", *arguments]
        self._process = subprocess.Popen(
            command,
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read("ready")

    def ask(self) -> float:
        """One call's figure."""
        self._process.stdin.write("call\n")
        self._process.stdin.flush()
        return float(self._read("answer"))

    def close(self) -> float:
        """Ends the process; its peak memory, MiB."""
        self._process.stdin.close()
        peak = float(self._read("answer"))
        self._process.wait()
        return peak

    def _read(self, mark: str) -> str:
        for line in self._process.stdout:
            if line.startswith(mark):
                return line.removeprefix(mark).strip()
        raise RuntimeError(f"{self._process.args} ended with an error, see above")


def stream_rate(batches: Iterator[Any], timed: int = 20) -> float:
    """Samples per second of a stream of batches whose sample axis is the first.

    While nobody asks, streams work ahead: those batches are not counted.
    """
    for _ in range(_AHEAD):
        next(batches)
    start = time.perf_counter()
    samples = sum(len(next(batches)["joints_2d"]) for _ in range(timed))
    return samples / (time.perf_counter() - start)
