"""Networks on disk: one `.keras` file holds the configuration and the weights.

Keras makes a network by the class that registers itself when this module imports it.
"""

import os
from pathlib import Path

import keras
import numpy as np

from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file
from human_pose.i1.network.hourglass import LAST_LAYER, PoseNetwork
from human_pose.i1.network.layers_only import from_layers

__all__ = ["LAST_LAYER", "load_network", "save_network"]


def save_network(network: PoseNetwork, path: str | os.PathLike[str]) -> None:
    """Writes a network, atomically.

    Args:
      network: with the weights to keep.
      path: the `.keras` file.

    Raises:
      InputError: if the file cannot be written.
    """
    with atomic(path) as temporary:
        network.save(temporary)


def load_network(path: str | os.PathLike[str]) -> PoseNetwork:
    """Reads a network that `save_network` wrote, in this version or in version 0.1.

    Args:
      path: the `.keras` file.

    Raises:
      InputError: naming the file, if it is missing, unreadable, another model, or has
        weights that are not finite.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(
            f"{path}: must be a .keras checkpoint of an I1 network; "
            "`convert_caffemodel` makes one from Caffe's"
        )
    check_is_file(path)
    with refusing(path, "is not a readable checkpoint"):
        try:
            # Nothing in the file may name a function to be run.
            network = keras.models.load_model(path, compile=False, safe_mode=True)
            if not isinstance(network, PoseNetwork):
                network = from_layers(network)
        except InputError as error:
            raise InputError(f"{path}: is not an I1 network: {error}") from None
    if not all(np.isfinite(np.asarray(weight)).all() for weight in network.weights):
        raise InputError(f"{path}: has weights that are not finite")
    return network
