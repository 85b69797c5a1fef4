"""Times the image network's training and pictures beside PyTorch.

The same network is written in PyTorch (`i1_rows/torch_network.py`), channels last, run
eagerly and under bfloat16 autocast; its outputs and loss are compared with ours first.
A training step is labels, forward, the loss "Adaptive I1", backward and RMSProp. Every
row has a process of its own; the two sides of a row take turns, figures are medians.

  ./set.sh data --images
  python benchmarks/i1.py
  python benchmarks/i1.py --only step --rounds=21

Needs PyTorch and OpenCV (`pip install -e .[bench]`).
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Waiting threads of one side may not slow down the other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from worker import Worker

# Options of both sides, and of ours alone.
TIMED = {
    "training step, float32": ("step", ()),
    "training step, bfloat16": ("step", ("--bfloat16",)),
    "forward, float32": ("forward", ()),
    "forward, bfloat16": ("forward", ("--bfloat16",)),
}
MEMORY = {
    "ours": ("i1_rows.keras_side", ()),
    "ours, `--remat`": ("i1_rows.keras_side", ("--remat",)),
    "PyTorch": ("i1_rows.torch_side", ()),
}
MEMORY_DEPTH_BINS = "64"
MEMORY_STEPS = 3
ROWS = ("step", "forward", "memory", "pictures")


def main() -> None:
    arguments = _arguments()
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}\n")
    with tempfile.TemporaryDirectory() as folder:
        _prepare(
            folder, "4", arguments.data_dir if _wants(arguments, "pictures") else None
        )
        _print_times(folder, arguments)
        if _wants(arguments, "memory"):
            _prepare(folder, MEMORY_DEPTH_BINS)
            _print_memory(folder)
        if _wants(arguments, "pictures"):
            _print_pictures(folder, arguments)


def _arguments() -> argparse.Namespace:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--data_dir", type=Path, default=root / "data" / "images")
    parser.add_argument("--jit", action="store_true", help="ours compiled by XLA")
    return parser.parse_args()


def _wants(arguments: argparse.Namespace, row: str) -> bool:
    return row in arguments.only


def _prepare(folder: str, depth_bins: str, data_dir: Path | None = None) -> None:
    options = ["--folder", folder, "--depth_bins", depth_bins]
    if data_dir is not None:
        options += ["--data_dir", str(data_dir.resolve())]
    subprocess.run(
        [sys.executable, "-m", "i1_rows.keras_side", "prepare", *options],
        cwd=Path(__file__).parent,
        check=True,
    )


def _print_times(folder: str, arguments: argparse.Namespace) -> None:
    rows = {name: row for name, row in TIMED.items() if _wants(arguments, row[0])}
    if not rows:
        return
    jit = ("--jit",) if arguments.jit else ()
    print("| D = 4, batch 2 | ours, s | PyTorch, s | ratio | ours, first call |")
    print("|---|---|---|---|---|")
    for name, (row, options) in rows.items():
        common = (row, "--folder", folder, *options)
        sides = [
            Worker("i1_rows.keras_side", *common, *jit),
            Worker("i1_rows.torch_side", *common),
        ]
        first = float(sides[0].ask())
        ours, torchs = _in_turns(sides, arguments.rounds)
        print(
            f"| {name} | {ours:.3f} | {torchs:.3f} | {ours / torchs:.2f} "
            f"| {first:.0f} s |",
            flush=True,
        )


def _in_turns(sides: Sequence[Worker], rounds: int) -> list[float]:
    """Median figure of each side; ends them."""
    for side in sides:
        side.ask()  # compiles, allocates
    figures = [[float(side.ask()) for side in sides] for _ in range(rounds)]
    for side in sides:
        side.close()
    return [statistics.median(column) for column in zip(*figures, strict=True)]


def _print_memory(folder: str) -> None:
    print(f"\n| D = {MEMORY_DEPTH_BINS}, batch 2, training step | peak memory |")
    print("|---|---|")
    for name, (module, options) in MEMORY.items():
        size = ("--folder", folder, "--depth_bins", MEMORY_DEPTH_BINS)
        side = Worker(module, "step", *size, *options)
        for _ in range(MEMORY_STEPS):
            side.ask()
        print(f"| {name} | {side.close() / 1024:.2f} GiB |", flush=True)


def _print_pictures(folder: str, arguments: argparse.Namespace) -> None:
    data_dir = str(arguments.data_dir.resolve())
    common = ("pictures", "--folder", folder)
    sides = [
        Worker("i1_rows.keras_side", *common, "--data_dir", data_dir),
        Worker("i1_rows.torch_side", *common),
    ]
    ours, torchs = _in_turns(sides, arguments.rounds)
    print("\n| pictures decoded and augmented | per second |")
    print("|---|---|")
    print(f"| ours | {ours:.0f} ({ours / torchs:.2f} times) |")
    print(f"| PyTorch's DataLoader with OpenCV | {torchs:.0f} |")


if __name__ == "__main__":
    main()
