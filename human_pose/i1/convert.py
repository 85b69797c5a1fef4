"""Caffe's published weights into a `.keras` checkpoint."""

from pathlib import Path
from typing import Literal

from human_pose.files import InputError
from human_pose.i1 import caffemodel
from human_pose.i1.checkpoint import save_network
from human_pose.i1.network import build_network


def convert(
    path: Path,
    target: Path,
    depth_bins: int,
    preset: Literal["published", "tiny"] = "published",
    *,
    overwrite: bool = False,
) -> None:
    """Makes a checkpoint from a `.caffemodel`.

    The network normalises by the statistics of the batch, as the original does.

    Args:
      path: the `.caffemodel`.
      target: the `.keras` file.
      depth_bins: D of its last layer.
      preset: size of the network.
      overwrite: replace `target` if it exists.

    Raises:
      InputError: if the file cannot be read or is for another network, or `target`
        exists and is not to be overwritten.
    """
    if target.exists() and not overwrite:
        raise InputError(
            f"{target} exists already; --overwrite replaces it, --name chooses "
            "another folder"
        )
    blobs = caffemodel.read(path)
    network = build_network(depth_bins, preset=preset)
    try:
        caffemodel.assign(network, blobs)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    save_network(network, target)
