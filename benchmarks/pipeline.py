"""Times the stream of pictures from shards beside PyTorch's DataLoader.

Both decode the same JPEG bytes and augment them as the original does; how fast pictures
are decoded and thrown away is the limit of both. Every side has a process of its own;
they take turns, figures are medians. CPU time is of all processes of a side; where the
machine has other work, it says more than pictures per second.

  python benchmarks/pipeline.py
  python benchmarks/pipeline.py --only rate memory --rounds=11

Needs PyTorch and OpenCV (`pip install -e .[bench]`); `--torch_python` names the
interpreter of another environment that has them. Pictures are rendered first, and kept
in `--folder`: 1.7 GB with the rows `growth` and `start`.
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
from pathlib import Path

from worker import Worker

ROWS = ("rate", "memory", "growth", "start")
EPOCHS = 10
_OURS = "pipeline_rows.ours_side"
# Augmentation and input size of our streams: those of the presets.
_STREAMS = (("published", "256"), ("modern", "256"), ("modern", "64"))


def main() -> None:
    arguments = _arguments()
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}")
    print(f"load averages {os.getloadavg()}\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder = folder.resolve()
        subprocess.run(
            [
                *(sys.executable, "-m", "pipeline_rows.data"),
                *("--folder", folder, "--rows", *arguments.only),
            ],
            cwd=Path(__file__).parent,
            check=True,
        )
        for row, show in (
            ("rate", _show_rates),
            ("memory", _show_memory),
            ("growth", _show_growth),
            ("start", _show_start),
        ):
            if row in arguments.only:
                show(folder, arguments)
    print(f"\nload averages {os.getloadavg()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--folder", type=Path, help="of the pictures, kept")
    parser.add_argument("--torch_python", default=sys.executable)
    return parser.parse_args()


def _stream(shards: Path, augment: str = "published", size: str = "256") -> Worker:
    return Worker(
        *(_OURS, "stream", "--shards", str(shards)),
        *("--augment", augment, "--input_size", size),
    )


def _medians(sides: dict[str, Worker], rounds: int) -> dict[str, tuple[float, float]]:
    """Pictures per second and CPU ms of each, of sides that take turns; ends them."""
    for side in sides.values():
        side.ask()  # compiles, starts processes, finds the number of threads
    figures: dict[str, list[list[float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            figures[name].append([*map(float, side.ask().split())])
    for side in sides.values():
        side.close()
    return {
        name: tuple(map(statistics.median, zip(*rows, strict=True)))
        for name, rows in figures.items()
    }


def _show_rates(folder: Path, arguments: argparse.Namespace) -> None:
    shards = folder / "shards"
    sides = {
        "decoding alone": Worker(_OURS, "decoding", "--shards", str(shards)),
        "PyTorch's DataLoader, published, 256 px": Worker(
            "pipeline_rows.torch_side",
            *("--folder", str(folder)),
            python=arguments.torch_python,
        ),
    }
    for augment, size in _STREAMS:
        sides[f"ours, {augment}, {size} px"] = _stream(shards, augment, size)
    figures = _medians(sides, arguments.rounds)
    (_, decoding_ms), (torch_rate, torch_ms), *_ = figures.values()
    print(
        "| decoded and augmented | pictures per second | times DataLoader's "
        "| CPU ms a picture | DataLoader's of ours | of decoding alone |"
    )
    print("|---|---|---|---|---|---|")
    for name, (rate, used_ms) in figures.items():
        print(
            f"| {name} | {rate:.0f} | {rate / torch_rate:.2f} | {used_ms:.2f} "
            f"| {torch_ms / used_ms:.2f} | {used_ms / decoding_ms:.2f} |"
        )
    print(flush=True)


def _show_memory(folder: Path, arguments: argparse.Namespace) -> None:
    side = Worker(_OURS, "epochs", "--shards", str(folder / "shards"))
    figures = [float(side.ask()) for _ in range(EPOCHS)]
    peak = side.close()
    print(f"resident after epochs 1 to {EPOCHS}, MiB:", *(f"{f:.0f}" for f in figures))
    print(f"peak: {peak:.0f} MiB\n", flush=True)


def _show_growth(folder: Path, arguments: argparse.Namespace) -> None:
    sides = {
        "1,000": _stream(folder / "shards"),
        "100,000": _stream(folder / "many"),
    }
    (few, few_ms), (many, many_ms) = _medians(sides, arguments.rounds).values()
    print(
        f"pictures per second of 1,000 and of 100,000: {few:.0f}, {many:.0f}, "
        f"{few / many:.2f} times the time per picture; CPU ms a picture {few_ms:.2f}, "
        f"{many_ms:.2f}, {many_ms / few_ms:.2f} times\n",
        flush=True,
    )


def _show_start(folder: Path, arguments: argparse.Namespace) -> None:
    side = Worker(_OURS, "start", "--shards", str(folder / "index"))
    peak = side.close()
    print(
        f"from opening 1.5 million samples to the first batch: {side.greeting} s; "
        f"peak memory {peak:.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
