"""Solvers of the damped system (H + λI) v = u of the backward pass.

At a minimum H + λI is positive definite. Elsewhere the formula still gives numbers
while the matrix is not singular, but no bound holds on them and they derive no
minimiser, so the solvers raise unless they are told that this is wanted. Compiled by
XLA, which drops assertions, they return NaN instead.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._problem import Problem, round_off

# Up to this many unknowns a dense Hessian is cheaper than Hessian-vector products.
DENSE_LIMIT = 256

INDEFINITE = (
    "H + damping * I is singular or indefinite at the minimiser, so the minimiser has "
    "no derivative there; use TrustRegion with a larger damping."
)
SINGULAR = (
    "H + damping * I is singular at the minimiser, so the minimiser has no derivative "
    "there; use TrustRegion with another damping."
)
_NAN = float("nan")


@dataclass(frozen=True)
class Adaptive:
    """The smallest λ that makes H + λI safely positive definite, for each problem.

    Its smallest eigenvalue becomes at least m = max(|H| / condition, floor), so that
    |dx/dθ| ≤ |∂²E/∂x∂θ| / m. λ is 0 where H is that well conditioned already, and so
    is the bias. Where H is 0 it has no scale, and m is 1 unless `floor` is given.

    Attributes:
      condition: the largest condition number that is left to H + λI.
      floor: the smallest eigenvalue that is left to H + λI, absolute: it alone bounds
        the derivative at a minimum that is flat in every direction.
      products: where H is not formed, the most Hessian-vector products that are spent
        on its smallest eigenvalue, which may then come out a little too high; each
        keeps a vector of n numbers.
    """

    condition: float = 1e3
    floor: float = 0.0
    products: int = 100

    def __post_init__(self) -> None:
        if not self.condition >= 1:
            raise ValueError(f"`condition` must be >= 1; received {self.condition}")
        if not self.floor >= 0:
            raise ValueError(f"`floor` must be >= 0; received {self.floor}")
        if not self.products >= 1:
            raise ValueError(f"`products` must be >= 1; received {self.products}")

    def least_damping(self, smallest: tf.Tensor, norm: tf.Tensor) -> tf.Tensor:
        """λ for the smallest eigenvalue of H and |H|, each `[*batch]`."""
        least = tf.maximum(norm / self.condition, self.floor)
        least = tf.where(least > 0, least, 1)
        return tf.maximum(least - smallest, 0)


def adaptive_rule(damping: Any) -> Adaptive | None:
    """The rule that a `damping` stands for, if it does for one."""
    if isinstance(damping, str) and damping == "adaptive":
        return Adaptive()
    return damping if isinstance(damping, Adaptive) else None


def eigen(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Eigenvalues `[*batch, n]`, eigenvectors `[*batch, n, n]`, of symmetric matrices.

    The trivial ones of a 1 × 1 matrix are not worth a decomposition.
    """
    if matrix.shape[-1] == 1:
        return matrix[..., 0], tf.ones_like(matrix)
    return tf.linalg.eigh(matrix)


