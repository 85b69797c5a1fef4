"""Problems picked from the grid of models x frames x rotations, as one flat axis.

Most of that grid never matters, so everything after the first solve works on a list
of picked problems, sorted by model: products with a model's matrices are then one
matrix product per model.
"""

from typing import NamedTuple

import tensorflow as tf

from human_pose.lifting.sizes import NormalisedViews


class Pairs(NamedTuple):
    """P problems, sorted by model.

    Attributes:
      model, frame, rotation: int32 `[P]`.
      counts: int32 `[M]`, problems of each model.
      targets: `[P, 8, 17]`, the frame's normalised views.
      visibility: `[P, 8, 17]`.
    """

    model: tf.Tensor
    frame: tf.Tensor
    rotation: tf.Tensor
    counts: tf.Tensor
    targets: tf.Tensor
    visibility: tf.Tensor


def pick(mask: tf.Tensor, views: NormalisedViews) -> Pairs:
    """The problems where `mask`, bool `[M, N, R]`, is true."""
    where = tf.cast(tf.where(mask), tf.int32)  # sorted by model: it comes first
    model, frame, rotation = tf.unstack(where, axis=1)
    return Pairs(
        model,
        frame,
        rotation,
        tf.reduce_sum(tf.cast(mask, tf.int32), [1, 2]),
        tf.gather(views.targets, frame),
        tf.gather(views.visibility, frame),
    )


def per_model_product(
    rows: tf.Tensor, matrices: tf.Tensor, counts: tf.Tensor, *, transpose: bool = False
) -> tf.Tensor:
    """Multiplies each problem's row with its model's matrix.

    Args:
      rows: `[P, k]`.
      matrices: `[M, k, l]`, or `[M, l, k]` with `transpose`.
      counts: `[M]`.
      transpose: multiply with the transposed matrices.

    Returns:
      `[P, l]`.
    """
    models = matrices.shape[0]
    groups = tf.split(rows, counts, num=models)
    products = [
        tf.matmul(group, matrix, transpose_b=transpose)
        for group, matrix in zip(groups, tf.unstack(matrices), strict=True)
    ]
    return tf.concat(products, 0)
