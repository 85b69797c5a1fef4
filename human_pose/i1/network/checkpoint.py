"""Networks on disk: one `.keras` file holds the configuration and the weights.

Keras makes a network by the class that registers itself when this module imports it.
"""

import json
import os
import zipfile
from pathlib import Path

import keras
import numpy as np

from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file
from human_pose.i1.network.hourglass import LAST_LAYER, PoseNetwork
from human_pose.i1.network.layers_only import from_layers

__all__ = ["LAST_LAYER", "as_network", "load_network", "read_model", "save_network"]

_PACKAGE = "human_pose"  # of classes that register themselves


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
    return as_network(read_model(path), path)


def read_model(path: str | os.PathLike[str]) -> keras.Model:
    """Reads any model whose classes are registered.

    Raises:
      InputError: naming the file, if it is missing or unreadable, or of a class that
        nothing which is imported knows.
    """
    path = Path(path)
    check_is_file(path)
    if unknown := _unknown_class(path):
        raise InputError(f"{path}: is not an I1 network but a {unknown}")
    with refusing(path, "is not a readable checkpoint"):
        # Nothing in the file may name a function to be run.
        return keras.models.load_model(path, compile=False, safe_mode=True)


def _unknown_class(path: Path) -> str | None:
    """The project's class that a file is of, if it is known to be none that is here."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        name = str(config["registered_name"])
    except (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError):
        return None  # Keras says what is wrong
    package, _, kind = name.partition(">")
    here = keras.saving.get_registered_object(name) is not None
    return None if here or package != _PACKAGE else kind


def as_network(model: keras.Model, path: str | os.PathLike[str]) -> PoseNetwork:
    """The network that a model is, be it one of version 0.1.

    Args:
      model: read from `path`.
      path: named where it is none.

    Raises:
      InputError: if it is another model, or has weights that are not finite.
    """
    network = model
    if not isinstance(network, PoseNetwork):
        with refusing(Path(path), "is not a readable checkpoint"):
            try:
                network = from_layers(model)
            except InputError as error:
                raise InputError(f"{path}: is not an I1 network: {error}") from None
    if not all(np.isfinite(np.asarray(weight)).all() for weight in network.weights):
        raise InputError(f"{path}: has weights that are not finite")
    return network
