"""One image to a 3D pose: two-stage hourglass, volumetric heatmap, integral readout.

The names load TensorFlow when they are first asked for; `i1.config` never does.
"""

from typing import TYPE_CHECKING

from human_pose.files.faces import lazy

if TYPE_CHECKING:
    from human_pose.i1 import codec, curriculum, readout
    from human_pose.i1 import codec as geometry
    from human_pose.i1.caffe import caffemodel
    from human_pose.i1.network import checkpoint
    from human_pose.i1.network.checkpoint import load_network, save_network
    from human_pose.i1.network.hourglass import PoseNetwork, build_network
    from human_pose.i1.objective import losses, targets
    from human_pose.i1.optimizers.rmsprop import CaffeRMSProp
    from human_pose.i1.readout import volume
    from human_pose.i1.sample import find_pose, find_poses

__all__ = [
    "CaffeRMSProp",
    "PoseNetwork",
    "build_network",
    "caffemodel",
    "checkpoint",
    "codec",
    "curriculum",
    "find_pose",
    "find_poses",
    "geometry",
    "load_network",
    "losses",
    "readout",
    "save_network",
    "targets",
    "volume",
]

__getattr__ = lazy(
    __name__,
    {
        "CaffeRMSProp": "optimizers.rmsprop",
        "PoseNetwork": "network.hourglass",
        "build_network": "network.hourglass",
        "caffemodel": "caffe.caffemodel",
        "checkpoint": "network.checkpoint",
        "codec": "codec",
        "curriculum": "curriculum",
        "find_pose": "sample",
        "find_poses": "sample",
        "geometry": "codec",  # its name in version 0.1
        "load_network": "network.checkpoint",
        "losses": "objective.losses",
        "readout": "readout",
        "save_network": "network.checkpoint",
        "targets": "objective.targets",
        "volume": "readout.volume",
    },
)
