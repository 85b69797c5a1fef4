"""The `*_sh.h5` files: 2D detections of four views with the 3D truth and cameras.

The format is the one of the original WibergianLearning project, so its files work
here and ours there.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import h5py
import numpy as np
from absl import logging

from human_pose.files.arrays import Shape, checked_values
from human_pose.files.errors import InputError
from human_pose.files.h5 import COMPRESSION, new_h5, read_h5, write_h5
from human_pose.files.paths import atomic
from human_pose.geometry.plausibility import doubts, implausible_size
from human_pose.geometry.skeletons import JOINTS, LIFTER_17, VIEWS, found_joints

_SHAPES: Final[dict[str, Shape]] = {
    "joint_2d": ("F", VIEWS, JOINTS, 2),
    "joint_3d": ("F", JOINTS, 3),
    "camera": ("F", VIEWS, 3, 3),
}

# The head, and the feet.
_ENDS: Final = (
    LIFTER_17.index("head_top"),
    [LIFTER_17.index(f"{side}_ankle") for side in ("left", "right")],
)
# No image is so large and no studio so wide: a number beyond is damage, and its powers
# would overflow long after the file is forgotten. Pixels, and millimetres.
_LARGEST: Final = {"joint_2d": 1e6, "joint_3d": 1e7, "camera": 1e6}


@dataclass(frozen=True)
class PoseSet:
    """Frames of one or more sequences.

    Attributes:
      joints_2d_px: float64 `[F, 4, 17, 2]`, pixels, y down; (0, 0) where a joint was
        not found, as joint 9 never is.
      joints_3d_mm: float64 `[F, 17, 3]`, world millimetres, z up.
      camera_rotations: float64 `[F, 4, 3, 3]`, world to camera.
    """

    joints_2d_px: np.ndarray
    joints_3d_mm: np.ndarray
    camera_rotations: np.ndarray

    def __len__(self) -> int:
        return len(self.joints_2d_px)

    def __getitem__(self, frames: slice | np.ndarray) -> "PoseSet":
        return PoseSet(
            self.joints_2d_px[frames],
            self.joints_3d_mm[frames],
            self.camera_rotations[frames],
        )


def concatenate(sets: list[PoseSet]) -> PoseSet:
    """Joins pose sets, in order."""
    return PoseSet(
        np.concatenate([s.joints_2d_px for s in sets]),
        np.concatenate([s.joints_3d_mm for s in sets]),
        np.concatenate([s.camera_rotations for s in sets]),
    )


def read_pose_file(path: str | os.PathLike[str]) -> PoseSet:
    """Reads a `*_sh.h5` file.

    Detections that are NaN become (0, 0): both say that a joint was not found.

    Raises:
      InputError: if the file is missing, truncated, of another shape, holds infinity,
        absurdly large numbers or, but for detections, NaN, has no frame, or one that
        has no size.
    """
    arrays = {
        # Whole numbers are as good.
        name: array.astype(np.float64, copy=False)
        for name, array in read_h5(path, _SHAPES, finite=False).items()
    }
    lost = np.isnan(arrays["joint_2d"]).any(axis=-1, keepdims=True)
    arrays["joint_2d"] = np.where(lost, 0.0, arrays["joint_2d"])
    _check_frames(path, arrays)
    return PoseSet(arrays["joint_2d"], arrays["joint_3d"], arrays["camera"])


def read_people(path: str | os.PathLike[str]) -> PoseSet:
    """Reads a `*_sh.h5` file of people, to be measured or learned from.

    Views, sides or axes that seem to be others than the format's are warned of.

    Raises:
      InputError: as `read_pose_file`; and if bodies have no size in millimetres.
    """
    poses = read_pose_file(path)
    _check_bodies(path, poses)
    return poses


def check_people(place: str | os.PathLike[str], poses: PoseSet) -> None:
    """Looks at frames that are kept otherwise as `read_people` looks at a file's.

    Args:
      place: where they are from, for the messages.
      poses: the frames; no number may be NaN.

    Raises:
      InputError: naming the place, as `read_people`.
    """
    _check_frames(place, _arrays(poses))
    _check_bodies(place, poses)


def write_pose_file(path: str | os.PathLike[str], poses: PoseSet) -> None:
    """Writes a `*_sh.h5` file, atomically."""
    write_h5(path, _arrays(poses))


def join_pose_files(
    path: str | os.PathLike[str], sources: Iterable[str | os.PathLike[str]]
) -> None:
    """Writes the frames of several pose files, in order, as one, atomically.

    Holds the frames of one file at a time: all of Human3.6M would be some 700 MB.

    Raises:
      InputError: if a source is no pose file (see `read_pose_file`).
    """
    with atomic(path) as temporary, new_h5(temporary) as file:
        for source in sources:
            for name, values in _arrays(read_pose_file(source)).items():
                _append(file, name, values)


def action_file_names(action: str) -> tuple[str, str]:
    """The file names of an action's two takes."""
    return f"{action}_sh.h5", f"{action}_1_sh.h5"


