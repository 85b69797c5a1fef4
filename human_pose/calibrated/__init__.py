"""Any calibrated cameras, any skeleton: 2D detections to 3D motion and its errors.

The names load TensorFlow when they are first asked for; `calibrated.config` never does.
"""

from typing import TYPE_CHECKING

from human_pose.files.faces import lazy

if TYPE_CHECKING:
    from human_pose.calibrated.config import CalibratedConfig
    from human_pose.calibrated.lifter import CalibratedLifter
    from human_pose.calibrated.people import tell_apart
    from human_pose.calibrated.prior.files import load_prior
    from human_pose.calibrated.session import Lifted, Session

__all__ = [
    "CalibratedConfig",
    "CalibratedLifter",
    "Lifted",
    "Session",
    "load_prior",
    "tell_apart",
]

__getattr__ = lazy(
    __name__,
    {
        "CalibratedConfig": "config",
        "CalibratedLifter": "lifter",
        "Lifted": "session",
        "Session": "session",
        "load_prior": "prior.files",
        "tell_apart": "people",
    },
)
