"""Times the lifter beside a good dense NumPy version of the original's arithmetic.

Every row is measured in this one process, on the same threads, in interleaved rounds;
figures are medians. The dense version is checked to give the same poses.

  python benchmarks/lifting.py
  python benchmarks/lifting.py --input_path=FILE_sh.h5 --parameters_dir=FOLDER
"""

import os

# Before NumPy loads: the dense version runs its frames in threads of its own.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from human_pose.datasets.pose_files import PoseSet, read_pose_file

FORWARD_BATCH = 16
TRAINING_BATCH = 4

# Measured by running the original's graph on two cores, per frame (README there).
ORIGINAL_FORWARD_S = 0.36
ORIGINAL_STEP_S = 4.9 / 4


def main() -> None:
    arguments = _arguments()
    if arguments.peak_memory:
        print(_peak_memory_mib(arguments))
        return
    rows = _rows(arguments)
    times = _interleaved(rows, arguments.rounds)
    dense = times["dense NumPy, forward"]
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}")
    print(f"{arguments.input_path}, parameters of {arguments.parameters_dir}\n")
    print("| per frame | ms | times faster than dense | than the original |")
    print("|---|---|---|---|")
    for name, seconds in times.items():
        original = ORIGINAL_STEP_S if "step" in name else ORIGINAL_FORWARD_S
        print(
            f"| {name} | {1000 * seconds:.2f} | {dense / seconds:.1f} "
            f"| {original / seconds:.0f} |"
        )
    memory = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--peak_memory"],
        check=True,
        capture_output=True,
        text=True,
    )
    print(f"\npeak resident memory of training: {memory.stdout.strip()} MiB")


def _arguments() -> argparse.Namespace:
    root = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input_path", default=root / "data" / "sample.h5")
    parser.add_argument("--parameters_dir", type=Path, default=root / "data")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peak_memory", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _rows(arguments: argparse.Namespace) -> dict[str, tuple[Callable, int]]:
    """For each row a call, and the frames it works on."""
    import tensorflow as tf
    from dense_lifting import DenseLifter

    threads = len(os.sched_getaffinity(0))
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    frames = _frames(arguments, FORWARD_BATCH)
    lifter = _lifter(arguments)
    joints = tf.constant(frames.joints_2d_px)
    forward = tf.function(lambda: lifter(joints))
    exhaustive = _lifter(arguments, exhaustive=True)
    full = tf.function(lambda: exhaustive(joints))
    dense = DenseLifter(
        lifter.mixture.mean_poses_mm,
        lifter.mixture.bases,
        lifter.mixture.inverse_deviations,
        lifter.cameras,
        threads=threads,
    )
    poses, _ = dense(frames.joints_2d_px)
    difference = np.abs(np.swapaxes(poses, 1, 2) - forward()["pose"]).max()
    # Of a pose of norm 0.97, so 1e-7 mm for a person.
    assert difference < 1e-10, f"the two versions differ by {difference}"
    return {
        "dense NumPy, forward": (lambda: dense(frames.joints_2d_px), FORWARD_BATCH),
        "forward": (forward, FORWARD_BATCH),
        "forward, exhaustive": (full, FORWARD_BATCH),
        "training step, trust_region": (
            _training_step(arguments, "trust_region"),
            TRAINING_BATCH,
        ),
        "training step, unrolled": (
            _training_step(arguments, "unrolled"),
            TRAINING_BATCH,
        ),
    }


def _frames(arguments: argparse.Namespace, count: int) -> PoseSet:
    """Frames spread over the file; a short file's repeat."""
    poses = read_pose_file(arguments.input_path)
    return poses[np.linspace(0, len(poses) - 1, count).astype(int)]


def _lifter(arguments: argparse.Namespace, **options):
    from human_pose.lifting import PPCALifter, read_cameras, read_mixture

    folder = arguments.parameters_dir
    mixture = read_mixture(folder / "model_parameters.h5", 3)
    return PPCALifter(mixture, read_cameras(folder / "avg_cameras.h5"), **options)


def _training_step(arguments: argparse.Namespace, derivative: str) -> Callable:
    """One step of what `main.py --train=1` runs, its data already in memory."""
    from human_pose.lifting.training.batches import FrameBatches
    from human_pose.lifting.training.trainer import LiftingTrainer

    trainer = LiftingTrainer(_lifter(arguments, derivative=derivative), metric=2)
    # With a rate of 0 every step is alike: the start's parameters, once clipped.
    trainer.compile_as_published(learning_rate=0.0)
    frames = _frames(arguments, FORWARD_BATCH)
    batches = FrameBatches(frames, batch_size=TRAINING_BATCH)
    iterator = iter(batches.epoch(0).repeat())
    trainer.make_train_function()
    return lambda: trainer.train_function(iterator)


def _interleaved(
    rows: dict[str, tuple[Callable, int]], rounds: int
) -> dict[str, float]:
    """Median seconds per frame of each row."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for call, _ in rows.values():
        call()  # traces and compiles
    for _ in range(rounds):
        for name, (call, frames) in rows.items():
            start = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - start) / frames)
    return {name: statistics.median(values) for name, values in times.items()}


def _peak_memory_mib(arguments: argparse.Namespace) -> int:
    step = _training_step(arguments, "trust_region")
    for _ in range(20):
        step()
    if sys.platform == "linux":
        # ru_maxrss would start from the parent's peak; this one starts at exec.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


if __name__ == "__main__":
    main()
