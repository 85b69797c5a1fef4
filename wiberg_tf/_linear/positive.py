"""Positive definite matrices for the steps of solvers, and their solves."""

from collections.abc import Callable

import tensorflow as tf

from wiberg_tf._linear.dense import eigen, equilibrate, factorise
from wiberg_tf._problem import round_off


class Factored:
    """Matrices `[*batch, n, n]`, factored once for all their solves.

    Args:
      matrix: symmetric; where Cholesky factors do not tell that every one is positive
        definite, what `mend` returns takes its place.
      mend: of a function of no arguments, so that it costs nothing elsewhere.
      differentiated: whether solutions may be differentiated.

    Attributes:
      matrix: the one that is solved with.
      sure: whether nothing had to be mended, bool scalar.
    """

    def __init__(
        self,
        matrix: tf.Tensor,
        mend: Callable[[], tf.Tensor],
        differentiated: bool = True,
    ):
        self._differentiated = differentiated
        if matrix.shape[-1] == 1:
            self.sure, self.matrix = tf.constant(False), mend()
            return
        self._factor, self.sure = _surely_definite(tf.stop_gradient(matrix))
        self.matrix = tf.cond(self.sure, lambda: matrix, mend)

    def solve(self, right: tf.Tensor) -> tf.Tensor:
        """M⁻¹ u for u `[*batch, n]`."""
        if not self._differentiated:
            return self._solve(right, lambda: self._factor)
        # Factored once more, for the derivative: that of a failed factor is NaN.
        return self._solve(right, lambda: tf.linalg.cholesky(self.matrix))

    def correct(self, x: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """M⁻¹g and xᵀ diag(M) x for x and g `[*batch, n]`, without a derivative."""
        correction = self._solve(gradient, lambda: self._factor)
        return tf.stop_gradient(correction), self.size(x)

    def size(self, x: tf.Tensor) -> tf.Tensor:
        """xᵀ diag(M) x for x `[*batch, n]`, without a derivative."""
        diagonal = tf.abs(tf.linalg.diag_part(self.matrix))
        return tf.stop_gradient(tf.reduce_sum(diagonal * x**2, -1))

    def _solve(self, right: tf.Tensor, factor: Callable[[], tf.Tensor]) -> tf.Tensor:
        if right.shape[-1] == 1:
            return right / self.matrix[..., 0]
        return tf.cond(
            self.sure,
            lambda: tf.linalg.cholesky_solve(factor(), right[..., None])[..., 0],
            lambda: _solve_scaled(self.matrix, right),
        )


def positive(hessian: tf.Tensor, floor: float, differentiated: bool = True) -> Factored:
    """V max(|Λ|, floor · max|Λ|) Vᵀ for the Hessian V Λ Vᵀ, `[*batch, n, n]`.

    Eigenvalues are those of unknowns brought to one scale. Entries that are not finite
    count as 0.
    """
    return Factored(hessian, lambda: _raised(hessian, floor), differentiated)


def regular(
    matrix: tf.Tensor, differentiated: bool = True
) -> tuple[Factored, tf.Tensor]:
    """The matrix, the identity where it is singular, and whether it is, `[*batch]`.

    Entries that are not finite count as 0.
    """

    def examined() -> tuple[tf.Tensor, tf.Tensor]:
        # Problems with lost values are already done; eigh must not see them.
        safe = tf.where(tf.math.is_finite(matrix), matrix, 0)
        size = safe.shape[-1]
        sizes = tf.abs(eigen(equilibrate(tf.stop_gradient(safe))[0])[0])
        noise = 4 * size * round_off(safe.dtype) * tf.reduce_max(sizes, -1)
        # A single eigenvalue is as exact as the Hessian itself.
        singular = tf.reduce_min(sizes, -1) <= (noise if size > 1 else 0)
        unit = tf.eye(size, dtype=safe.dtype)
        return tf.where(singular[..., None, None], unit, safe), singular

    if matrix.shape[-1] == 1:
        safe, singular = examined()
        return Factored(safe, lambda: safe, differentiated), singular
    factored = Factored(matrix, lambda: examined()[0], differentiated)
    none = tf.zeros_like(matrix[..., 0, 0], tf.bool)
    return factored, tf.cond(factored.sure, lambda: none, lambda: examined()[1])


def _solve_scaled(matrix: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """`[*batch, n]`, whose pivots are chosen without regard to the units of x."""
    even, scale = equilibrate(matrix)
    return scale[..., 0] * tf.linalg.solve(even, scale * right[..., None])[..., 0]


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
    diagonal = tf.linalg.diag_part(matrix)
    # TensorFlow logs every failing factorisation; most are foretold by the 2×2 minors.
    minors = diagonal[..., :, None] * diagonal[..., None, :] - matrix**2
    plausible = tf.reduce_all(diagonal > 0) & tf.reduce_all(minors >= 0)
    return tf.cond(
        plausible, lambda: factorise(matrix), lambda: (matrix, tf.zeros_like(plausible))
    )


def _recompose(vectors: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    return tf.matmul(vectors, tf.matmul(inner, vectors, transpose_b=True))
