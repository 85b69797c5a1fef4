"""Compares the calibrated lifter with other methods: accuracy, speed and growth.

Every row is measured in this one process, on the same threads; errors are absolute,
mean distances in mm over the joints that a method gives, with their share where it is
not all. Speeds are those of a whole recording once compiled: noise and lengths
measured, starts and covariances included.

  python benchmarks/triangulation.py
  python benchmarks/triangulation.py --parts accuracy --prior=results/my_prior
  python benchmarks/triangulation.py --parts speed views --frames=200
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import triangulation_data as data

from human_pose.calibrated.baselines import (
    BASELINES,
    EXHAUSTIVE,
    MOST_EXHAUSTIVE_VIEWS,
)
from human_pose.exchange.recording import Recording

PARTS = ("accuracy", "speed", "frames", "views")
FRAME, SEQUENCE = "ours, per frame", "ours, sequence"
_PAIRS = [[0, 1], [1, 3], [0, 2], [2, 3]]
# What is measured: detections, and views; of several choices the mean.
SETTINGS = {
    "4 views": ("as is", [[0, 1, 2, 3]]),
    "4 views, 30 % missing": ("missing", [[0, 1, 2, 3]]),
    "4 views, limb swaps": ("swaps", [[0, 1, 2, 3]]),
    "4 views, lasting noise": ("lasting", [[0, 1, 2, 3]]),
    "3 views": ("as is", [[0, 1, 2]]),
    "2 views": ("as is", _PAIRS),
    "2 views, 30 % missing": ("missing", _PAIRS),
    "2 views, limb swaps": ("swaps", _PAIRS),
    "2 opposite views": ("as is", [[0, 3]]),
}
_COUNTS = (1_000, 10_000, 100_000)
_VIEWS = (2, 4, 8, 16)

Method = Callable[[Recording], np.ndarray]


def main() -> None:
    arguments = _arguments()
    if arguments.peak_of:
        _print_growth(arguments)
        return
    print(f"{os.cpu_count()} cores, prior: {arguments.prior or 'embedded'}\n")
    for part in arguments.parts:
        {
            "accuracy": _accuracy,
            "speed": _speed,
            "frames": _growth_in_frames,
            "views": _growth_in_views,
        }[part](arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--prior", type=Path, help="a prior or its run; default: ours")
    parser.add_argument("--frames", type=int, help="the most of accuracy and speed")
    parser.add_argument("--counts", nargs="+", type=int, default=_COUNTS)
    parser.add_argument("--views", nargs="+", type=int, default=_VIEWS)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=[*SETTINGS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak_of", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _ours(prior: Path | None) -> dict[str, Method]:
    from human_pose.calibrated.config import CalibratedConfig
    from human_pose.calibrated.lifter import CalibratedLifter
    from human_pose.calibrated.prior.files import load_prior
    from human_pose.calibrated.session import Session
    from human_pose.geometry.skeletons import LIFTER_17

    def method(temporal: bool) -> Method:
        config = CalibratedConfig(temporal=temporal)
        session = Session(CalibratedLifter(load_prior(prior), LIFTER_17, config))
        return lambda recording: session.lift(recording).poses.joints_3d_mm

    return {FRAME: method(False), SEQUENCE: method(True)}


def _methods(arguments: argparse.Namespace) -> dict[str, Method]:
    return {**BASELINES, **_ours(arguments.prior)}


# === Accuracy ===


def _accuracy(arguments: argparse.Namespace) -> None:
    test = data.Data(arguments.frames)
    methods = _methods(arguments)
    print(f"Errors in mm, {test.name}, {len(test.joints_mm)} frames\n")
    _head("", *methods)
    for name in arguments.settings:
        setting, choices = SETTINGS[name]
        recordings = [test.recording(setting, views) for views in choices]
        cells = [_error(m, recordings, test.joints_mm) for m in methods.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print()


def _error(method: Method, recordings: list[Recording], truth_mm: np.ndarray) -> str:
    errors, shares = [], []
    for recording in recordings:
        off = np.linalg.norm(method(recording) - truth_mm, axis=-1)[:, data.JOINTS]
        errors.append(np.nanmean(off))
        shares.append(np.isfinite(off).mean())
    share = np.mean(shares)
    text = f"{np.mean(errors):.1f}"
    return text if share > 0.9995 else f"{text} of {100 * share:.0f} %"


# === Speed ===


def _speed(arguments: argparse.Namespace) -> None:
    recording = _walkers(arguments.frames or 2_000, 4)
    times = _interleaved(_methods(arguments), recording, arguments.rounds)
    print(f"Speed, 4 views, 17 joints, {len(recording)} frames\n")
    _head("", "frames/s", "ms a frame")
    for name, seconds in times.items():
        each = seconds / len(recording)
        print(f"| {name} | {1 / each:.0f} | {1000 * each:.3f} |")
    print(flush=True)


def _interleaved(
    methods: dict[str, Method], recording: Recording, rounds: int
) -> dict[str, float]:
    """Least seconds of each method, in rounds of all."""
    times = dict.fromkeys(methods, np.inf)
    for method in methods.values():
        method(recording)  # traces and compiles
    for _ in range(rounds):
        for name, method in methods.items():
            times[name] = min(times[name], _seconds(method, recording))
    return times


def _seconds(method: Method, recording: Recording) -> float:
    start = time.perf_counter()
    method(recording)
    return time.perf_counter() - start


def _walkers(frames: int, views: int) -> Recording:
    """A recording of invented motion."""
    joints_mm, takes = data.truth(frames)
    cameras = data.ring(views)
    points = data.noisy(joints_mm, cameras, takes, 0.0, seed=0)
    return data.recording(points, cameras, takes)


def _growth_in_views(arguments: argparse.Namespace) -> None:
    frames = arguments.frames or 1_000
    print(f"Frames/s by views, {frames} frames\n")
    methods = _methods(arguments)
    _head("views", *methods)
    for views in arguments.views:
        recording = _walkers(frames, views)
        possible = {
            name: method
            for name, method in methods.items()
            if name not in EXHAUSTIVE or views <= MOST_EXHAUSTIVE_VIEWS
        }
        times = _interleaved(possible, recording, 1)
        cells = [f"{frames / times[n]:.0f}" if n in times else "-" for n in methods]
        print(f"| {views} | {' | '.join(cells)} |", flush=True)
    print()


# === Growth in frames ===


def _growth_in_frames(arguments: argparse.Namespace) -> None:
    print("A sequence of 4 views by frames, each in a process of its own\n")
    _head("frames", "s", "frames/s", "peak memory, MiB", "of it the detections'")
    for count in arguments.counts:
        rest = [f"--prior={arguments.prior}"] if arguments.prior else []
        found = subprocess.run(
            [sys.executable, __file__, f"--peak_of={count}", *rest],
            check=True,
            capture_output=True,
            text=True,
        )
        print(found.stdout.strip().splitlines()[-1], flush=True)
    print()


def _print_growth(arguments: argparse.Namespace) -> None:
    """The table's row of a recording of so many frames."""
    count = arguments.peak_of
    method = _ours(arguments.prior)[SEQUENCE]
    recording = _walkers(count, 4)
    method(recording.of_frames(slice(0, 2_100)))  # compiles windows of all lengths
    seconds = _seconds(method, recording)
    own = recording.joints_2d_px.nbytes + recording.confidence.nbytes
    print(
        f"| {count} | {seconds:.1f} | {count / seconds:.0f} | {_peak_mib()} "
        f"| {own // 2**20} |"
    )


def _peak_mib() -> int:
    import resource

    if sys.platform == "linux":
        # ru_maxrss would start from the parent's peak; this one starts at exec.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20


def _head(*titles: str) -> None:
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)


if __name__ == "__main__":
    main()
