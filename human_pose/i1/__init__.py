"""One image to a 3D pose: two-stage hourglass, volumetric heatmap, integral readout."""

from human_pose.i1 import curriculum, geometry, losses, targets, volume
from human_pose.i1.network import build_network
from human_pose.i1.rmsprop import CaffeRMSProp

__all__ = [
    "CaffeRMSProp",
    "build_network",
    "curriculum",
    "geometry",
    "losses",
    "targets",
    "volume",
]
