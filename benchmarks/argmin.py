"""Times minimising and differentiating beside JAX, JAXopt, Optimistix and PyTorch.

Every framework has a process of its own, with all cores, and the rows of a table take
turns in interleaved rounds; figures are medians, compiling is not counted. The rows
have the same inputs; the last two columns tell how far minimiser and gradient are from
the first row's (median over problems of the largest difference). Frameworks that are
not installed are left out (`pip install -e .[bench]`), and so are those that fail; a
line on stderr says so.

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
import json
import platform
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from argmin_rows import problems
from worker import Worker, WorkerDiedError

FRAMEWORKS = tuple(
    f"argmin_rows.{name}"
    for name in (
        "wiberg",
        "jax_by_hand",
        "with_jaxopt",
        "with_optimistix",
        "with_torch",
    )
)
# What the agreement of rows that compute the same is held to.
TOLERANCE = 1e-6


def main() -> None:
    arguments = _arguments()
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}")
    for name in arguments.only:
        print_table(name, FRAMEWORKS, arguments.rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    names = list(problems.CASES)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    return parser.parse_args()


class Peer:
    """A framework's process for one problem.

    Args:
      module: of the framework's rows.
      case: the problem's name in `problems.CASES`.
      size: of the problem.
      **environment: variables of its own.

    Attributes:
      rows: the names of its rows; none if it is not installed, takes no part, or has
        failed, of which a line on stderr tells.
    """

    def __init__(self, module: str, case: str, size: int, **environment: str) -> None:
        self._module = module
        self._worker: Worker | None = None
        self.rows: list[str] = []
        try:
            self._worker = Worker(
                "argmin_rows.peer",
                module,
                case,
                str(size),
                quiet=True,
                **environment,
            )
        except WorkerDiedError as error:
            self._leave_out(str(error))
            return
        greeting = json.loads(self._worker.greeting)
        if "missing" in greeting:
            self._leave_out(f"no {greeting['missing']}")
        else:
            self.rows = greeting["rows"]

    def ask(self, *request: str) -> str | None:
        """The answer; None once the process has failed."""
        if self._worker is None:
            return None
        try:
            return self._worker.ask(json.dumps(request))
        except WorkerDiedError as error:
            self.rows = []
            self._leave_out(str(error))
            return None

    def stop(self) -> None:
        """Ends the process."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _leave_out(self, reason: str) -> None:
        self.stop()
        name = self._module.rpartition(".")[2]
        print(f"{name} left out: {reason}", file=sys.stderr, flush=True)


def print_table(name: str, frameworks: Sequence[str], rounds: int) -> None:
    """Prints the rows of a problem, of the frameworks that do not fail."""
    case = problems.CASES[name]
    peers = {module: Peer(module, name, case.size) for module in frameworks}
    try:
        results = _results(peers.values())
        seconds = _interleaved(peers.values(), rounds)
        modules = {row: module for module, peer in peers.items() for row in peer.rows}
    finally:
        for peer in peers.values():
            peer.stop()
    differences = _differences({row: results[row] for row in modules})
    print(f"\n| {case.title} | problems/s | ms | MiB | minimiser | gradient |")
    print("|---|---|---|---|---|---|")
    for row, module in modules.items():
        median = statistics.median(seconds[row])
        minimiser, gradient = differences[row]
        print(
            f"| {row} | {case.count / median:,.0f} | {1000 * median:.2f} "
            f"| {_memory(name, module, row)} | {minimiser:.0e} | {gradient:.0e} |",
            flush=True,
        )


def _results(peers: Sequence[Peer]) -> dict[str, list[np.ndarray]]:
    """Minimiser and gradient of each row."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "result.npz")
        for peer in peers:
            for row in list(peer.rows):
                if peer.ask("result", row, path) is None:
                    break
                with np.load(path) as arrays:
                    results[row] = [arrays["minimiser"], arrays["gradient"]]
    return results


def _differences(results: dict[str, list[np.ndarray]]) -> dict[str, list[float]]:
    """How far minimiser and gradient of each row are from the first's.

    Medians over problems of the largest difference: some have several minima.

    Raises:
      AssertionError: if rows of one algorithm differ.
    """
    first = next(iter(results.values()), [])
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


def _interleaved(peers: Sequence[Peer], rounds: int) -> dict[str, list[float]]:
    """Seconds per call of each row, which take turns."""
    times: dict[str, list[float]] = {}
    for _ in range(rounds):
        for peer in peers:
            for row in list(peer.rows):
                answer = peer.ask("time", row)
                if answer is None:
                    break
                times.setdefault(row, []).append(float(answer))
    return times


def _memory(name: str, module: str, row: str) -> str:
    """What a row needs for its problem and not for a tiny one, MiB."""
    if sys.platform != "linux":
        return "-"
    size = problems.CASES[name].size
    peaks = []
    for n in (size, size // 100):
        # Freed blocks go back to the system, so that compiling does not hide a call.
        peer = Peer(module, name, n, MALLOC_TRIM_THRESHOLD_="65536")
        peaks.append(peer.ask("peak", row))
        peer.stop()
    full, tiny = peaks
    if full is None or tiny is None:
        return "-"
    return f"{max(float(full) - float(tiny), 0):.0f}"


if __name__ == "__main__":
    main()
