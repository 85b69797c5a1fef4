"""Pictures of several calibrated views to 3D poses, learned through the minimiser.

The names load TensorFlow when they are first asked for; `pipeline.config` never does.
"""

from typing import TYPE_CHECKING

from human_pose.files.faces import lazy

if TYPE_CHECKING:
    from human_pose.pipeline.calibrated_head import CalibratedHead
    from human_pose.pipeline.checkpoint import load_pipeline, save_pipeline
    from human_pose.pipeline.detections import Detections, VolumeReadout
    from human_pose.pipeline.model import Pipeline

__all__ = [
    "CalibratedHead",
    "Detections",
    "Pipeline",
    "VolumeReadout",
    "load_pipeline",
    "save_pipeline",
]

__getattr__ = lazy(
    __name__,
    {
        "CalibratedHead": "calibrated_head",
        "Detections": "detections",
        "Pipeline": "model",
        "VolumeReadout": "detections",
        "load_pipeline": "checkpoint",
        "save_pipeline": "checkpoint",
    },
)
