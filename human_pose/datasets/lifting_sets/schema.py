"""What a record of any set for the lifter holds: a frame of `pose_files.PoseSet`."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from human_pose.datasets.pose_files import PoseSet
from human_pose.datasets.shards.records import Field, Schema
from human_pose.datasets.shards.writing import Good
from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import JOINTS, VIEWS

# Of a subject or an action that the source does not tell.
UNKNOWN: Final = -1

LIFTING_SCHEMA: Final[Schema] = {
    "index": Field(dtype="int64", unit="of the sample in its set"),
    "subject": Field(dtype="int64", unit="number of the person, or -1"),
    "action": Field(dtype="int64", unit="position in protocol.ACTIONS, or -1"),
    "joints_2d_px": Field(
        (VIEWS, JOINTS, 2), "float64", "px, y down; (0, 0) where not found"
    ),
    "joints_3d_mm": Field((JOINTS, 3), "float64", "mm, world frame, z up"),
    "rotations": Field((VIEWS, 3, 3), "float64", "world to camera"),
}

# What the literature thins out by; the first is the default.
USUAL_STEPS: Final = (1, 5, 64)


def config_name(every: int) -> str:
    """What folders and TFDS call a set of every so many frames.

    Raises:
      InputError: if `every` is no number from 1 on.
    """
    check_whole("every", every, 1)
    return f"every{every}" if every > 1 else "every_frame"


def every_of(name: str) -> int:
    """The step of such a name.

    Raises:
      InputError: if it is none.
    """
    digits = name.removeprefix("every")
    if name == config_name(1):
        return 1
    whole = digits.isascii() and digits.isdecimal()
    if not whole or name != config_name(max(int(digits), 1)):
        raise InputError("config", "must be every_frame, or like every5", name)
    return int(digits)


def samples_of(
    poses: PoseSet, first: int, indices: range, subjects: np.ndarray, action: int
) -> Iterator[Good]:
    """The samples of some frames.

    Args:
      poses: of one place of a source.
      first: index of their first frame.
      indices: of the samples.
      subjects: int `[F]`, who is in each frame.
      action: what they do.
    """
    for index in indices:
        frame = index - first
        yield Good(
            index,
            {
                "index": index,
                "subject": int(subjects[frame]),
                "action": action,
                "joints_2d_px": poses.joints_2d_px[frame],
                "joints_3d_mm": poses.joints_3d_mm[frame],
                "rotations": poses.camera_rotations[frame],
            },
        )
