"""Solvers of the damped system (H + λI) v = u of the backward pass.

H + λI must be positive definite, as it is at a minimum: elsewhere the formula still
gives numbers, but no bound holds on them and they derive no minimiser. The solvers
raise instead. Compiled by XLA, which drops assertions, they return NaN.
"""

import tensorflow as tf

from wiberg_tf._problem import Problem, round_off

# Up to this many unknowns a dense Hessian is cheaper than Hessian-vector products.
DENSE_LIMIT = 256

_INDEFINITE = (
    "H + damping * I is singular or indefinite at the minimiser, so the minimiser has "
    "no derivative there; use TrustRegion with a larger damping."
)
_NAN = float("nan")


def eigen(matrix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Eigenvalues `[*batch, n]`, eigenvectors `[*batch, n, n]`, of symmetric matrices.

    The trivial ones of a 1 × 1 matrix are not worth a decomposition.
    """
    if matrix.shape[-1] == 1:
        return matrix[..., 0], tf.ones_like(matrix)
    return tf.linalg.eigh(matrix)


def solve_dense(
    problem: Problem, x: tf.Tensor, damping: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """Solves (H + λI) v = u through the eigenvalues of H.

    They cost more than a Cholesky factor, but say how far the damping is from
    sufficient, where the factorisation would only abort. A problem with u = 0 (one
    that the caller leaves out of the loss) may be singular: its v is 0.

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`.
      right: u, `[*batch, n]`.

    Raises:
      tf.errors.InvalidArgumentError: if H + λI is not positive definite to working
        precision, or not finite, for a problem with u ≠ 0.
    """
    hessian = problem.hessian(x)
    idle = tf.reduce_all(right == 0, -1)
    finite = tf.reduce_all(tf.math.is_finite(hessian), [-2, -1])
    with insist(finite | idle, "The energy's Hessian at the minimiser is not finite."):
        hessian = tf.where(finite[..., None, None], hessian, 0)
    values, vectors = eigen(hessian)
    damped = values + damping[..., None]
    smallest = tf.reduce_min(damped, -1)
    # Eigenvalues are known to a few times n ε |H|.
    scale = tf.maximum(tf.reduce_max(tf.abs(values), -1), damping)
    positive = smallest > 4 * x.shape[-1] * round_off(x.dtype) * scale
    shown = tf.reduce_min(tf.where(~idle, smallest, float("inf")))
    with insist(positive | idle, f"{_INDEFINITE} Smallest eigenvalue:", shown):
        along = tf.linalg.matvec(vectors, right, transpose_a=True)
    usable = (finite & positive)[..., None]
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
        length = _dot(direction, direction)
        curvature = _dot(direction, product)
        # The largest |Hd| / |d| met stands for |H|: less than its round-off is none.
        scale = tf.maximum(scale, tf.sqrt(_dot(product, product) / length))
        positive = curvature > 4 * round_off(x.dtype) * scale * length
        shown = tf.reduce_min(tf.where(active, curvature / length, float("inf")))
        with insist(positive | ~active, f"{_INDEFINITE} Curvature met:", shown):
            squared = tf.where(active, _dot(residual, residual), 1)
        step = tf.where(positive, squared / curvature, _NAN)
        next_residual = residual - step * product
        ratio = _dot(next_residual, next_residual) / squared
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


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b, -1, keepdims=True)


def insist(holds: tf.Tensor, *message: str | tf.Tensor) -> "tf.control_dependencies":
    """A context whose operations run only if `holds` is true everywhere."""
    check = tf.debugging.Assert(tf.reduce_all(holds), [*message])
    return tf.control_dependencies([] if check is None else [check])
