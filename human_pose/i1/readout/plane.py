"""What volumes say of places in the picture: mean, covariance and confidence.

The volume of a joint, summed over depth, is a distribution over the heatmap's cells.
Its mean is the joint's image as `volume.integral` reads it; its covariance and the
share of it that is near the mean say how sure that is. All are differentiable, so that
a network learns what to be sure of. `spread` reads the same, with depth, for files.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import tensorflow as tf

from human_pose.i1.readout.volume import (
    SOFTMAX_SCALE,
    as_volume,
    bin_centre,
    mean_place,
)

# How far from the mean cells count as near it, to each side.
NEAR_CELLS: Final = 2.0


class InPicture(NamedTuple):
    """Distributions over the crop, float64 for float64 volumes, else float32.

    Attributes:
      mean: `[B, J, 2]`, x and y, [0, 1] across the crop.
      covariance: `[B, J, 2, 2]`, in the squares of that unit, a cell's own width
        included.
      confidence: `[B, J]`, the share of the distribution that is near its mean.
    """

    mean: tf.Tensor
    covariance: tf.Tensor
    confidence: tf.Tensor


def in_picture(
    heatmap2: tf.Tensor, depth_bins: int, scale: float = SOFTMAX_SCALE
) -> InPicture:
    """Reads where in the picture joints are, and how sure that is.

    Args:
      heatmap2: floating `[B, H, W, J D]`.
      depth_bins: D.
      scale: factor before the exponential.

    Raises:
      ValueError: see `volume.softmax`.
    """
    plane = over_depth(heatmap2, depth_bins, scale)
    _, rows, columns, _ = tf.unstack(tf.shape(plane))
    x, y = (bin_centre(tf.range(n), n, plane.dtype) for n in (columns, rows))
    over_columns = tf.reduce_sum(plane, 1)  # [B, W, J]
    over_rows = tf.reduce_sum(plane, 2)  # [B, H, J]
    sides = (over_columns, over_rows)
    mean = tf.stack([mean_place(tf.linalg.matrix_transpose(s)) for s in sides], -1)
    off_x = x[:, None] - mean[:, None, :, 0]  # [B, W, J]
    off_y = y[:, None] - mean[:, None, :, 1]
    within = [1 / (12 * tf.square(tf.cast(n, plane.dtype))) for n in (columns, rows)]
    xx = tf.einsum("bwj,bwj->bj", over_columns, tf.square(off_x)) + within[0]
    yy = tf.einsum("bhj,bhj->bj", over_rows, tf.square(off_y)) + within[1]
    xy = tf.einsum("bhwj,bhj,bwj->bj", plane, off_y, off_x)
    covariance = tf.stack([tf.stack([xx, xy], -1), tf.stack([xy, yy], -1)], -2)
    near = _near(off_y, rows)[:, :, None] & _near(off_x, columns)[:, None]
    confidence = tf.reduce_sum(tf.where(near, plane, tf.zeros_like(plane)), [1, 2])
    return InPicture(mean, covariance, confidence)


def over_depth(heatmap2: tf.Tensor, depth_bins: int, scale: float) -> tf.Tensor:
    """Probabilities of the cells of every joint, `[B, H, W, J]`.

    Nothing of the volume's size is kept for the backward pass.

    Args:
      heatmap2: floating `[B, H, W, J D]`.
      depth_bins: D.
      scale: factor before the exponential.

    Raises:
      ValueError: see `volume.softmax`.
    """

    @tf.custom_gradient
    def fused(heatmap2: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        volume = as_volume(heatmap2, depth_bins)
        highest = tf.reduce_max(volume, [1, 2, 4], keepdims=True)
        cells = tf.reduce_sum(tf.exp(scale * (volume - highest)), 4)
        total = tf.reduce_sum(cells, [1, 2], keepdims=True)
        plane = cells / total

        def backward(upstream: tf.Tensor) -> tf.Tensor:
            # Computed anew: cheaper than keeping a second volume alive.
            volume = as_volume(heatmap2, depth_bins)
            voxels = tf.exp(scale * (volume - highest)) / total[..., None]
            mean = tf.reduce_sum(plane * upstream, [1, 2], keepdims=True)
            values = scale * voxels * (upstream - mean)[..., None]
            return tf.cast(tf.reshape(values, tf.shape(heatmap2)), heatmap2.dtype)

        return plane, backward

    return fused(tf.convert_to_tensor(heatmap2))


def _near(off: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    return tf.abs(off) * tf.cast(count, off.dtype) <= NEAR_CELLS
