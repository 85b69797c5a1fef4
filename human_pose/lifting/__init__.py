"""2D poses of several views to one 3D pose: PPCA mixture, pseudo-Huber energy."""

from human_pose.lifting.checkpoint import (
    Checkpoint,
    load_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from human_pose.lifting.lifter import LiftedPoses, PPCALifter
from human_pose.lifting.parameters import (
    MixtureParameters,
    read_cameras,
    read_mixture,
    write_cameras,
    write_mixtures,
)

__all__ = [
    "Checkpoint",
    "LiftedPoses",
    "MixtureParameters",
    "PPCALifter",
    "load_checkpoint",
    "read_cameras",
    "read_checkpoint",
    "read_mixture",
    "write_cameras",
    "write_checkpoint",
    "write_mixtures",
]
