"""Detectors of people in pictures, behind one protocol."""

from typing import TYPE_CHECKING

from human_pose.capture.config import DETECTORS, DetectorConfig
from human_pose.capture.detectors.protocol import Detector
from human_pose.files.errors import InputError

if TYPE_CHECKING:
    from human_pose.capture.detectors.image_network import ImageNetwork


def find_detector(config: DetectorConfig) -> Detector:
    """The detector of a capture.

    Raises:
      InputError: if there is none of that name, or its files are missing.
    """
    # Each is imported where it is needed: TensorFlow and onnxruntime take seconds.
    if config.name == "blazepose":
        from human_pose.capture.detectors.blazepose import BlazePose

        return BlazePose(single=config.single)
    if config.name == "i1":
        return find_image_network(config)
    if config.name == "rtmpose":
        from human_pose.capture.detectors.rtmpose import RTMPose

        return RTMPose(config.files)
    raise InputError("detector", f"must be {' or '.join(DETECTORS)}", config.name)


def find_image_network(config: DetectorConfig) -> "ImageNetwork":
    """The image network of a capture, and what finds people for it.

    Raises:
      InputError: if no checkpoint is named.
    """
    from human_pose.capture.detectors.image_network import ImageNetwork

    if config.name != "i1" or len(config.files) != 1:
        raise InputError("check_path", "must name a .keras checkpoint of the network")
    return ImageNetwork(config.files[0], _finder())


def _finder() -> Detector | None:
    """What finds people for the image network: BlazePose, if it is there."""
    from human_pose.capture.detectors import blazepose, environment

    return blazepose.BlazePose() if environment.is_made() else None
