"""Caffe's published weights into a `.keras` checkpoint."""

import os
from pathlib import Path
from typing import Literal

from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import JOINT_NAMES_16
from human_pose.i1.caffe import caffemodel
from human_pose.i1.network.checkpoint import LAST_LAYER, save_network
from human_pose.i1.network.hourglass import build_network


def convert(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
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
    target = Path(target)
    if target.exists() and not overwrite:
        raise InputError(
            f"{target} exists already; `overwrite` replaces it, `name` chooses "
            "another folder"
        )
    blobs = caffemodel.read(path)
    _check_depth(path, blobs, depth_bins)
    try:
        network = build_network(depth_bins, preset=preset)
        caffemodel.assign(network, blobs)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    save_network(network, target)


def _check_depth(
    path: str | os.PathLike[str], blobs: caffemodel.Blobs, depth_bins: int
) -> None:
    """Refuses another depth before a network of it is made, which can be huge."""
    depths = [found[1] for found in map(LAST_LAYER.fullmatch, blobs) if found]
    if str(depth_bins) not in depths:
        held = ", ".join(depths) or "none"
        raise InputError(
            "depth_bins",
            f"must be that of the layer conv_5_d<depth bins> of {path}, {held}",
            depth_bins,
        )
    outputs = len(JOINT_NAMES_16) * depth_bins
    name = f"conv_5_d{depth_bins}"
    if (size := blobs[name][-1].size) != outputs:
        raise InputError(
            f"{path}: layer {name} must have {outputs} biases; it has {size}"
        )
