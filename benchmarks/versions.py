"""Times this checkout beside another one, for example of an earlier version.

Each side runs the rows of its own benchmarks, each in a process of its own; the two
sides take turns, figures are medians and the ratio is the median of the rounds'.

  git worktree add ../earlier COMMIT
  python benchmarks/versions.py ../earlier --data_dir=data/images
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import platform
import statistics
import tempfile
from pathlib import Path

from versions_side import ROWS
from worker import Worker

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 3


def main() -> None:
    arguments = _arguments()
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}\n")
    print("| row | this | other | ratio of times |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        _side(ROOT, "prepare", folder, arguments).close()
        for row in arguments.only:
            _print_row(row, folder, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="the root of the other checkout")
    parser.add_argument("--data_dir", type=Path, default=ROOT / "data" / "images")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS)
    return parser.parse_args()


def _print_row(row: str, folder: str, arguments: argparse.Namespace) -> None:
    sides = [
        _side(root, row, folder, arguments)
        for root in (ROOT, arguments.other.resolve())
    ]
    for _ in range(WARM_UP):  # compiles, allocates
        for side in sides:
            side.ask()
    rounds = [[float(side.ask()) for side in sides] for _ in range(arguments.rounds)]
    for side in sides:
        side.close()
    this, other = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    figures = f"{1000 * this:.2f} ms | {1000 * other:.2f} ms | {ratio:.3f}"
    print(f"| {row} | {figures} |", flush=True)


def _side(root: Path, row: str, folder: str, arguments: argparse.Namespace) -> Worker:
    data_dir = str(arguments.data_dir.resolve())
    return Worker("versions_side", str(root), row, folder, data_dir)


if __name__ == "__main__":
    main()
