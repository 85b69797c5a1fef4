"""Trains with the default flags and measures chosen test frames after each epoch.

  python benchmarks/training_progress.py --data_dir=FOLDER --parameters_dir=FOLDER \
      --test_path=test_sh.h5 [--indices=FILE.npz] [--epochs=3]

Training is the real command, `human_pose/main.py --train=1`; the test frames are the
rows `indices` of the test file, or every fifth. Errors are means of metric 2, in mm.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as results:
        command = [
            sys.executable,
            str(ROOT / "human_pose" / "main.py"),
            "--train=1",
            "--name=run",
            f"--epochs={arguments.epochs}",
            f"--data_dir={arguments.data_dir.resolve()}",
            f"--parameters_dir={arguments.parameters_dir.resolve()}",
            f"--results_dir={results}",
        ]
        subprocess.run(command, check=True)
        checkpoints = Path(results) / "run" / "check"
        _report(arguments, checkpoints)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, default=ROOT / "data")
    parser.add_argument("--parameters_dir", type=Path, default=ROOT / "data")
    parser.add_argument("--test_path", type=Path, help="default: DATA_DIR/test_sh.h5")
    parser.add_argument("--indices", type=Path, help="an .npz that holds `indices`")
    parser.add_argument("--epochs", type=int, default=3)
    return parser.parse_args()


def _report(arguments: argparse.Namespace, checkpoints: Path) -> None:
    from human_pose.datasets.pose_files import read_pose_file
    from human_pose.lifting import (
        PPCALifter,
        load_checkpoint,
        read_cameras,
        read_checkpoint,
        read_mixture,
    )
    from human_pose.lifting.comparison import training_error
    from human_pose.lifting.evaluation.run import reconstruct

    poses = read_pose_file(arguments.test_path or arguments.data_dir / "test_sh.h5")
    rows = np.arange(0, len(poses), 5)
    if arguments.indices:
        rows = np.load(arguments.indices)["indices"]
    folder = arguments.parameters_dir
    lifter = PPCALifter(
        read_mixture(folder / "model_parameters.h5", 3),
        read_cameras(folder / "avg_cameras.h5"),
    )
    print("| after epoch | metric 2, mm |")
    print("|---|---|")
    for epoch in range(-1, arguments.epochs):
        if epoch >= 0:
            load_checkpoint(
                lifter, read_checkpoint(checkpoints / f"epoch_{epoch}.h5", 3)
            )
        truth, reconstruction = reconstruct(
            lifter, poses[rows], batch_size=16, verbose=False
        )
        error_mm = np.mean(training_error(truth, reconstruction, 2))
        print(f"| {epoch + 1} | {error_mm:.2f} |")


if __name__ == "__main__":
    main()
