"""The published lifter's own h5 files, of which the 2D detections are read.

`joint_2d` `[F, 4, 17, 2]`, pixels; (0, 0) is a joint that was not found. Neither the
truth nor the cameras need be there; `fps`, `sequence` `[F]` and `visibility`
`[F, 4, 17]`, from 0 to 1, may. The views are Human3.6M's four, in the order of
`geometry.skeletons.VIEW_NAMES`.
"""

import os
from typing import Final

import numpy as np

from human_pose.exchange.detections import pixels, unit_confidence
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording
from human_pose.files.arrays import Shape
from human_pose.files.h5 import h5_ranks, read_h5
from human_pose.geometry.skeletons import JOINTS, LIFTER_17, VIEW_NAMES, VIEWS

_NAME: Final = "joint_2d"
_SHAPE: Final[Shape] = ("F", VIEWS, JOINTS, 2)
_FURTHER: Final[dict[str, Shape]] = {
    "fps": (),
    "sequence": ("F",),
    "visibility": ("F", VIEWS, JOINTS),
}


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds such detections."""
    return h5_ranks(path).get(_NAME) == len(_SHAPE)


def read(path: str | os.PathLike[str], *, fps: float | None = None) -> Recording:
    """Reads the detections; the confidence is the visibility, 1 if there is none.

    Args:
      path: the file.
      fps: frames a second; default: what the file says, if it does.

    Raises:
      InputError: naming the file and the rule.
    """
    held = h5_ranks(path)
    further = {name: shape for name, shape in _FURTHER.items() if name in held}
    arrays = read_h5(path, {_NAME: _SHAPE, **further}, finite=False)
    joints = arrays[_NAME].astype(np.float64)
    if fps is None and "fps" in arrays:
        fps = float(arrays["fps"])
    visibility = arrays.get("visibility", np.ones(joints.shape[:-1]))
    return Recording(
        pixels(str(path), joints[:, :, None]),
        unit_confidence(str(path), visibility[:, :, None], 1.0),
        LIFTER_17,
        VIEW_NAMES,
        fps=fps,
        sequence=arrays.get("sequence", np.zeros(len(joints))),
        source=str(path),
    )


FORMAT: Final = Format(
    "pose_file",
    "recording",
    "the published lifter's h5",
    (),
    recognises,
    read,
    options=("fps",),
)
