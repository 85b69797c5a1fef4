"""The volumetric head: from heatmaps over depth, row and column to joint positions.

A network gives `[B, H, W, J D]`, channel `j D + d`. Per sample and joint the softmax of
30 times its D H W values is a distribution p over voxels; its mean over bin centres is
the joint's position (Sun et al., "Integral Human Pose Regression", ECCV 2018, eq. 2;
int-3dhuman-I1: `DeepHumanModelSoftmax3DHM` and the integral layers).

The volume is by far the largest tensor of a training step, so `integral` reads it where
it lies, keeps nothing of its size for the backward pass, and never transposes it.
"""

from collections.abc import Callable
from typing import Final, Literal

import tensorflow as tf

from human_pose.files.checks import check_whole

Gradient = Literal["true", "published"]

# int-3dhuman-I1's `heatmap2_flat_scale`.
SOFTMAX_SCALE: Final = 30.0
# What a value must exceed, 0 or the highest before it, for the original's readout of
# the highest voxel to take it.
_ARGMAX_MARGIN: Final = 1e-6
_ROWS, _COLUMNS, _BINS = 1, 2, 4  # axes of [B, H, W, J, D]


def softmax(
    heatmap2: tf.Tensor,
    depth_bins: int,
    scale: float = SOFTMAX_SCALE,
    gradient: Gradient = "true",
) -> tf.Tensor:
    """Probabilities of the voxels of every joint.

    Args:
      heatmap2: floating `[B, H, W, J D]`.
      depth_bins: D.
      scale: factor before the exponential.
      gradient: "true", or "published": the original's, which has only the diagonal
        p (1 - p) of the softmax's derivative (docs/fidelity.md).

    Returns:
      `[B, J, D, H, W]`, each joint's voxels summing to 1; float64 for float64, float32
      for anything else.

    Raises:
      ValueError: if D is no whole number from 1 or does not divide the channels, or
        `gradient` is neither.
    """
    volume = tf.transpose(as_volume(heatmap2, depth_bins), [0, 3, 4, 1, 2])
    shape = tf.shape(volume)
    voxels = tf.reshape(volume, [shape[0], shape[1], -1])
    probabilities = _chosen(gradient, tf.nn.softmax, _diagonal_softmax)(scale * voxels)
    result = tf.reshape(probabilities, shape)
    result.set_shape(volume.shape)
    return result


def integrate(probabilities: tf.Tensor) -> tf.Tensor:
    """Means of distributions over voxels.

    Args:
      probabilities: floating `[B, J, D, H, W]`.

    Returns:
      `[B, J, 3]`: x, y, z in [0, 1], where bin k of n has its centre at (k + 0.5) / n.
    """
    means = [mean_place(weights) for weights in marginals(probabilities)]
    return tf.stack(means, axis=-1)


