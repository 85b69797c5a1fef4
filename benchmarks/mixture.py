"""Trains the lifter by either evidence, and shows which components take and learn.

  python benchmarks/mixture.py [--data_dir=FOLDER] [--parameters_dir=FOLDER]

Equal frames, batches, seeds and updates for both; the training step is that of
`human_pose/main.py --train=1`. Before and after, on frames of the test file: the share
of frames that each component takes (its share of the pose is the largest), the norm of
the loss's gradient to each component's own variables, as a fraction of the largest, and
the error of metric 2, in mm.
"""

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from human_pose.datasets.pose_files import PoseSet, read_pose_file
from human_pose.lifting import PPCALifter, read_cameras, read_mixture
from human_pose.lifting.comparison import beside_truth, training_error
from human_pose.lifting.config import EVIDENCES
from human_pose.lifting.training.batches import FrameBatches
from human_pose.lifting.training.trainer import LiftingTrainer

ROOT = Path(__file__).resolve().parent.parent
BATCH = 4
LEARNING_RATE = 5e-2  # of main.py, both
MEASURED_AT_ONCE = 16


def main() -> None:
    arguments = _arguments()
    train = read_pose_file(arguments.data_dir / "train_sh.h5")
    train = _spread(train, arguments.updates * BATCH // arguments.epochs)
    test = _spread(read_pose_file(arguments.data_dir / "test_sh.h5"), arguments.test)
    print(f"{len(train)} training, {len(test)} test frames of {arguments.data_dir}")
    print("| evidence | seed | updates | mm | taken | gradient, of the largest | s |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for seed in range(arguments.seeds):
        for evidence in EVIDENCES:
            trainer = LiftingTrainer(_lifter(arguments, evidence), metric=2)
            trainer.compile_as_published(LEARNING_RATE)
            if not seed:
                print(f"| {evidence} | | 0 | {_measured(trainer.lifter, test)} | |")
            start = time.perf_counter()
            batches = FrameBatches(train, batch_size=BATCH, shuffle=True, seed=seed)
            for epoch in range(arguments.epochs):
                trainer.fit(batches.epoch(epoch), verbose=0, shuffle=False)
            seconds = time.perf_counter() - start
            print(
                f"| {evidence} | {seed} | {int(trainer.optimizer.iterations)} "
                f"| {_measured(trainer.lifter, test)} | {seconds:.0f} |",
                flush=True,
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", type=Path, default=ROOT / "data")
    parser.add_argument("--parameters_dir", type=Path, default=ROOT / "data")
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--updates", type=int, default=168)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test", type=int, default=125, help="test frames")
    return parser.parse_args()


def _spread(poses: PoseSet, count: int) -> PoseSet:
    return poses[np.linspace(0, len(poses) - 1, min(count, len(poses))).astype(int)]


def _lifter(arguments: argparse.Namespace, evidence: str) -> PPCALifter:
    folder = arguments.parameters_dir
    mixture = read_mixture(folder / "model_parameters.h5", arguments.models)
    cameras = read_cameras(folder / "avg_cameras.h5")
    return PPCALifter(mixture, cameras, evidence=evidence)


def _measured(lifter: PPCALifter, test: PoseSet) -> str:
    """Error, frames taken and gradients, as cells of the table."""
    own = [
        variable
        for variable in lifter.trainable_variables
        if variable.shape.rank and variable.name != "cameras"
    ]

    def measure(joints_2d_px: tf.Tensor, joints_3d_mm: tf.Tensor):
        with tf.GradientTape() as tape:
            lifted = lifter(joints_2d_px, training=True)
            truth, found = beside_truth(lifted["pose"], joints_3d_mm)
            errors_mm = training_error(truth, found, 2)
            total = tf.reduce_sum(errors_mm)
        gradients = tape.gradient(total, [variable.value for variable in own])
        return errors_mm, tf.argmax(lifted["share"], -1), gradients

    errors_mm, taken, sums = [], [], [np.zeros(variable.shape) for variable in own]
    for start in range(0, len(test), MEASURED_AT_ONCE):
        part = test[np.arange(start, min(start + MEASURED_AT_ONCE, len(test)))]
        found = measure(tf.constant(part.joints_2d_px), tf.constant(part.joints_3d_mm))
        errors_mm += found[0].numpy().tolist()
        taken += found[1].numpy().tolist()
        sums = [total + np.asarray(g) for total, g in zip(sums, found[2], strict=True)]
    squares = [np.square(g).reshape(lifter.models, -1).sum(1) for g in sums]
    norms = np.sqrt(np.sum(squares, 0))
    counts = np.bincount(taken, minlength=lifter.models) / len(taken)
    shares = " / ".join(f"{100 * share:.0f} %" for share in counts)
    fractions = " / ".join(f"{norm:.1e}" for norm in norms / norms.max())
    return f"{np.mean(errors_mm):.2f} | {shares} | {fractions}"


if __name__ == "__main__":
    main()
