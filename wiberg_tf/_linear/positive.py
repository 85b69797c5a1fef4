"""Positive definite matrices for the steps of solvers, and their solves."""

from collections.abc import Callable

import tensorflow as tf

from wiberg_tf._linear.dense import equilibrate, factorise


class Positive:
    """The matrix M = V max(|Λ|, floor · max|Λ|) Vᵀ of a Hessian V Λ Vᵀ, and solves.

    Eigenvalues are those of unknowns brought to one scale. One Cholesky factorisation
    tells where there is nothing to raise, and then serves all solves.

    Args:
      hessian: `[*batch, n, n]`; entries that are not finite count as 0.
      floor: relative.
    """

    def __init__(self, hessian: tf.Tensor, floor: float):
        self._factor, self._sure = _surely_definite(tf.stop_gradient(hessian))
        self._matrix = tf.cond(
            self._sure, lambda: hessian, lambda: _raised(hessian, floor)
        )

    def solve(self, right: tf.Tensor) -> tf.Tensor:
        """M⁻¹ u for u `[*batch, n]`."""
        # Factored once more, for the derivative: that of a failed factor is NaN.
        return self._solve(right, lambda: tf.linalg.cholesky(self._matrix))

    def correct(self, x: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """M⁻¹g and xᵀ diag(M) x for x and g `[*batch, n]`, without a derivative."""
        diagonal = tf.abs(tf.linalg.diag_part(self._matrix))
        size = tf.reduce_sum(diagonal * x**2, -1)
        correction = self._solve(gradient, lambda: self._factor)
        return tf.stop_gradient(correction), tf.stop_gradient(size)

    def _solve(self, right: tf.Tensor, factor: Callable[[], tf.Tensor]) -> tf.Tensor:
        if right.shape[-1] == 1:
            return solve_plain(self._matrix, right)
        return tf.cond(
            self._sure,
            lambda: tf.linalg.cholesky_solve(factor(), right[..., None])[..., 0],
            lambda: solve_scaled(self._matrix, right),
        )


def solve_plain(matrix: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """A⁻¹ u for u `[*batch, n]`."""
    if matrix.shape[-1] == 1:
        return right / matrix[..., 0]
    return tf.linalg.solve(matrix, right[..., None])[..., 0]


def solve_scaled(matrix: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """`[*batch, n]`, whose pivots are chosen without regard to the units of x."""
    if matrix.shape[-1] == 1:
        return right / matrix[..., 0]
    even, scale = equilibrate(matrix)
    return scale[..., 0] * solve_plain(even, scale[..., 0] * right)


def _raised(hessian: tf.Tensor, floor: float) -> tf.Tensor:
    """The matrix through its eigenvalues."""
    # Problems with lost values are already done; eigh must not see them.
    hessian = tf.where(tf.math.is_finite(hessian), hessian, 0)
    even, scale = equilibrate(hessian)
    even += _raising(even, floor)
    return even / scale / tf.linalg.matrix_transpose(scale)


def _raising(hessian: tf.Tensor, floor: float) -> tf.Tensor:
    """What to add to V Λ Vᵀ to make it V max(|Λ|, floor · max|Λ|) Vᵀ.

    Its derivative is written out (divided differences of the eigenvalues, Daleckii and
    Krein), because that of `eigh` alone is wrong where eigenvalues coincide, and a
    Hessian is often the identity.
    """
    if hessian.shape[-1] == 1:
        return tf.where(hessian == 0, tf.ones_like(hessian), tf.abs(hessian) - hessian)

    @tf.custom_gradient
    def raising(matrix: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        values, vectors = tf.linalg.eigh(matrix)
        largest = tf.reduce_max(tf.abs(values), -1, keepdims=True)
        size = tf.maximum(tf.abs(values), floor * largest)
        # A zero Hessian leaves steepest descent.
        size = tf.where(largest > 0, size, 1)
        shift = size - values

        def backward(upstream: tf.Tensor) -> tf.Tensor:
            gap = values[..., :, None] - values[..., None, :]
            change = shift[..., :, None] - shift[..., None, :]
            # The derivative of the shift, where eigenvalues coincide.
            raised = size > tf.abs(values)
            tangent = tf.where(raised, -tf.ones_like(size), tf.sign(values) - 1)
            apart = gap != 0
            slope = change / tf.where(apart, gap, 1)
            slope = tf.where(apart, slope, tangent[..., None])
            inner = tf.matmul(vectors, tf.matmul(upstream, vectors), transpose_a=True)
            return _recompose(vectors, slope * inner)

        return _recompose(vectors, tf.linalg.diag(shift)), backward

    return raising(hessian)


def _surely_definite(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cholesky factors, and whether all are positive definite beyond doubt."""
    if matrix.shape[-1] == 1:
        return matrix, tf.constant(False)
    diagonal = tf.linalg.diag_part(matrix)
    # TensorFlow logs every failing factorisation; most are foretold by the 2×2 minors.
    minors = diagonal[..., :, None] * diagonal[..., None, :] - matrix**2
    plausible = tf.reduce_all(diagonal > 0) & tf.reduce_all(minors >= 0)
    return tf.cond(
        plausible, lambda: factorise(matrix), lambda: (matrix, tf.zeros_like(plausible))
    )


def _recompose(vectors: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    return tf.matmul(vectors, tf.matmul(inner, vectors, transpose_b=True))