def marginals(probabilities: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Distributions over columns, rows and depth bins.

    Args:
      probabilities: floating `[B, J, D, H, W]`.

    Returns:
      `[B, J, W]`, `[B, J, H]` and `[B, J, D]`.
    """
    rows_columns = tf.reduce_sum(probabilities, axis=2)  # [B, J, H, W]
    return (
        tf.reduce_sum(rows_columns, axis=2),
        tf.reduce_sum(rows_columns, axis=3),
        tf.reduce_sum(probabilities, axis=[3, 4]),
    )


def integral(
    heatmap2: tf.Tensor,
    depth_bins: int,
    scale: float = SOFTMAX_SCALE,
    gradient: Gradient = "true",
) -> tf.Tensor:
    """`integrate(softmax(...))` in one, without the volume of probabilities.

    The backward pass computes the exponentials once more instead of keeping them.

    Args:
      heatmap2: floating `[B, H, W, J D]`.
      depth_bins: D.
      scale: factor before the exponential.
      gradient: see `softmax`.

    Returns:
      `[B, J, 3]`: x, y, z in [0, 1]; float64 for float64, float32 for anything else.

    Raises:
      ValueError: see `softmax`.
    """
    slope = _chosen(gradient, _true_slope, _published_slope)

    @tf.custom_gradient
    def fused(heatmap2: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        volume = as_volume(heatmap2, depth_bins)
        highest = tf.reduce_max(volume, [_ROWS, _COLUMNS, _BINS], keepdims=True)
        exponentials = tf.exp(scale * (volume - highest))
        rows_columns = tf.reduce_sum(exponentials, _BINS)  # [B, H, W, J]
        total = tf.reduce_sum(rows_columns, [_ROWS, _COLUMNS])  # [B, J]
        bins = tf.reduce_sum(exponentials, [_ROWS, _COLUMNS])  # [B, J, D]
        columns = tf.reduce_sum(rows_columns, _ROWS)  # [B, W, J]
        rows = tf.reduce_sum(rows_columns, _COLUMNS)  # [B, H, J]
        sums = [
            mean_place(tf.linalg.matrix_transpose(columns)),
            mean_place(tf.linalg.matrix_transpose(rows)),
            mean_place(bins),
        ]
        position = tf.stack(sums, axis=-1) / total[..., None]

        def backward(upstream: tf.Tensor) -> tf.Tensor:
            # Computed anew: cheaper than keeping a second volume alive.
            volume = as_volume(heatmap2, depth_bins)
            probabilities = tf.exp(scale * (volume - highest))
            probabilities /= total[:, None, None, :, None]
            towards = _towards(upstream, volume)
            values = scale * slope(probabilities, towards, upstream, position)
            return tf.cast(tf.reshape(values, tf.shape(heatmap2)), heatmap2.dtype)

        return position, backward

    return fused(tf.convert_to_tensor(heatmap2))


def argmax(heatmap2: tf.Tensor, depth_bins: int) -> tf.Tensor:
    """Centre of the highest voxel of every joint; no gradient.

    Of voxels within 1e-6 of the highest, the first in the order of depth, row, column
    counts; a joint without a value above 1e-6 is put at the middle. So does the
    original, which scans for what exceeds the highest so far by 1e-6: it differs only
    where values creep up in smaller steps than that.

    Args:
      heatmap2: floating `[B, H, W, J D]`.
      depth_bins: D.

    Returns:
      `[B, J, 3]`: x, y, z in [0, 1]; dtype as of `integral`.

    Raises:
      ValueError: if D is no whole number from 1 or does not divide the channels.
    """
    volume = tf.stop_gradient(as_volume(heatmap2, depth_bins))
    _, height, width, _, bins = _sizes(volume)
    # One pass over the volume; all else is about one depth bin of each joint.
    by_depth = tf.reduce_max(volume, [_ROWS, _COLUMNS])  # [B, J, D]
    highest = tf.reduce_max(by_depth, -1, keepdims=True)  # [B, J, 1]
    depth = _first(by_depth >= highest - _ARGMAX_MARGIN)  # [B, J]
    everywhere = tf.broadcast_to(depth[:, None, None, :], tf.shape(volume)[:-1])
    plane = tf.gather(volume, everywhere, axis=_BINS, batch_dims=_BINS)
    lines = tf.transpose(
        tf.reshape(plane, [-1, height * width, plane.shape[-1]]), [0, 2, 1]
    )
    place = _first(lines >= highest - _ARGMAX_MARGIN)  # [B, J], row by row
    position = tf.stack(
        [
            bin_centre(place % width, width, volume.dtype),
            bin_centre(place // width, height, volume.dtype),
            bin_centre(depth, bins, volume.dtype),
        ],
        axis=-1,
    )
    return tf.where(
        highest > _ARGMAX_MARGIN, position, tf.constant(0.5, position.dtype)
    )


def _first(true: tf.Tensor) -> tf.Tensor:
    """Place of the first true value of the last axis; 0 if there is none, as of NaN."""
    places = tf.range(tf.shape(true)[-1])
    first = tf.reduce_min(tf.where(true, places, tf.int32.max), axis=-1)
    return tf.where(first == tf.int32.max, 0, first)


def argmax_2d(heatmap: tf.Tensor) -> tf.Tensor:
    """Centre of the highest pixel of every joint, by the rules of `argmax`.

    Args:
      heatmap: floating `[B, H, W, J]`.

    Returns:
      `[B, J, 2]`: x, y in [0, 1].
    """
    return argmax(heatmap, depth_bins=1)[..., :2]


def _wide(heatmap: tf.Tensor) -> tf.Tensor:
    """At least float32: sums over a volume need it."""
    heatmap = tf.convert_to_tensor(heatmap)
    return heatmap if heatmap.dtype == tf.float64 else tf.cast(heatmap, tf.float32)


def as_volume(heatmap2: tf.Tensor, depth_bins: int) -> tf.Tensor:
    """The volumes apart, `[B, H, W, J, D]`, float64 for float64, else float32.

    Args:
      heatmap2: floating `[B, H, W, J D]`.
      depth_bins: D.

    Raises:
      ValueError: if D is no whole number from 1 or does not divide the channels.
    """
    check_whole("depth_bins", depth_bins, 1)
    heatmap2 = _wide(heatmap2)
    channels = heatmap2.shape[-1]
    if heatmap2.shape.rank != 4 or channels is None or channels % depth_bins:
        raise ValueError(
            "heatmap2 must have shape [B, H, W, J D] with D = depth_bins = "
            f"{depth_bins}; received {heatmap2.shape}"
        )
    joints = channels // depth_bins
    sizes = [
        known if known is not None else size
        for known, size in zip(
            heatmap2.shape[:3], tf.unstack(tf.shape(heatmap2)[:3]), strict=True
        )
    ]
    return tf.reshape(heatmap2, [*sizes, joints, depth_bins])


def _sizes(volume: tf.Tensor) -> list[tf.Tensor]:
    return tf.unstack(tf.shape(volume))


def _chosen(gradient: str, true: Callable, published: Callable) -> Callable:
    choices = {"true": true, "published": published}
    if gradient not in choices:
        raise ValueError(f"gradient must be true or published; received {gradient!r}")
    return choices[gradient]


@tf.custom_gradient
def _diagonal_softmax(logits: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
    probabilities = tf.nn.softmax(logits)

    def backward(upstream: tf.Tensor) -> tf.Tensor:
        return probabilities * (1 - probabilities) * upstream

    return probabilities, backward


def _towards(upstream: tf.Tensor, volume: tf.Tensor) -> tf.Tensor:
    """What the loss gains per probability of each voxel, `[B, H, W, J, D]`."""
    _, height, width, _, bins = _sizes(volume)
    dtype = volume.dtype
    x, y, z = tf.unstack(upstream[:, None, None, :, :, None], axis=4)  # [B,1,1,J,1]
    columns = bin_centre(tf.range(width), width, dtype)[None, None, :, None, None]
    rows = bin_centre(tf.range(height), height, dtype)[None, :, None, None, None]
    depths = bin_centre(tf.range(bins), bins, dtype)
    return (x * columns + y * rows) + z * depths


def _true_slope(
    probabilities: tf.Tensor,
    towards: tf.Tensor,
    upstream: tf.Tensor,
    position: tf.Tensor,
) -> tf.Tensor:
    mean = tf.reduce_sum(upstream * position, axis=-1)  # of `towards` under p
    return probabilities * (towards - mean[:, None, None, :, None])


def _published_slope(
    probabilities: tf.Tensor,
    towards: tf.Tensor,
    upstream: tf.Tensor,
    position: tf.Tensor,
) -> tf.Tensor:
    del upstream, position
    return probabilities * (1 - probabilities) * towards


def bin_centre(index: tf.Tensor, count: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Where bin number `index` of `count` has its centre, in [0, 1]."""
    return (tf.cast(index, dtype) + 0.5) / tf.cast(count, dtype)


def mean_place(weights: tf.Tensor) -> tf.Tensor:
    """Σ weight · centre over the last axis."""
    count = tf.shape(weights)[-1]
    return tf.linalg.matvec(weights, bin_centre(tf.range(count), count, weights.dtype))
