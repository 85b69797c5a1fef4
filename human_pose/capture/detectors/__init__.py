"""Detectors of people in pictures, behind one protocol."""

from human_pose.capture.config import DetectorConfig
from human_pose.capture.detectors.protocol import Detector
from human_pose.files.errors import InputError


def find_detector(config: DetectorConfig) -> Detector:
    """The detector of a capture.

    Raises:
      InputError: if there is none of that name, or its files are missing.
    """
    # Each is imported where it is needed: TensorFlow and onnxruntime take seconds.
    if config.name == "blazepose":
        from human_pose.capture.detectors.blazepose import BlazePose

        return BlazePose()
    raise InputError("detector", "must be blazepose", config.name)
