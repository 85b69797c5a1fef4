"""Dense systems of any square matrix."""

import tensorflow as tf

from wiberg_tf._problem import round_off


def solve_square(matrix: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Solves A v = u, after rows and columns were brought to one size.

    So the units of equations and unknowns decide nothing.

    Args:
      matrix: `[*batch, n, n]`.
      right: `[*batch, n]`.

    Returns:
      v, 0 where there is none; and whether there is: bool `[*batch]`, False for a
      matrix that is singular to working precision or not finite.
    """
    rows, columns = _sizes(tf.stop_gradient(matrix))
    even = matrix / (rows * columns)
    finite = tf.reduce_all(tf.math.is_finite(even), [-2, -1])
    identity = tf.eye(matrix.shape[-1], dtype=matrix.dtype)
    even = tf.where(finite[..., None, None], even, identity)
    pivots = tf.abs(tf.linalg.diag_part(tf.linalg.qr(tf.stop_gradient(even)).r))
    noise = 4 * matrix.shape[-1] * round_off(matrix.dtype)
    regular = tf.reduce_min(pivots, -1) > noise * tf.reduce_max(pivots, -1)
    usable = finite & regular
    even = tf.where(usable[..., None, None], even, identity)
    v = tf.linalg.solve(even, right[..., None] / rows) / tf.linalg.matrix_transpose(
        columns
    )
    return tf.where(usable[..., None], v[..., 0], 0), usable


def _sizes(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The largest entry of each row `[*batch, n, 1]`, and then column `[*batch, 1, n]`.

    1 for a row or column of zeros.
    """
    sizes = []
    for axis in (-1, -2):
        largest = tf.reduce_max(tf.abs(matrix), axis, keepdims=True)
        sizes.append(tf.where(largest > 0, largest, tf.ones_like(largest)))
        matrix /= sizes[-1]
    return sizes[0], sizes[1]
