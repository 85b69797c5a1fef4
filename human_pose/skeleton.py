"""The 17-joint Human3.6M skeleton: names, limbs, sides, and the size measure's tree.

Joint order and trees follow the data files of Tome et al., "Rethinking Pose in 3D"
(3DV 2018). World coordinates are millimetres with z up; images are pixels, y down.
"""

from typing import Final

JOINT_NAMES: Final = (
    "hip",
    "right_hip",
    "right_knee",
    "right_foot",
    "left_hip",
    "left_knee",
    "left_foot",
    "spine",
    "thorax",
    "neck",
    "head_top",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
)
JOINTS: Final = len(JOINT_NAMES)

# The four Human3.6M cameras, in the order of every `[..., V, ...]` axis.
VIEW_NAMES: Final = ("54138969", "55011271", "58860488", "60457274")
VIEWS: Final = len(VIEW_NAMES)

# The stacked-hourglass detector has no such joint: files hold (0, 0) there, and the
# lifter always masks it.
UNDETECTED_JOINT: Final = 9

# Anatomical limbs, for drawing.
LIMBS: Final = (
    (0, 1),
    (1, 2),
    (2, 3),
    (0, 4),
    (4, 5),
    (5, 6),
    (0, 7),
    (7, 8),
    (8, 9),
    (9, 10),
    (8, 11),
    (11, 12),
    (12, 13),
    (8, 14),
    (14, 15),
    (15, 16),
)

# The edges whose joint norm measures a pose's size. It is the tree of a 16-joint
# skeleton applied to 17-joint indices (joint 16 is unused, head top to left shoulder
# counts as a limb); kept because every learned parameter depends on it. See
# docs/fidelity.md, Q5.
NORMALISATION_TREE: Final = (
    (0, 1),
    (1, 2),
    (2, 3),
    (0, 4),
    (4, 5),
    (5, 6),
    (0, 7),
    (7, 8),
    (8, 9),
    (8, 10),
    (10, 11),
    (11, 12),
    (8, 13),
    (13, 14),
    (14, 15),
)

RIGHT_JOINTS: Final = (1, 2, 3, 14, 15, 16)
LEFT_JOINTS: Final = (4, 5, 6, 11, 12, 13)
