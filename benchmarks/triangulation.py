"""The calibrated lifter beside other triangulations: accuracy, speed and growth.

Prints Markdown. Accuracy is that on real motion with invented detectors, of
`../shared/data/real` (README there), and is left out where that is not; the rest is of
an invented take. Errors are means over the joints that a method gives, but the neck.

  python benchmarks/triangulation.py
  python benchmarks/triangulation.py --parts=speed --frames=500
  python benchmarks/triangulation.py --parts=accuracy --prior=FILE
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from real_motion import NECK, REAL, RealMotion, noise_px, off_mm, read, recording

from human_pose.calibrated.baselines import BASELINES
from human_pose.calibrated.config import CalibratedConfig
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.session import Session
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.motion import RATE_HZ, perform
from human_pose.exchange.recording import Recording
from human_pose.geometry.cameras import Camera, look_at
from human_pose.geometry.skeletons import LIFTER_17

PARTS = ("accuracy", "speed", "growth")
RIGS = ((0, 1, 2, 3), (0, 1, 2), (1, 3))
KINDS = ("as is", "30 % missing", "swaps in 10 %", "noise that lasts")
LIMBS = (([11, 12, 13], [14, 15, 16]), ([4, 5, 6], [1, 2, 3]))
FRAMES_GROWTH = (1_000, 10_000, 100_000)
VIEWS_GROWTH = (2, 4, 8, 16)


def main() -> None:
    arguments = _arguments()
    if arguments.one:
        print(*_grown(arguments, *arguments.one))
        return
    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}")
    for part in arguments.parts:
        print()
        {"accuracy": _accuracy, "speed": _speed, "growth": _growth}[part](arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument(
        "--prior", help="a prior, or the folder of a run that fitted it"
    )
    parser.add_argument("--data", type=Path, default=REAL)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rigs", type=int, default=len(RIGS), help="so many rigs")
    parser.add_argument("--frames", type=int, help="the most; default: all, or 1,000")
    parser.add_argument("--frames_growth", nargs="*", type=int, default=FRAMES_GROWTH)
    parser.add_argument("--views_growth", nargs="*", type=int, default=VIEWS_GROWTH)
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _session(arguments: argparse.Namespace, temporal: bool) -> Session:
    config = CalibratedConfig(temporal=temporal)
    return Session(CalibratedLifter(load_prior(arguments.prior), LIFTER_17, config))


def _table(*heads: str) -> None:
    print(f"| {' | '.join(heads)} |")
    print("|---" * len(heads) + "|")


def _accuracy(arguments: argparse.Namespace) -> None:
    if not arguments.data.is_dir():
        print(f"No accuracy: there is no {arguments.data}.")
        return
    motion = read(arguments.data, most=arguments.frames)
    truth = motion.joints_mm
    session = _session(arguments, temporal=True)
    print(f"Errors in mm, {len(truth)} frames; in brackets joints that are given, %.\n")
    _table("views", "detections", "ours, frames", "ours", *BASELINES)
    for views in RIGS[: arguments.rigs]:
        for kind in arguments.kinds:
            given, _ = motion.recording(_corrupted(kind, motion), views)
            lifted = session.lift(given)
            found = [lifted.frame_joints_mm, lifted.poses.joints_3d_mm]
            found += [method(given) for method in BASELINES.values()]
            cells = [_error(joints, truth) for joints in found]
            print(f"| {len(views)} | {kind} | {' | '.join(cells)} |", flush=True)


def _corrupted(kind: str, motion: RealMotion) -> np.ndarray:
    """Detections `[F, V, J, 2]` with more wrong about them."""
    rng = np.random.default_rng(0)
    joints = np.array(motion.detected)
    if kind == "noise that lasts":
        joints = motion.exact() + noise_px(joints.shape, motion.sequence, rng)
    joints[:, :, NECK] = np.nan
    if kind == "30 % missing":
        joints[rng.random(joints.shape[:3]) < 0.3] = np.nan
    if kind == "swaps in 10 %":
        for frame in np.flatnonzero(rng.random(len(joints)) < 0.1):
            left, right = LIMBS[rng.integers(2)]
            view = rng.integers(joints.shape[1])
            joints[frame, view, left + right] = joints[frame, view, right + left]
    return joints


def _error(joints_mm: np.ndarray, truth_mm: np.ndarray) -> str:
    off = off_mm(joints_mm, truth_mm)
    given = np.isfinite(off)
    return f"{off[given].mean():.1f} ({100 * given.mean():.0f})"


def _invented(frames: int, views: int, noise_px: float = 4.0) -> Recording:
    """A take of any length: one of 1,000 frames, forth and back."""
    take = perform("Walking", BODIES[9], np.random.default_rng(3), 1000).joints_3d_mm
    there = np.arange(frames) % (2 * len(take))
    joints = take[np.minimum(there, 2 * len(take) - 1 - there)]
    cameras = []
    for view in range(views):
        angle = 2 * np.pi * (view + 0.15) / views
        place = np.array([5000 * np.cos(angle), 5000 * np.sin(angle), 1500.0])
        camera = look_at(
            place,
            np.array([0.0, 0.0, 900.0]),
            focal_px=np.array([1100.0, 1100.0]),
            centre_px=np.array([500.0, 500.0]),
        )
        cameras.append(
            Camera(
                camera.rotation,
                camera.translation_mm,
                camera.focal_px,
                camera.centre_px,
                name=f"camera {view}",
            )
        )
    rng = np.random.default_rng(4)
    exact = np.stack([camera.project(joints) for camera in cameras], axis=1)
    return recording(exact + rng.normal(0, noise_px, exact.shape), cameras, RATE_HZ)


def _speed(arguments: argparse.Namespace) -> None:
    """Each method's second run: what is compiled is."""
    given = _invented(arguments.frames or 1000, views=4)
    frames, sequences = (_session(arguments, temporal) for temporal in (False, True))
    methods: dict[str, Callable[[Recording], object]] = {
        "ours, frames": frames.lift,
        "ours, sequence": sequences.lift,
        "Pose2Sim's rule": BASELINES["Pose2Sim's rule"],
        "Anipose's optimiser": BASELINES["Anipose's optimiser"],
    }
    print(f"4 views, 17 joints, {len(given)} frames, all that a method does.\n")
    _table("method", "frames a second", "compiling, s")
    for name, method in methods.items():
        first, second = (_seconds(method, given) for _ in range(2))
        compiling = max(first - second, 0)
        print(f"| {name} | {len(given) / second:.0f} | {compiling:.0f} |", flush=True)
    for name, session in (("frames", frames), ("sequence", sequences)):
        seconds = _seconds(session.solve, session.measured(given))
        print(f"| ours, {name}, of a measured take | {len(given) / seconds:.0f} | |")


