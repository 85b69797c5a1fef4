"""Times training steps on a GPU beside PyTorch, for every depth of the curriculum.

The network and its step are those of `benchmarks/i1.py`, in float32 (convolutions in
TF32 on both sides, as both have it by themselves) and in mixed precision, plain and
compiled. A call is some steps; what they are given is copied to the card each time.
Sides take turns, figures are medians; memory is the most that a side's own allocator
has given out. First calls, which compile and choose algorithms, are told apart.

On an H200 with 16 cores first calls of the plain sides took a minute, ours with `--jit`
four. PyTorch may have an interpreter of its own: both want CUDA's libraries.

  python benchmarks/i1_gpu.py --torch_python=python3
  python benchmarks/i1_gpu.py --depth_bins 4 64 --batch=8 --rounds=5
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Sides share the card.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import argparse
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from i1_rows.worker import MEMORY
from worker import Worker, WorkerDiedError

# A side's name, its module and options.
SIDES = {
    "ours": ("i1_rows.keras_side", ()),
    "ours, `--jit`": ("i1_rows.keras_side", ("--jit",)),
    "PyTorch": ("i1_rows.torch_side", ()),
    "PyTorch, compiled": ("i1_rows.torch_side", ("--compiled",)),
}
PRECISIONS = {"float32": (), "bfloat16": ("--bfloat16",)}


def main() -> None:
    arguments = _arguments()
    print(f"{_card()}, batches of {arguments.batch}\n")
    with tempfile.TemporaryDirectory() as folder:
        with ThreadPoolExecutor() as pool:  # Each mostly waits for its process.
            list(pool.map(lambda bins: _prepare(folder, bins), arguments.depth_bins))
        print("| D | layers | side | ms a step | pictures/s | GiB | first call |")
        print("|---:|---|---|---:|---:|---:|---:|")
        for bins in arguments.depth_bins:
            _print_rows(folder, bins, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth_bins", type=int, nargs="+", default=[4, 8, 16, 32, 64])
    names = list(PRECISIONS)
    parser.add_argument("--precisions", nargs="+", choices=names, default=names)
    names = list(SIDES)
    parser.add_argument("--sides", nargs="+", choices=names, default=names)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20, help="of a call")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at_once", type=int, default=1, help="of first calls")
    parser.add_argument("--torch_python", default=sys.executable)
    return parser.parse_args()


def _card() -> str:
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def _prepare(folder: str, depth_bins: int) -> None:
    """Weights and the outputs that they give, by the CPU: in whole float32."""
    options = ["--folder", folder, "--depth_bins", str(depth_bins)]
    subprocess.run(
        [sys.executable, "-m", "i1_rows.keras_side", "prepare", *options],
        cwd=Path(__file__).parent,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
        check=True,
    )


def _print_rows(folder: str, bins: int, arguments: argparse.Namespace) -> None:
    """Of all sides in all precisions that answer."""
    rows = [(p, name) for p in arguments.precisions for name in arguments.sides]
    with ThreadPoolExecutor(arguments.at_once) as pool:
        found = pool.map(lambda row: _start(folder, bins, *row, arguments), rows)
        sides = {
            row: side for row, side in zip(rows, found, strict=True) if side is not None
        }
    for worker, _ in sides.values():
        worker.ask()  # once more, for allocators
    times = [
        [float(worker.ask()) / arguments.steps for worker, _ in sides.values()]
        for _ in range(arguments.rounds)
    ]
    figures = map(statistics.median, zip(*times, strict=True))
    for (row, (worker, first)), seconds in zip(sides.items(), figures, strict=True):
        print(
            f"| {bins} | {row[0]} | {row[1]} | {1000 * seconds:.1f} "
            f"| {arguments.batch / seconds:.0f} "
            f"| {float(worker.ask(MEMORY)) / 1024:.2f} | {first:.0f} s |",
            flush=True,
        )
        worker.close()


def _start(
    folder: str, bins: int, precision: str, name: str, arguments: argparse.Namespace
) -> tuple[Worker, float] | None:
    """A side after its first call, and that one's seconds; none if it failed."""
    module, options = SIDES[name]
    own = {"python": arguments.torch_python} if "torch" in module else {}
    try:
        worker = Worker(
            module,
            "step",
            *("--gpu", "--folder", folder, "--depth_bins", str(bins)),
            *("--batch", str(arguments.batch), "--steps", str(arguments.steps)),
            *(*PRECISIONS[precision], *options),
            quiet=True,
            **own,
        )
        first = float(worker.ask())
    except WorkerDiedError as error:
        print(f"D = {bins}, {precision}, {name}: {error}", file=sys.stderr)
        return None
    print(f"D = {bins}, {precision}, {name}: called, {first:.0f} s", file=sys.stderr)
    return worker, first


if __name__ == "__main__":
    main()
