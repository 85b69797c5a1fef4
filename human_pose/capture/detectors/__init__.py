"""Detectors of people in pictures, behind one protocol."""

from human_pose.capture.config import DETECTORS, DetectorConfig
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
    if config.name == "i1":
        from human_pose.capture.detectors.image_network import ImageNetwork

        if len(config.files) != 1:
            raise InputError("detector_files", "of i1 must be one .keras checkpoint")
        return ImageNetwork(config.files[0], _finder())
    raise InputError("detector", f"must be {' or '.join(DETECTORS)}", config.name)


def _finder() -> Detector | None:
    """What finds people for the image network: BlazePose, if it is there."""
    from human_pose.capture.detectors import blazepose, environment

    return blazepose.BlazePose() if environment.is_made() else None
