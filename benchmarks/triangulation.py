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

import h5py
import numpy as np

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
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "real" / "dev"
# No detector shows it.
NECK = 9
# Frames of the takes of `test_sh.h5`: first those of the actions, then the second ones.
TAKES = (
    *(67, 47, 73, 74, 74, 74, 74, 75, 68, 58, 44, 44, 79, 49, 59),
    *(31, 48, 74, 74, 74, 75, 74, 68, 69, 44, 48, 48, 80, 50, 59),
)
REAL_FPS = 24.0
RIGS = ((0, 1, 2, 3), (0, 1, 2), (1, 3))
KINDS = ("as is", "30 % missing", "swaps in 10 %", "noise that lasts")
LIMBS = (([11, 12, 13], [14, 15, 16]), ([4, 5, 6], [1, 2, 3]))
# Detectors' deviations of the lasting noise, px; of wrists, elbows and ankles more.
SIGMA_PX, ENDS_PX, ENDS = 4.0, 7.0, [3, 6, 12, 13, 15, 16]
LASTING, CORRELATION = 0.6, 0.9
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
    detected, truth, cameras = _real(arguments.data, arguments.frames)
    sequence = np.repeat(np.arange(len(TAKES)), TAKES)[: len(truth)]
    session = _session(arguments, temporal=True)
    print(f"Errors in mm, {len(truth)} frames; in brackets joints that are given, %.\n")
    _table("views", "detections", "ours, frames", "ours", *BASELINES)
    for views in RIGS[: arguments.rigs]:
        rig = [cameras[view] for view in views]
        for kind in arguments.kinds:
            joints = _corrupted(kind, detected, truth, cameras, sequence)
            given = _recording(joints[:, list(views)], rig, REAL_FPS, sequence)
            lifted = session.lift(given)
            found = [lifted.frame_joints_mm, lifted.poses.joints_3d_mm]
            found += [method(given) for method in BASELINES.values()]
            cells = [_error(joints, truth) for joints in found]
            print(f"| {len(views)} | {kind} | {' | '.join(cells)} |", flush=True)


def _real(
    folder: Path, most: int | None
) -> tuple[np.ndarray, np.ndarray, list[Camera]]:
    """Detections `[F, V, J, 2]`, true joints `[F, J, 3]`, and the cameras."""
    with h5py.File(folder / "test_sh.h5") as file:
        detected, truth = (file[key][:most] for key in ("joint_2d", "joint_3d"))
    with h5py.File(folder / "cameras.h5") as file:
        rows = zip(file["K"][:], file["R"][:], file["t"][:], strict=True)
        cameras = [
            Camera(turn, place, np.diag(inner)[:2], inner[:2, 2], name=f"camera {view}")
            for view, (inner, turn, place) in enumerate(rows)
        ]
    return detected, truth, cameras


def _recording(
    joints_px: np.ndarray,
    cameras: list[Camera],
    fps: float,
    sequence: np.ndarray | None = None,
) -> Recording:
    joints = joints_px[:, :, None]
    return Recording(
        joints,
        np.isfinite(joints).all(axis=-1),
        LIFTER_17,
        tuple(camera.name for camera in cameras),
        fps,
        sequence=np.zeros(len(joints)) if sequence is None else sequence,
        cameras=tuple(cameras),
    )


def _corrupted(
    kind: str,
    detected: np.ndarray,
    truth: np.ndarray,
    cameras: list[Camera],
    sequence: np.ndarray,
) -> np.ndarray:
    """Detections `[F, V, J, 2]` with more wrong about them."""
    rng = np.random.default_rng(0)
    joints = np.array(detected)
    if kind == "noise that lasts":
        exact = np.stack([camera.project(truth) for camera in cameras], axis=1)
        joints = exact + _lasting(exact.shape, sequence, rng)
    joints[:, :, NECK] = np.nan
    if kind == "30 % missing":
        joints[rng.random(joints.shape[:3]) < 0.3] = np.nan
    if kind == "swaps in 10 %":
        for frame in np.flatnonzero(rng.random(len(joints)) < 0.1):
            left, right = LIMBS[rng.integers(2)]
            view = rng.integers(joints.shape[1])
            joints[frame, view, left + right] = joints[frame, view, right + left]
    return joints


def _lasting(
    shape: tuple[int, ...], sequence: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """White noise and an AR(1) process, and some outliers, px."""
    slow = rng.normal(size=shape)
    for frame in range(1, len(slow)):
        if sequence[frame] == sequence[frame - 1]:
            fresh = np.sqrt(1 - CORRELATION**2) * slow[frame]
            slow[frame] = CORRELATION * slow[frame - 1] + fresh
    sigma = np.full(shape[2], SIGMA_PX)
    sigma[ENDS] = ENDS_PX
    noise = np.sqrt(1 - LASTING) * rng.normal(size=shape) + np.sqrt(LASTING) * slow
    angle = rng.uniform(0, 2 * np.pi, shape[:3])
    far = (rng.random(shape[:3]) < 0.02) * rng.uniform(20, 80, shape[:3])
    away = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return sigma[:, None] * noise + far[..., None] * away


def _error(joints_mm: np.ndarray, truth_mm: np.ndarray) -> str:
    off = np.delete(np.linalg.norm(joints_mm - truth_mm, axis=-1), NECK, axis=1)
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
    return _recording(exact + rng.normal(0, noise_px, exact.shape), cameras, RATE_HZ)


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


def _seconds(method: Callable[[Recording], object], given: Recording) -> float:
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