def _check_frames(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]
) -> None:
    """Refuses frames that cannot be lifted, or measured, and none at all."""
    for name, array in arrays.items():
        checked_values(f"{path}: {name}", array)
    if not len(arrays["joint_2d"]):
        raise InputError(f"{path}: must hold at least one frame; received none")
    _check_sizes(path, arrays)


def _check_bodies(path: str | os.PathLike[str], poses: PoseSet) -> None:
    """Refuses bodies of another unit, and warns of views that do not fit them."""
    if wrong := implausible_size(poses.joints_3d_mm):
        raise InputError(f"{path}: joint_3d {wrong}")
    found = doubts(
        poses.joints_2d_px,
        poses.joints_3d_mm,
        poses.camera_rotations,
        LIFTER_17.flip_order,
        _ENDS,
    )
    for doubt in found:
        logging.warning("%s: %s", path, doubt)


def _check_sizes(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]
) -> None:
    """Refuses frames that cannot be lifted, or measured, because of their size."""
    for name, limit in _LARGEST.items():
        size = np.abs(arrays[name]).max(axis=tuple(range(1, arrays[name].ndim)))
        if size.max() > limit:
            raise InputError(
                f"{path}: {name} must be within ±{limit:g}; frame {size.argmax()} has "
                f"{size.max():g}"
            )
    joints_2d_px, joints_3d_mm = arrays["joint_2d"], arrays["joint_3d"]
    # Views are brought to one height, poses to one size, by division.
    heights, found = joints_2d_px[..., 1], found_joints(joints_2d_px)
    lowest = heights.min(axis=-1, where=found, initial=np.inf)
    highest = heights.max(axis=-1, where=found, initial=-np.inf)
    flat = (highest <= lowest).all(axis=-1)
    if flat.any():
        raise InputError(
            f"{path}: joint_2d must have a view with joints at two heights; frame "
            f"{flat.argmax()} has none"
        )
    point = (np.ptp(joints_3d_mm, axis=1) == 0).all(axis=-1)
    if point.any():
        raise InputError(
            f"{path}: joint_3d must not be one point; that of frame {point.argmax()} is"
        )


def _arrays(poses: PoseSet) -> dict[str, np.ndarray]:
    """The datasets that hold a pose set."""
    return {
        "joint_2d": poses.joints_2d_px,
        "joint_3d": poses.joints_3d_mm,
        "camera": poses.camera_rotations,
    }


def _append(file: h5py.File, name: str, values: np.ndarray) -> None:
    """Appends frames to a dataset, made if it is not there."""
    if name not in file:
        file.create_dataset(
            name,
            data=values,
            maxshape=(None, *values.shape[1:]),
            **COMPRESSION,
        )
        return
    done = len(file[name])
    file[name].resize(done + len(values), axis=0)
    file[name][done:] = values
