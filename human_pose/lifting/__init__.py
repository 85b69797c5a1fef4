"""2D poses of several views to one 3D pose: PPCA mixture, pseudo-Huber energy.

The names load TensorFlow when they are first asked for; `lifting.config` never does.
"""

from typing import TYPE_CHECKING

from human_pose.files.faces import lazy

if TYPE_CHECKING:
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

__getattr__ = lazy(
    __name__,
    {
        "Checkpoint": "checkpoint",
        "load_checkpoint": "checkpoint",
        "read_checkpoint": "checkpoint",
        "write_checkpoint": "checkpoint",
        "LiftedPoses": "lifter",
        "PPCALifter": "lifter",
        "MixtureParameters": "parameters",
        "read_cameras": "parameters",
        "read_mixture": "parameters",
        "write_cameras": "parameters",
        "write_mixtures": "parameters",
    },
)
