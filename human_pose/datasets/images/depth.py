"""The network's depth target: camera-frame z as a part of a fixed range about the root.

    depth = (z - z_root + 1005.185902) / (980.8599 + 1005.185902)

so that the root is at 0.50612 and nearly every joint of Human3.6M in [0, 1].
"""

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class DepthRange:
    """Nearest and farthest depth from the root, mm; the original's `ConvertDepth`."""

    nearest_mm: float = -1005.185902
    farthest_mm: float = 980.8599


def encode_depth(z_mm: tf.Tensor, bounds: DepthRange | None = None) -> tf.Tensor:
    """Depths relative to the root, joint 0, as parts of a range.

    Args:
      z_mm: float `[B, J]`, camera frame.
      bounds: the range.

    Returns:
      `[B, J]`, 0 at the nearest end; may leave [0, 1].
    """
    bounds = bounds or DepthRange()
    extent = bounds.farthest_mm - bounds.nearest_mm
    return (z_mm - z_mm[:, :1] - bounds.nearest_mm) / extent
