"""Networks on disk: one `.keras` file holds layers, weights and sizes."""

import os
import re
from pathlib import Path
from typing import Final

import keras

from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file

# The layer whose name says D.
LAST_LAYER: Final = re.compile(r"conv_5_d(\d+)")


def depth_bins_of(network: keras.Model) -> int:
    """D of a network made by `build_network`.

    Raises:
      InputError: if it is no such network.
    """
    for layer in reversed(network.layers):
        found = LAST_LAYER.fullmatch(layer.name)
        if found:
            return int(found[1])
    raise InputError(f"{network.name}: has no layer conv_5_d<depth bins>")


def input_size_of(network: keras.Model) -> int:
    """S, px, of a network made by `build_network`."""
    return int(network.input_shape[1])


def save_network(network: keras.Model, path: str | os.PathLike[str]) -> None:
    """Writes a network, atomically.

    Raises:
      InputError: if the file cannot be written.
    """
    with atomic(path) as temporary:
        network.save(temporary)


def load_network(path: str | os.PathLike[str]) -> keras.Model:
    """Reads a network that `save_network` wrote.

    Raises:
      InputError: naming the file, if it is missing, unreadable or another model.
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(
            f"{path}: must be a .keras checkpoint of an I1 network; "
            "`convert_caffemodel` makes one from Caffe's"
        )
    check_is_file(path)
    with refusing(path, "is not a readable checkpoint"):
        # Nothing in the file may name a function to be run.
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    try:
        depth_bins_of(network)
    except InputError as error:
        raise InputError(f"{path}: is not an I1 network: {error}") from None
    return network
