"""Recordings for `triangulation.py`: motion capture with invented detections.

The detections' noise, outliers and exchanges are those of `../shared/data/real`; where
that folder is missing, invented bodies move instead.
"""

from pathlib import Path

import h5py
import numpy as np

from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.motion import perform
from human_pose.exchange.recording import Recording
from human_pose.geometry.cameras import Camera, look_at
from human_pose.geometry.skeletons import LIFTER_17

FPS = 24.0
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "real" / "dev"
# No detector of the data shows it.
NOSE = 9
JOINTS = [joint for joint in range(len(LIFTER_17)) if joint != NOSE]
_ARMS, _LEGS = ([11, 12, 13], [14, 15, 16]), ([4, 5, 6], [1, 2, 3])
_LIMB_ENDS = [3, 6, 12, 13, 15, 16]
_SIGMA_PX, _OF_ENDS_PX = 4.0, 7.0


def ring(views: int) -> tuple[Camera, ...]:
    """Cameras around the origin."""
    cameras = []
    for view in range(views):
        angle = 2 * np.pi * (view + 0.15) / views
        place = np.array([5000 * np.cos(angle), 5000 * np.sin(angle), 1500.0])
        plain = look_at(
            place,
            np.array([0.0, 0.0, 900.0]),
            focal_px=np.array([1145.0, 1145.0]),
            centre_px=np.array([512.0, 512.0]),
        )
        cameras.append(_named(plain, f"view {view}"))
    return tuple(cameras)


def _named(camera: Camera, name: str) -> Camera:
    return Camera(
        camera.rotation,
        camera.translation_mm,
        camera.focal_px,
        camera.centre_px,
        name=name,
    )


def truth(frames: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Invented joints `[F, 17, 3]`, world mm, and their takes `[F]`."""
    count = frames or 600
    parts = [
        perform(action, BODIES[9], np.random.default_rng(seed), 300).joints_3d_mm
        for seed, action in enumerate(("Walking", "Sitting", "Greeting"))
    ]
    whole = np.concatenate(parts)
    rows = np.arange(count)
    return whole[rows % len(whole)], rows // 300


class Data:
    """The test set, seen by four cameras.

    Attributes:
      joints_mm: `[F, 17, 3]`.
      sequence: `[F]`.
      cameras: four.
      name: for the table.
    """

    def __init__(self, most: int | None) -> None:
        detected = None
        if REAL.is_dir():
            self.name = "real motion (dev/test), invented detections"
            self.joints_mm, detected, self.sequence = _read_real()
            self.cameras = _real_cameras()
        else:
            self.name = "invented motion and detections"
            self.joints_mm, self.sequence = truth()
            self.cameras = ring(4)
        rows = slice(None, most)
        self.joints_mm, self.sequence = self.joints_mm[rows], self.sequence[rows]
        self._as_is = self._noisy(0.0, 0) if detected is None else detected[rows]

    def recording(self, setting: str, views: list[int]) -> Recording:
        """What the cameras detect.

        Args:
          setting: "as is", "missing", "swaps" or "lasting".
          views: of the four.
        """
        points = self._noisy(0.6, 3) if setting == "lasting" else self._as_is.copy()
        rng = np.random.default_rng(0)
        if setting == "missing":
            points[rng.random(points.shape[:-1]) < 0.3] = np.nan
        if setting == "swaps":
            for frame in np.flatnonzero(rng.random(len(points)) < 0.1):
                view = rng.integers(len(self.cameras))
                left, right = (_ARMS, _LEGS)[rng.integers(2)]
                _swap(points, frame, view, left, right)
        points[:, :, NOSE] = np.nan
        return recording(points, self.cameras, self.sequence).of_views(
            [self.cameras[view].name for view in views]
        )

    def _noisy(self, lasting: float, seed: int) -> np.ndarray:
        return noisy(self.joints_mm, self.cameras, self.sequence, lasting, seed)


def recording(points_px: np.ndarray, cameras, sequence: np.ndarray) -> Recording:
    """A recording of one person from detections `[F, V, 17, 2]`."""
    return Recording(
        points_px[:, :, None],
        np.ones((*points_px.shape[:2], 1, points_px.shape[2])),
        LIFTER_17,
        tuple(camera.name for camera in cameras),
        FPS,
        sequence=sequence,
        cameras=cameras,
    )


def noisy(
    joints_mm: np.ndarray, cameras, sequence: np.ndarray, lasting: float, seed: int
) -> np.ndarray:
    """Detections with noise, a share of which lasts, outliers and exchanges."""
    rng = np.random.default_rng(seed)
    exact = np.stack([camera.project(joints_mm) for camera in cameras], axis=1)
    sigma = np.full(17, _SIGMA_PX)
    sigma[_LIMB_ENDS] = _OF_ENDS_PX
    white, drive = rng.normal(size=exact.shape), rng.normal(size=exact.shape)
    slow = drive.copy()
    for frame in range(1, len(exact)):
        if sequence[frame] == sequence[frame - 1]:
            slow[frame] = 0.9 * slow[frame - 1] + np.sqrt(0.19) * drive[frame]
    noise = np.sqrt(1 - lasting) * white + np.sqrt(lasting) * slow
    shown = exact + sigma[:, None] * noise
    out, angle, size = rng.random((3, *exact.shape[:-1]))
    way = np.stack([np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)], -1)
    shown += ((out < 0.02) * (20 + 60 * size))[..., None] * way
    for left, right in (_ARMS, _LEGS):
        for frame, view in np.argwhere(rng.random(exact.shape[:2]) < 0.005):
            _swap(shown, frame, view, left, right)
    return shown


def _swap(points, frame, view, left, right) -> None:
    points[frame, view, left + right] = points[frame, view, right + left]


def _read_real() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    files = sorted((REAL / "testing").glob("*_sh.h5"))
    joints, detected, sequence = [], [], []
    for number, path in enumerate(files):
        with h5py.File(path) as file:
            joints.append(file["joint_3d"][:])
            detected.append(file["joint_2d"][:])
        sequence.append(np.full(len(joints[-1]), number))
    parts = (joints, detected, sequence)
    joints_mm, points, takes = (np.concatenate(part) for part in parts)
    return joints_mm, points.astype(np.float64), takes


def _real_cameras() -> tuple[Camera, ...]:
    with h5py.File(REAL / "cameras.h5") as file:
        inner, turn, move = file["K"][:], file["R"][:], file["t"][:]
    return tuple(
        Camera(
            turn[view],
            np.ravel(move[view]),
            np.diag(inner[view])[:2],
            inner[view, :2, 2],
            name=f"view {view}",
        )
        for view in range(len(inner))
    )
