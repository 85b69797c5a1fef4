"""One image to a 3D pose: two-stage hourglass, volumetric heatmap, integral readout."""

from human_pose.i1 import (
    caffemodel,
    checkpoint,
    curriculum,
    geometry,
    losses,
    readout,
    targets,
    volume,
)
from human_pose.i1.network import build_network
from human_pose.i1.rmsprop import CaffeRMSProp

__all__ = [
    "CaffeRMSProp",
    "build_network",
    "caffemodel",
    "checkpoint",
    "curriculum",
    "geometry",
    "losses",
    "readout",
    "targets",
    "volume",
]
