"""What a step of the pipeline costs beside the network's own step on the same pictures.

    python benchmarks/end_to_end_cost.py --preset=tiny --moments=8
    python benchmarks/end_to_end_cost.py --preset=published --moments=1
    python benchmarks/end_to_end_cost.py --data_dir=hard/images \
        --check_path=results/tiny_hard/check/d16.keras

Pictures are noise unless a set is named: that costs a network the same, but minimisers
take more steps to what an untrained network finds in it. Both sides take turns in one
process for the times; for the memory each side runs in a process of its own, whose peak
is told with and without what it had before its first step.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from end_to_end_rows.moments import Moments
from worker import peak_memory_mib

from human_pose.datasets.synthetic import subject_cameras
from human_pose.i1.curriculum import BALANCED
from human_pose.i1.objective.terms import Objective
from human_pose.i1.optimizers.adamw import FusedAdamW
from human_pose.i1.training.trainer import PoseTrainer
from human_pose.pipeline.checkpoint import open_pipeline
from human_pose.pipeline.config import PipelineTrainingConfig
from human_pose.pipeline.training.trainer import PipelineTrainer

VIEWS = 4
SIDES = ("own", "pipeline")
_PERSON_MM = 500.0


def main() -> None:
    """Prints times, peaks and their ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--preset", choices=("tiny", "published"), default="tiny")
    options.add_argument("--moments", type=int, default=8)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--check_path", type=Path, help="a trained network instead")
    options.add_argument("--data_dir", type=Path, help="its pictures; needs it")
    options.add_argument("--side", choices=SIDES, help="one side's memory alone")
    chosen = options.parse_args()
    if (chosen.check_path is None) != (chosen.data_dir is None):
        options.error("--check_path and --data_dir go together")
    if chosen.side:
        step = make(chosen.side, chosen)
        before = peak_memory_mib()
        for _ in range(3):
            step()
        print(f"peak {before:.0f} {peak_memory_mib():.0f}")
        return
    peaks = {side: peaks_of(side, chosen) for side in SIDES}
    steps = {side: make(side, chosen) for side in SIDES}
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    for step in steps.values():
        step()
    for _ in range(chosen.steps):
        for side, step in steps.items():
            started = time.perf_counter()
            step()
            times[side].append(time.perf_counter() - started)
    middle = {side: 1e3 * statistics.median(times[side]) for side in SIDES}
    for side in SIDES:
        before, after = peaks[side]
        print(
            f"{side:9s} {middle[side]:9.1f} ms a step, peak {after:.0f} MiB, "
            f"{before:.0f} before the first"
        )
    print(
        f"pipeline / own: time {middle['pipeline'] / middle['own']:.3f}, memory "
        f"{peaks['pipeline'][1] / peaks['own'][1]:.3f}"
    )


def peaks_of(side: str, chosen: argparse.Namespace) -> tuple[float, float]:
    """Peak memory of a process of its own before the first step, and after."""
    command = [sys.executable, __file__, f"--side={side}"]
    command += [f"--preset={chosen.preset}", f"--moments={chosen.moments}"]
    if chosen.check_path:
        command.append(f"--check_path={chosen.check_path.resolve()}")
        command.append(f"--data_dir={chosen.data_dir.resolve()}")
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent
    ).stdout
    before, after = output.split("peak ")[1].split()
    return float(before), float(after)


def make(side: str, chosen: argparse.Namespace) -> Callable[[], Any]:
    """A step of one side, which ends when everything is done."""
    parts = [chosen.check_path] if chosen.check_path else []
    pipeline = open_pipeline(parts, preset=chosen.preset)
    size = pipeline.network.input_size
    batch = (
        rendered(chosen.data_dir, size, chosen.moments)
        if chosen.data_dir
        else made_up(size, chosen.moments)
    )
    if side == "own":
        network = pipeline.network
        trainer: keras.Model = PoseTrainer(
            network, Objective(BALANCED, network.depth_bins)
        )
        optimizer = FusedAdamW(1e-6, decay=1e-2)
        trainer.compile(optimizer)
        optimizer.build(trainer.trainable_variables)
    else:
        config = PipelineTrainingConfig(Path(), learning_rate=1e-6)
        trainer = PipelineTrainer(pipeline, config)
        trainer.compile_as_configured()
    step = tf.function(trainer.train_step, autograph=False)
    return lambda: float(step(batch)["loss"])


def rendered(folder: Path, size: int, moments: int) -> dict[str, Any]:
    """A batch of a set's training moments, at even distances."""
    found = Moments(folder, "train", size, moments)
    return found.batch(np.arange(moments), tuple(range(VIEWS)))


def made_up(size: int, moments: int) -> dict[str, Any]:
    """A batch of people whose pictures are noise."""
    rng = np.random.default_rng(0)
    cameras = subject_cameras(1, 0)
    count = moments * VIEWS
    joints = rng.normal(0, _PERSON_MM, (moments, 16, 3)) + np.array([0, 0, 900])
    boxes = np.tile([200.0, 200.0, 800.0, 800.0], (count, 1))
    single = {
        "image": rng.normal(0, 0.2, (count, size, size, 3)),
        "box": boxes,
        "camera": np.tile([1146.0, 1146.0, 512.0, 512.0], (count, 1)),
        "joints_2d": rng.uniform(0.2, 0.8, (count, 16, 2)),
        "depth": rng.uniform(0.3, 0.7, (count, 16)),
        "z_mm": rng.uniform(4500, 5500, (count, 16)),
        "joints_3d_mm": rng.normal(0, _PERSON_MM, (count, 16, 3)),
    }
    return {
        **{name: tf.constant(value, tf.float32) for name, value in single.items()},
        "projection": tf.constant(
            np.tile([c.projection for c in cameras], (moments, 1, 1, 1))
        ),
        "joints_world_mm": tf.constant(joints),
        "moment": tf.range(moments, dtype=tf.int64),
    }


if __name__ == "__main__":
    main()
