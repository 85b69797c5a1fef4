"""Recordings of any format lifted without truth: `poses.npz` in the run's folder.

The file is an `.npz` that `numpy.load` opens. For F frames it holds

    joints_3d    [F, 17, 3]  z up, of unit-free size; NaN where no view shows enough
    scores       [F, M]      of each model, smaller is better; NaN as the pose
    views_used   [F, 4, 17]  bool, the detections that were lifted
    frames       [F]         the recording's numbers
    sequence     [F]         equal for the frames of one take
    joint_names  [17]
    view_names   [4]         of the recording, in the order of the average cameras
    fps                      NaN if it is not known
    units                    "unit-free": the views do not say how large a person is
    frame                    "average cameras, z up"
    version                  1
"""

import os
import sys
from pathlib import Path
from typing import Final

import keras
import numpy as np
from absl import logging

from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.files.npz import write_npz
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import (
    JOINTS,
    LIFTER_17,
    UNDETECTED_JOINT,
    VIEW_NAMES,
    VIEWS,
)
from human_pose.lifting.lifter import LiftedPoses, PPCALifter

POSES: Final = "poses.npz"
UNITS: Final = "unit-free"
FRAME: Final = "average cameras, z up"
VERSION: Final = 1

# Batches between two steps of the progress bar.
_STEP: Final = 8


def lift_recording(
    lifter: PPCALifter,
    recording: Recording,
    folder: str | os.PathLike[str],
    *,
    batch_size: int = 4,
    verbose: bool = True,
) -> Path:
    """Lifts one person's detections in four views and writes `poses.npz`.

    Args:
      lifter: the model.
      recording: of one person and four views; no cameras are needed.
      folder: the run's.
      batch_size: frames lifted at once; changes no result.
      verbose: shows a progress bar.

    Returns:
      The file.

    Raises:
      InputError: if the recording has other than four views, several people or no
        joint of the lifter's, no frame can be lifted, or the file cannot be written.
    """
    recording = in_order(recording)
    joints_2d_px, found = lifter_joints(recording)
    usable = _usable(joints_2d_px, found)
    if not usable.any():
        raise InputError(
            f"{recording.source}: must have a frame with two joints at different "
            "heights in a view; there is none"
        )
    if not usable.all():
        logging.warning(
            "%s: %d of %d frames show too little to be lifted, and are NaN",
            *(recording.source, (~usable).sum(), len(usable)),
        )
    lifted = _lift(lifter, joints_2d_px[usable], batch_size, verbose)
    path = Path(folder) / POSES
    _write(path, recording, lifted, found, usable)
    logging.info("%s: %s, frame: %s", path, UNITS, FRAME)
    return path


def in_order(recording: Recording) -> Recording:
    """The recording with its views in the order of the average cameras.

    Human3.6M's views are known by their names. Four others are taken as they come, for
    the average cameras stand around a person as Human3.6M's do; a warning says which
    stands for which.

    Raises:
      InputError: if there are not four views, or some are Human3.6M's and some not.
    """
    names = recording.view_names
    known = [name for name in VIEW_NAMES if name in names]
    if len(names) != VIEWS or len(known) not in (0, VIEWS):
        raise InputError(
            f"{recording.source}: views",
            f"must be the {VIEWS} of Human3.6M ({', '.join(VIEW_NAMES)}), or {VIEWS} "
            "others that stand as they do",
            ", ".join(names),
        )
    if known:
        return recording.of_views(known)
    pairs = (f"{one} for {other}" for one, other in zip(names, VIEW_NAMES, strict=True))
    logging.warning(
        "%s: its views stand for the average cameras in their order: %s",
        *(recording.source, ", ".join(pairs)),
    )
    return recording


def lifter_joints(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """One person's detections as the lifter's joints, found by their names.

    Returns:
      `[F, V, 17, 2]` pixels, NaN where a joint was not found, and where one was, bool
      `[F, V, 17]`; joint 9 never is.

    Raises:
      InputError: if there are several people, or no joint is the lifter's.
    """
    people = recording.joints_2d_px.shape[2]
    if people != 1:
        raise InputError(f"{recording.source}: people", "must be one", people)
    try:
        joints = convert(recording.joints_2d_px[:, :, 0], recording.skeleton, LIFTER_17)
    except ValueError as error:
        raise InputError(
            f"{recording.source}: joints",
            f"must be some of {', '.join(LIFTER_17.names)}",
            ", ".join(recording.skeleton.names),
        ) from error
    found = np.isfinite(joints).all(axis=-1) & (np.arange(JOINTS) != UNDETECTED_JOINT)
    missing = [
        LIFTER_17.names[j] for j in LIFTER_17.detected if not found[..., j].any()
    ]
    if missing:
        logging.warning(
            "%s: nowhere found, and left to the model: %s",
            *(recording.source, ", ".join(missing)),
        )
    return np.where(found[..., None], joints, np.nan), found


def _usable(joints_2d_px: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Frames in which a view shows two joints at different heights, bool `[F]`."""
    heights = joints_2d_px[..., 1]
    lowest = heights.min(axis=-1, where=found, initial=np.inf)
    highest = heights.max(axis=-1, where=found, initial=-np.inf)
    return np.asarray((highest > lowest).any(axis=-1))


def _lift(
    lifter: PPCALifter, joints_2d_px: np.ndarray, batch_size: int, verbose: bool
) -> LiftedPoses:
    shown = 1 if sys.stdout.isatty() else 2  # as an evaluation
    count = len(joints_2d_px)
    progress = keras.utils.Progbar(
        count, verbose=shown if verbose else 0, unit_name="frame"
    )
    parts = []
    for start in range(0, count, _STEP * batch_size):
        part = slice(start, start + _STEP * batch_size)
        parts.append(lifter.lift(joints_2d_px[part], batch_size=batch_size))
        progress.update(min(part.stop, count))
    return LiftedPoses(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _write(
    path: Path,
    recording: Recording,
    lifted: LiftedPoses,
    found: np.ndarray,
    usable: np.ndarray,
) -> None:
    whole = []
    for part in lifted:
        values = np.full((len(usable), *part.shape[1:]), np.nan)
        values[usable] = part
        whole.append(values)
    write_npz(
        path,
        {
            "joints_3d": whole[0],
            "scores": whole[1],
            "views_used": found,
            "frames": recording.frames,
            "sequence": recording.sequence,
            "joint_names": np.array(LIFTER_17.names),
            "view_names": np.array(recording.view_names),
            "fps": np.float64(np.nan if recording.fps is None else recording.fps),
            "units": np.array(UNITS),
            "frame": np.array(FRAME),
            "version": np.int64(VERSION),
        },
    )
