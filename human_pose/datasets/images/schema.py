"""What a record of any set of pictures holds: the numbers of `annotations.Annotations`.

Whatever makes such a set and whatever reads it agree here.
"""

from typing import Final

from human_pose.datasets.shards.records import Field, Schema
from human_pose.geometry.skeletons import JOINT_NAMES_16

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