def _seconds(method: Callable[[Any], object], given: Any) -> float:
    start = time.perf_counter()
    method(given)
    return time.perf_counter() - start


def _growth(arguments: argparse.Namespace) -> None:
    """Sequences, each size in a process of its own, compiling left out."""
    sizes = [(frames, 4) for frames in arguments.frames_growth]
    sizes += [(arguments.frames or 1000, views) for views in arguments.views_growth]
    _table("frames", "views", "seconds", "frames a second", "peak memory, MiB")
    for frames, views in sizes:
        given = [f"--prior={arguments.prior}"] if arguments.prior else []
        command = [sys.executable, __file__, *given, "--one", str(frames), str(views)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, memory = done.stdout.split()
        rate = frames / float(seconds)
        print(
            f"| {frames:,} | {views} | {float(seconds):.1f} | {rate:.0f} | {memory} |",
            flush=True,
        )


def _grown(arguments: argparse.Namespace, frames: int, views: int) -> tuple[float, int]:
    """Seconds of a sequence, and the process' peak memory, MiB."""
    session = _session(arguments, temporal=True)
    given = _invented(frames, views)
    # All lengths of windows that there will be are compiled.
    window = session.lifter.config.solver.window
    beyond = frames % window if frames > 2 * window else 0
    session.lift(given.of_frames(slice(0, min(frames, 2 * window + beyond))))
    return _seconds(session.lift, given), _peak_mib()


def _peak_mib() -> int:
    if sys.platform == "linux":
        # ru_maxrss would start from the parent's peak; this one starts at exec.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


if __name__ == "__main__":
    main()
