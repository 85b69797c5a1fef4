"""A peer's process: `python -m argmin_rows.peer MODULE CASE SIZE`.

It makes the problem, and the rows of the module for it, and greets with their names, or
with the name of what is not installed. Requests, in JSON, name a row:

["time", row]           seconds of a call
["result", row, file]   writes minimiser and gradient to an .npz file
["peak", row]           the highest resident memory during calls, MiB
"""

import argparse
import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import worker

from argmin_rows import problems


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("case", choices=list(problems.CASES))
    parser.add_argument("size", type=int)
    arguments = parser.parse_args()
    try:
        module = importlib.import_module(arguments.module)
    except ModuleNotFoundError as error:
        worker.serve(str, json.dumps({"missing": error.name}))
        return
    rows: dict[str, Callable] = {}
    if hasattr(module, arguments.case):
        problem = problems.CASES[arguments.case].make(arguments.size)
        rows = getattr(module, arguments.case)(problem)

    def answer(line: str) -> object:
        request, row, *rest = json.loads(line)
        return _ANSWERS[request](rows[row], *rest)

    worker.serve(answer, json.dumps({"rows": list(rows)}))


def _result(call: Callable) -> list[np.ndarray]:
    """The minimiser and the gradient; waits for frameworks that do not."""
    return [np.asarray(entry) for entry in call()]


def _time(call: Callable) -> float:
    _result(call)  # The row before has left its own data in the caches.
    start = time.perf_counter()
    _result(call)
    return time.perf_counter() - start


def _save(call: Callable, path: str) -> str:
    minimiser, gradient = _result(call)
    np.savez(path, minimiser=minimiser, gradient=gradient)
    return path


def _peak(call: Callable) -> float:
    """Compiling is left out."""
    _result(call)
    # Starts the high-water mark anew.
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(3):
        _result(call)
    return worker.peak_memory_mib()


_ANSWERS = {"time": _time, "result": _save, "peak": _peak}

if __name__ == "__main__":
    main()
