"""Dense solves of the damped system (H + λI) v = u: Cholesky, or eigenvalues."""

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from wiberg_tf._linear.checks import INDEFINITE, NAN, SINGULAR, insist
from wiberg_tf._linear.damping import Adaptive
from wiberg_tf._linear.solver import LinearSolver
from wiberg_tf._problem import Problem, round_off

# Up to this many unknowns a dense Hessian is cheaper than Hessian-vector products.
DENSE_LIMIT = 256


@dataclass(frozen=True)
class Dense(LinearSolver):
    """Forms H, one Hessian-vector product per unknown, and factors it.

    By Cholesky, or through eigenvalues where that fails. For few unknowns, up to some
    hundreds. Problems with u = 0 may be singular.
    """

    matrix_free: ClassVar[bool] = False

    def solve(
        self,
        problem: Problem,
        x: tf.Tensor,
        damping: tf.Tensor | Adaptive,
        right: tf.Tensor,
        indefinite: bool,
    ) -> tf.Tensor:
        """See the base class."""
        return solve_dense(problem, x, damping, right, indefinite)


def eigen(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Eigenvalues `[*batch, n]`, eigenvectors `[*batch, n, n]`, of symmetric matrices.

    The trivial ones of a 1 × 1 matrix are not worth a decomposition.
    """
    if matrix.shape[-1] == 1:
        return matrix[..., 0], tf.ones_like(matrix)
    return tf.linalg.eigh(matrix)


def eigen_or_nan(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """As `eigen`; NaN for eigenvalues of a matrix that is not finite."""
    finite = tf.reduce_all(tf.math.is_finite(matrix), [-2, -1])
    # `eigh` may not see a NaN.
    safe = tf.where(finite[..., None, None], matrix, tf.zeros_like(matrix))
    values, vectors = eigen(safe)
    return tf.where(finite[..., None], values, tf.cast(NAN, values.dtype)), vectors


def equilibrate(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """S A S with a diagonal near ±1, and the diagonal of S, `[*batch, n, 1]`.

    So units of the unknowns say nothing about the condition (van der Sluis, Condition
    numbers and equilibration of matrices, Numer. Math. 14, 1969). S is of powers of 2,
    which no round-off goes with; it is no part of any derivative.
    """
    held = tf.stop_gradient(matrix)
    if matrix.shape[-1] == 1:
        return matrix, tf.ones_like(held)
    size = tf.abs(tf.linalg.diag_part(held))
    # A row without a diagonal entry is scaled by what it has.
    size = tf.where(size > 0, size, tf.reduce_max(tf.abs(held), -1))
    size = tf.where((size > 0) & tf.math.is_finite(size), size, 1)
    half = tf.round(0.5 * tf.math.log(size) / math.log(2))
    scale = tf.pow(tf.constant(2, size.dtype), -half)[..., None]
    return matrix * scale * tf.linalg.matrix_transpose(scale), scale


def factorise(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cholesky factors `[*batch, n, n]`, NaN where there are none.

    Also whether every matrix of the batch is surely positive definite: its pivots are
    well above their round-off, which is that of the diagonal entries. No scales of
    rows and columns change the one or the other (Demmel, On floating point errors in
    Cholesky, LAPACK Working Note 14, 1989).
    """
    factor = tf.linalg.cholesky(matrix)
    pivots = tf.linalg.diag_part(factor) ** 2
    least = round_off(matrix.dtype) ** 0.5 * tf.linalg.diag_part(matrix)
    return factor, tf.reduce_all(pivots > least)


def solve_dense(
    problem: Problem,
    x: tf.Tensor,
    damping: tf.Tensor | Adaptive,
    right: tf.Tensor,
    indefinite: bool = False,
) -> tf.Tensor:
    """Solves (H + λI) v = u by Cholesky factors, or through eigenvalues in doubt.

    Eigenvalues cost more, but say how far the damping is from sufficient, where the
    factorisation only fails. A problem with u = 0 (one that the caller leaves out of
    the loss) may be singular: its v is 0.

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`, or the rule that chooses it.
      right: u, `[*batch, n]`.
      indefinite: whether to solve where H + λI is indefinite.

    Raises:
      tf.errors.InvalidArgumentError: if H + λI is singular to working precision, or
        not finite, or indefinite when it must not be, for a problem with u ≠ 0.
    """
    hessian = problem.hessian(x)
    idle = tf.reduce_all(right == 0, -1)
    finite = tf.reduce_all(tf.math.is_finite(hessian), [-2, -1])
    with insist(finite | idle, "The energy's Hessian at the minimiser is not finite."):
        hessian = tf.where(finite[..., None, None], hessian, 0)

    def by_eigenvalues() -> tf.Tensor:
        lost = tf.where(idle[..., None], right, NAN)
        v = _solve_by_eigenvalues(hessian, damping, right, idle, indefinite)
        return tf.where(finite[..., None], v, lost)

    if isinstance(damping, Adaptive) or hessian.shape[-1] == 1:
        return by_eigenvalues()
    diagonal = tf.linalg.diag_part(hessian) + damping[..., None]
    factor, sure = factorise(tf.linalg.set_diag(hessian, diagonal))
    return tf.cond(
        sure & tf.reduce_all(finite),
        lambda: tf.linalg.cholesky_solve(factor, right[..., None])[..., 0],
        by_eigenvalues,
    )


def _solve_by_eigenvalues(
    hessian: tf.Tensor,
    damping: tf.Tensor | Adaptive,
    right: tf.Tensor,
    idle: tf.Tensor,
    indefinite: bool,
) -> tf.Tensor:
    size = hessian.shape[-1]
    scale = tf.ones_like(hessian[..., :1])
    if isinstance(damping, Adaptive):
        values, vectors = eigen(hessian)
        norm = tf.reduce_max(tf.abs(values), -1)
        damping = damping.least_damping(tf.reduce_min(values, -1), norm)
        damped = values + damping[..., None]
    else:
        matrix = hessian + damping[..., None, None] * tf.eye(size, dtype=hessian.dtype)
        matrix, scale = equilibrate(matrix)
        damped, vectors = eigen(matrix)
        values = damped
        damping = tf.zeros_like(damping) if size > 1 else damping
    distances = tf.abs(damped) if indefinite else damped
    # Eigenvalues are known to a few times n ε |H|.
    largest = tf.maximum(tf.reduce_max(tf.abs(values), -1), damping)
    smallest = tf.reduce_min(distances, -1)
    usable = smallest > 4 * size * round_off(hessian.dtype) * largest
    message = SINGULAR if indefinite else INDEFINITE
    shown = tf.reduce_min(tf.where(~idle, smallest, float("inf")))
    with insist(usable | idle, f"{message} Smallest eigenvalue:", shown):
        along = tf.linalg.matvec(vectors, scale[..., 0] * right, transpose_a=True)
    usable = usable[..., None]
    v = scale[..., 0] * tf.linalg.matvec(vectors, along / tf.where(usable, damped, 1))
    return tf.where(usable, v, tf.where(idle[..., None], right, NAN))
