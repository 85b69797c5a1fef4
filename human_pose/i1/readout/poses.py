"""From heatmaps to poses in millimetres, by two readouts and two protocols.

A protocol says how crop positions and depths become camera-frame millimetres. Root
depth, box and camera are the truth's in both, as in the original.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import tensorflow as tf

from human_pose.files.errors import InputError
from human_pose.i1 import codec
from human_pose.i1.config import READOUTS, Readout
from human_pose.i1.readout import volume

__all__ = [
    "PUBLISHED",
    "READOUTS",
    "STANDARD",
    "Decoding",
    "Readout",
    "check_readout",
    "label_pose_mm",
    "pose_mm",
    "positions",
]


@dataclass(frozen=True)
class Decoding:
    """How positions and depths in [0, 1] become millimetres.

    Attributes:
      mapping: see `codec.to_frame_px`.
      bounds: of the depth.
    """

    mapping: codec.Mapping
    bounds: codec.DepthBounds


PUBLISHED: Final = Decoding("published", codec.PUBLISHED_DECODING)
STANDARD: Final = Decoding("corrected", codec.ENCODING)


def check_readout(readout: str) -> None:
    """Refuses what is no readout, before work is done for it.

    Raises:
      InputError: naming the argument and the rule.
    """
    if readout not in READOUTS:
        raise InputError("readout", f"must be {' or '.join(READOUTS)}", readout)


def positions(heatmap2: tf.Tensor, depth_bins: int, readout: Readout) -> tf.Tensor:
    """Joint positions in the volume.

    Args:
      heatmap2: `[B, H, W, J D]`.
      depth_bins: D.
      readout: mean of the distribution over voxels, or the highest voxel.

    Returns:
      `[B, J, 3]`: x, y of the crop and depth, each in [0, 1].

    Raises:
      InputError: if `readout` is neither.
    """
    check_readout(readout)
    read = {"integral": volume.integral, "argmax": volume.argmax}[readout]
    return read(heatmap2, depth_bins)


def pose_mm(
    position: tf.Tensor, batch: Mapping[str, Any], decoding: Decoding = STANDARD
) -> tf.Tensor:
    """Camera-frame poses of positions in the volume.

    Args:
      position: `[B, J, 3]`, see `positions`.
      batch: `z_mm` `[B, J]` for the root's depth, `box` and `camera`, `[B, 4]` each
        (`datasets.images`).
      decoding: `STANDARD` or `PUBLISHED`.

    Returns:
      `[B, J, 3]`, mm.
    """
    z_mm = codec.decode_depth(position[..., 2], batch["z_mm"][:, 0], decoding.bounds)
    return codec.back_project(
        position[..., :2], z_mm, batch["box"], batch["camera"], decoding.mapping
    )


def label_pose_mm(batch: Mapping[str, Any], decoding: Decoding = STANDARD) -> tf.Tensor:
    """The camera-frame pose that a batch's labels mean, augmented as they are.

    `aug_3d` of the original, when the mapping is its own.

    Args:
      batch: as for `pose_mm`, and `joints_2d` `[B, J, 2]`.
      decoding: whose mapping is used; the labels' depths need no bounds.

    Returns:
      `[B, J, 3]`, mm.
    """
    return codec.back_project(
        batch["joints_2d"],
        batch["z_mm"],
        batch["box"],
        batch["camera"],
        decoding.mapping,
    )
