"""Real motion before invented detectors: `../shared/data/real` (README there)."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from human_pose.exchange.recording import Motion, Recording
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeletons import LIFTER_17

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "real" / "dev"
REAL_FPS = 24.0
# No detector shows it.
NECK = 9
# Frames of the takes by set; those of "test" are the actions, and once more each.
TAKES = {
    "test": (
        *(67, 47, 73, 74, 74, 74, 74, 75, 68, 58, 44, 44, 79, 49, 59),
        *(31, 48, 74, 74, 74, 75, 74, 68, 69, 44, 48, 48, 80, 50, 59),
    ),
    "train": (
        *(285, 223, 118, 80, 117, 20, 23, 331),
        *(289, 219, 82, 604, 492, 66, 189, 167, 55),
    ),
}
# Who is in the takes of "train".
TRAIN_SUBJECTS = (1, *(5,) * 4, *(9,) * 3, *(13,) * 9)
# Detectors' deviations of the lasting noise, px; of wrists, elbows and ankles more.
SIGMA_PX, ENDS_PX, ENDS = 4.0, 7.0, [3, 6, 12, 13, 15, 16]
LASTING, CORRELATION = 0.6, 0.9


@dataclass(frozen=True, eq=False)
class RealMotion:
    """A set of takes.

    Attributes:
      detected: `[F, V, J, 2]`, px.
      joints_mm: `[F, J, 3]`, as they were.
      cameras: of the views.
      sequence: `[F]`, number of the take.
    """

    detected: np.ndarray
    joints_mm: np.ndarray
    cameras: tuple[Camera, ...]
    sequence: np.ndarray

    def exact(self) -> np.ndarray:
        """What a detector without errors shows, `[F, V, J, 2]`, px."""
        return np.stack([c.project(self.joints_mm) for c in self.cameras], axis=1)

    def of_takes(self, takes: np.ndarray | list[int]) -> "RealMotion":
        """Some takes by their numbers."""
        kept = np.isin(self.sequence, takes)
        return RealMotion(
            self.detected[kept], self.joints_mm[kept], self.cameras, self.sequence[kept]
        )

    def motions(self) -> list[Motion]:
        """Each take by itself, as a prior is fitted to them."""
        return [
            Motion(self.joints_mm[self.sequence == take], LIFTER_17, REAL_FPS)
            for take in np.unique(self.sequence)
        ]

    def recording(
        self, joints_px: np.ndarray, views: tuple[int, ...]
    ) -> tuple[Recording, Motion]:
        """Detections `[F, V, J, 2]` by some of the views, and the motion."""
        rig = [self.cameras[view] for view in views]
        given = recording(joints_px[:, list(views)], rig, REAL_FPS, self.sequence)
        truth = Motion(
            self.joints_mm,
            LIFTER_17,
            REAL_FPS,
            frames=given.frames,
            sequence=given.sequence,
        )
        return given, truth


def read(folder: Path, part: str = "test", most: int | None = None) -> RealMotion:
    """A set, "test" or "train", or its first frames."""
    with h5py.File(folder / f"{part}_sh.h5") as file:
        detected, truth = (file[key][:most] for key in ("joint_2d", "joint_3d"))
    with h5py.File(folder / "cameras.h5") as file:
        rows = zip(file["K"][:], file["R"][:], file["t"][:], strict=True)
        cameras = tuple(
            Camera(turn, place, np.diag(inner)[:2], inner[:2, 2], name=f"camera {view}")
            for view, (inner, turn, place) in enumerate(rows)
        )
    takes = TAKES[part]
    sequence = np.repeat(np.arange(len(takes)), takes)[: len(truth)]
    return RealMotion(detected, truth, cameras, sequence)


def recording(
    joints_px: np.ndarray,
    cameras: list[Camera],
    fps: float,
    sequence: np.ndarray | None = None,
) -> Recording:
    """Detections `[F, V, J, 2]`, NaN where there is none, as a recording."""
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


def noise_px(
    shape: tuple[int, ...],
    sequence: np.ndarray,
    rng: np.random.Generator,
    lasting: float = LASTING,
    outliers: float = 0.02,
) -> np.ndarray:
    """White noise and an AR(1) process, and some outliers, `[F, V, J, 2]`, px."""
    slow = rng.normal(size=shape)
    for frame in range(1, len(slow)):
        if sequence[frame] == sequence[frame - 1]:
            fresh = np.sqrt(1 - CORRELATION**2) * slow[frame]
            slow[frame] = CORRELATION * slow[frame - 1] + fresh
    noise = np.sqrt(1 - lasting) * rng.normal(size=shape) + np.sqrt(lasting) * slow
    angle = rng.uniform(0, 2 * np.pi, shape[:3])
    far = (rng.random(shape[:3]) < outliers) * rng.uniform(20, 80, shape[:3])
    away = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return sigma_px()[:, None] * noise + far[..., None] * away


def sigma_px() -> np.ndarray:
    """The deviations of the lasting noise by joint, `[J]`, px."""
    sigma = np.full(len(LIFTER_17), SIGMA_PX)
    sigma[ENDS] = ENDS_PX
    return sigma


def off_mm(joints_mm: np.ndarray, truth_mm: np.ndarray) -> np.ndarray:
    """Distances from the truth, `[F, J - 1]`, of the joints that detectors show."""
    return np.delete(np.linalg.norm(joints_mm - truth_mm, axis=-1), NECK, axis=1)