def factorise(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cholesky factors `[*batch, n, n]`, NaN where there are none.

    Also whether every matrix of the batch is surely positive definite: its pivots are
    well above their round-off.
    """
    factor = tf.linalg.cholesky(matrix)
    pivots = tf.linalg.diag_part(factor) ** 2
    largest = tf.reduce_max(tf.linalg.diag_part(matrix), -1, keepdims=True)
    return factor, tf.reduce_all(pivots > round_off(matrix.dtype) ** 0.5 * largest)


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
        lost = tf.where(idle[..., None], right, _NAN)
        v = _solve_by_eigenvalues(hessian, damping, right, idle, indefinite)
        return tf.where(finite[..., None], v, lost)

    if isinstance(damping, Adaptive) or hessian.shape[-1] == 1:
        return by_eigenvalues()
    damped = hessian + damping[..., None, None] * tf.eye(x.shape[-1], dtype=x.dtype)
    factor, sure = factorise(damped)
    sure &= tf.reduce_all(finite)
    return tf.cond(
        sure,
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
    values, vectors = eigen(hessian)
    if isinstance(damping, Adaptive):
        norm = tf.reduce_max(tf.abs(values), -1)
        damping = damping.least_damping(tf.reduce_min(values, -1), norm)
    damped = values + damping[..., None]
    distances = tf.abs(damped) if indefinite else damped
    # Eigenvalues are known to a few times n ε |H|.
    scale = tf.maximum(tf.reduce_max(tf.abs(values), -1), damping)
    smallest = tf.reduce_min(distances, -1)
    usable = smallest > 4 * hessian.shape[-1] * round_off(hessian.dtype) * scale
    message = SINGULAR if indefinite else INDEFINITE
    shown = tf.reduce_min(tf.where(~idle, smallest, float("inf")))
    with insist(usable | idle, f"{message} Smallest eigenvalue:", shown):
        along = tf.linalg.matvec(vectors, right, transpose_a=True)
    usable = usable[..., None]
    v = tf.linalg.matvec(vectors, along / tf.where(usable, damped, 1))
    return tf.where(usable, v, tf.where(idle[..., None], right, _NAN))


def solve_conjugate_gradient(
    problem: Problem, x: tf.Tensor, damping: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """Solves (H + λI) v = u by conjugate gradients on Hessian-vector products.

    Stops at a relative residual of 1e-10 (float64) or 1e-5 (float32).

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`.
      right: u, `[*batch, n]`.

    Raises:
      tf.errors.InvalidArgumentError: if H + λI turns out not to be positive definite,
        or so ill-conditioned that the residual stays large.
    """
    tolerance = tf.norm(right, axis=-1) * (1e-10 if x.dtype == tf.float64 else 1e-5)

    def running(residual: tf.Tensor) -> tf.Tensor:
        return tf.norm(residual, axis=-1) > tolerance

    def body(
        v: tf.Tensor, residual: tf.Tensor, direction: tf.Tensor, scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        active = running(residual)[..., None]
        product = problem.hessian_product(x, direction) + damping[..., None] * direction
        length = dot(direction, direction)
        curvature = dot(direction, product)
        # The largest |Hd| / |d| met stands for |H|: less than its round-off is none.
        scale = tf.maximum(scale, tf.sqrt(dot(product, product) / length))
        positive = curvature > 4 * round_off(x.dtype) * scale * length
        shown = tf.reduce_min(tf.where(active, curvature / length, float("inf")))
        with insist(positive | ~active, f"{INDEFINITE} Curvature met:", shown):
            squared = tf.where(active, dot(residual, residual), 1)
        step = tf.where(positive, squared / curvature, _NAN)
        next_residual = residual - step * product
        ratio = dot(next_residual, next_residual) / squared
        return (
            tf.where(active, v + step * direction, v),
            tf.where(active, next_residual, residual),
            tf.where(active, next_residual + ratio * direction, direction),
            scale,
        )

    v, residual, _, _ = tf.while_loop(
        lambda _, residual, __, ___: tf.reduce_any(running(residual)),
        body,
        # A u that is not finite must give a v that is not: 0 * inf is NaN.
        (0 * right, right, right, tf.zeros_like(right[..., :1])),
        # Round-off makes conjugate gradients take more than n steps in practice.
        maximum_iterations=10 * x.shape[-1],
    )
    solved = ~running(residual)
    worst = tf.reduce_max(tf.norm(residual, axis=-1))
    message = (
        "Conjugate gradients do not converge: H + damping * I is nearly singular; use "
        "TrustRegion with a larger damping, or linear_solve='dense'. Residual:"
    )
    with insist(solved, message, worst):
        return tf.where(solved[..., None], v, _NAN)


def dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The inner product over the last axis, which stays with size 1."""
    return tf.reduce_sum(a * b, -1, keepdims=True)


def insist(holds: tf.Tensor, *message: str | tf.Tensor) -> "tf.control_dependencies":
    """A context whose operations run only if `holds` is true everywhere."""
    check = tf.debugging.Assert(tf.reduce_all(holds), [*message])
    return tf.control_dependencies([] if check is None else [check])
