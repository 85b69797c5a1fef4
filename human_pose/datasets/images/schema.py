"""What a record of any set of pictures holds: the numbers of `annotations.Annotations`.

Whatever makes such a set and whatever reads it agree here.
"""

from typing import Final

import numpy as np

from human_pose.datasets.shards.records import Field, Sample, Schema
from human_pose.geometry.skeletons import JOINT_NAMES_16, JOINTS_16_OF_32

_JOINTS: Final = len(JOINT_NAMES_16)

IMAGE_SCHEMA: Final[Schema] = {
    "image": Field(unit="encoded 224 px picture, RGB", picture=True),
    "index": Field(dtype="int64", unit="of the sample in its set"),
    "subject": Field(dtype="int64", unit="number of the person"),
    "action": Field(dtype="int64", unit="position in protocol.IMAGE_ACTIONS"),
    "box": Field((4,), unit="x1 y1 x2 y2, px of the raw camera frame"),
    "camera": Field((4,), unit="fx fy cx cy, px of the raw camera frame"),
    "joints_2d_px": Field((_JOINTS, 2), unit="px of the 224 px picture"),
    "joints_3d_mm": Field((_JOINTS, 3), unit="mm, camera frame"),
}


def image_sample(
    image: bytes,
    index: int,
    subject: int,
    action: int,
    *,
    box: np.ndarray,
    camera: np.ndarray,
    joints_2d_px: np.ndarray,
    joints_3d_mm: np.ndarray,
) -> Sample:
    """A sample of `IMAGE_SCHEMA`, its numbers in single precision.

    Args:
      image: an encoded picture.
      index: of the sample.
      subject: who.
      action: does what, a position in `protocol.IMAGE_ACTIONS`.
      box: `[4]`, x1 y1 x2 y2, px of the raw camera frame.
      camera: `[4]`, fx fy cx cy, px.
      joints_2d_px: `[32, 2]`, px of the picture.
      joints_3d_mm: `[32, 3]`, camera frame.
    """
    joints = list(JOINTS_16_OF_32)
    return {
        "image": image,
        "index": index,
        "subject": subject,
        "action": action,
        "box": box.astype(np.float32),
        "camera": camera.astype(np.float32),
        "joints_2d_px": joints_2d_px[joints].astype(np.float32),
        "joints_3d_mm": joints_3d_mm[joints].astype(np.float32),
    }
