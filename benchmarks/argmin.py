"""Times minimising and differentiating beside JAX, JAXopt, Optimistix and PyTorch.

Every row of a table is measured in this one process, with every framework on all cores,
in interleaved rounds; figures are medians, compiling is not counted. The rows have the
same inputs; the last two columns tell how far minimiser and gradient are from the first
row's (median over problems of the largest difference). Frameworks that are not
installed are left out (`pip install -e .[bench]`).

Memory (Linux): the highest resident memory of a process that makes the row's call, once
compiled, less that of a process whose problem has a hundredth of the size; good to
several MiB.

  python benchmarks/argmin.py
  python benchmarks/argmin.py --only=toy --rounds=101
"""

import os

# Before anything loads: idle threads of one framework may not slow down the next.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import argparse
import importlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from argmin_rows import problems

FRAMEWORKS = ("wiberg", "jax_by_hand", "with_jaxopt", "with_optimistix", "with_torch")
# What the agreement of rows that compute the same is held to.
TOLERANCE = 1e-6


class Row(NamedTuple):
    """A row's module in `argmin_rows` and what it times."""

    framework: str
    call: Callable


def main() -> None:
    arguments = _arguments()
    if arguments.memory:
        framework, row = arguments.memory
        rows = _rows(arguments.only[0], arguments.size, (framework,))
        print(_peak_mib(rows[row].call))
        return
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}")
    for name in arguments.only:
        _print_table(name, arguments.rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    names = list(problems.CASES)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _print_table(name: str, rounds: int) -> None:
    case = problems.CASES[name]
    rows = _rows(name, case.size)
    differences = _differences(rows)
    seconds = _interleaved(rows, rounds)
    print(f"\n| {case.title} | problems/s | ms | MiB | minimiser | gradient |")
    print("|---|---|---|---|---|---|")
    for row, median in seconds.items():
        minimiser, gradient = differences[row]
        memory = _memory(name, rows[row].framework, row)
        print(
            f"| {row} | {case.count / median:,.0f} | {1000 * median:.2f} "
            f"| {memory} | {minimiser:.0e} | {gradient:.0e} |",
            flush=True,
        )


def _rows(
    name: str, size: int, frameworks: Sequence[str] = FRAMEWORKS
) -> dict[str, Row]:
    """The rows of a problem; says on stderr what is not installed."""
    problem = problems.CASES[name].make(size)
    rows = {}
    for framework in frameworks:
        try:
            module = importlib.import_module(f"argmin_rows.{framework}")
        except ModuleNotFoundError as error:
            print(f"{framework} left out: no {error.name}", file=sys.stderr)
            continue
        if hasattr(module, name):
            calls = getattr(module, name)(problem)
            rows |= {row: Row(framework, call) for row, call in calls.items()}
    return rows


def _result(call: Callable) -> list[np.ndarray]:
    """The minimiser and the gradient; waits for frameworks that do not."""
    return [np.asarray(entry) for entry in call()]


def _differences(rows: dict[str, Row]) -> dict[str, list[float]]:
    """How far minimiser and gradient of each row are from the first's.

    Medians over problems of the largest difference: some have several minima.

    Raises:
      AssertionError: if rows of one algorithm differ.
    """
    results = {name: _result(row.call) for name, row in rows.items()}
    first = next(iter(results.values()))
    differences = {
        name: [_difference(*pair) for pair in zip(result, first, strict=True)]
        for name, result in results.items()
    }
    for name, (minimiser, gradient) in differences.items():
        if "as published" in name and not max(minimiser, gradient) < TOLERANCE:
            raise AssertionError(f"{name} differs: {minimiser}, {gradient}")
    return differences


def _difference(result: np.ndarray, first: np.ndarray) -> float:
    gaps = np.abs(result - first).reshape([max(first.shape[:1], default=1), -1])
    return float(np.median(gaps.max(-1)))


def _interleaved(rows: dict[str, Row], rounds: int) -> dict[str, float]:
    """Median seconds per call of each row."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, (_, call) in rows.items():
            _result(call)  # The row before has left its own data in the caches.
            start = time.perf_counter()
            _result(call)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def _memory(name: str, framework: str, row: str) -> str:
    """What a row needs for its problem and not for a tiny one, MiB."""
    if sys.platform != "linux":
        return "-"
    size = problems.CASES[name].size
    command = [sys.executable, __file__, "--only", name, "--memory", framework, row]
    full, tiny = (_peak_in_a_process(command, n) for n in (size, size // 100))
    return f"{max(full - tiny, 0):.0f}"


def _peak_in_a_process(command: list[str], size: int) -> float:
    child = subprocess.run(
        [*command, "--size", str(size)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # Freed blocks go back to the system, so that compiling does not hide a call.
        env=os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"},
    )
    return float(child.stdout)


def _peak_mib(call: Callable) -> float:
    """The highest resident memory during calls, compiling left out."""
    _result(call)
    # Starts the high-water mark anew.
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(3):
        _result(call)
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
