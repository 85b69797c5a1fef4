"""The lifter's own pose files (`datasets.pose_files`) as motion."""

import os
from pathlib import Path
from typing import Final

from human_pose.exchange.format import Format
from human_pose.exchange.recording import Motion
from human_pose.exchange.units import body_scale
from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.h5 import h5_ranks, read_h5
from human_pose.geometry.skeletons import JOINTS, LIFTER_17

_JOINTS: Final = "joint_3d"
_FPS: Final = "fps"
_SEQUENCE: Final = "sequence"


def read_pose_motion(
    path: str | os.PathLike[str], units: str | None = None, fps: float | None = None
) -> Motion:
    """Reads the 3D joints of a `*_sh.h5` file; it needs no detections and no camera.

    Args:
      path: the file; it may hold `fps`, and `sequence` `[F]` to mark cuts.
      units: of its lengths; default: millimetres, as the format has them.
      fps: frames a second, where the file does not say.

    Raises:
      InputError: naming the file and the rule, if it is no such file.
    """
    path = Path(path)
    held = h5_ranks(path)
    shapes: dict[str, Shape] = {_JOINTS: ("F", JOINTS, 3)}
    if _SEQUENCE in held:
        shapes[_SEQUENCE] = ("F",)
    if _FPS in held:
        shapes[_FPS] = ()
    arrays = read_h5(path, shapes)
    joints = arrays.pop(_JOINTS)
    if not len(joints):
        raise InputError(f"{path}: must hold at least one frame; it holds none")
    if _FPS in arrays:
        fps = float(arrays.pop(_FPS))
    scale = body_scale(joints, str(path), units, declared="mm")
    return Motion(joints * scale, LIFTER_17, fps, source=str(path), **arrays)


def is_pose_set(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds the 3D joints of pose files."""
    return h5_ranks(path).get(_JOINTS) == 3


FORMAT: Final = Format(
    "pose_file",
    "motion",
    "the lifter's pose files",
    (),
    is_pose_set,
    read_pose_motion,
    options=("fps",),
)
