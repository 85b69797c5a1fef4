"""Solvers of the damped system (H + λI) v = u of the backward pass."""

import tensorflow as tf

from wiberg_tf._problem import Problem

# Up to this many unknowns a dense Hessian is cheaper than Hessian-vector products.
DENSE_LIMIT = 256


def solve_dense(
    problem: Problem, x: tf.Tensor, damping: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """Solves (H + λI) v = u through the eigenvalues of H.

    They cost more than a Cholesky factor, but also serve an indefinite H + λI, and
    tell a singular one apart instead of aborting inside the factorisation.

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`.
      right: u, `[*batch, n]`.

    Raises:
      tf.errors.InvalidArgumentError: if H + λI is singular to working precision, or
        not finite, for any problem.
    """
    hessian = problem.hessian(x)
    finite = tf.reduce_all(tf.math.is_finite(hessian))
    check = tf.debugging.Assert(
        finite, ["The energy's Hessian at the minimiser is not finite."]
    )
    with _after(check):
        values, vectors = tf.linalg.eigh(hessian)
    damped = values + damping[..., None]
    size = tf.abs(damped)
    scale = tf.maximum(tf.reduce_max(tf.abs(values), -1), damping)[..., None]
    smallest = tf.reduce_min(size)
    check = tf.debugging.Assert(
        tf.reduce_all((size > 4 * _EPSILON[x.dtype] * scale) & (scale > 0)),
        [
            "H + damping * I is singular at the minimiser, so the minimiser has no "
            "derivative there; use TrustRegion with a larger damping. Smallest "
            "|eigenvalue|:",
            smallest,
        ],
    )
    with _after(check):
        along = tf.linalg.matvec(vectors, right, transpose_a=True)
    return tf.linalg.matvec(vectors, along / damped)


def solve_conjugate_gradient(
    problem: Problem, x: tf.Tensor, damping: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """Solves (H + λI) v = u by conjugate gradients on Hessian-vector products.

    For H + λI positive definite. Stops at a relative residual of 1e-10 (float64) or
    1e-5 (float32).

    Raises:
      tf.errors.InvalidArgumentError: if H + λI turns out not to be positive definite.
    """
    tolerance = tf.norm(right, axis=-1) * (1e-10 if x.dtype == tf.float64 else 1e-5)

    def dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(a * b, -1, keepdims=True)

    def running(residual: tf.Tensor) -> tf.Tensor:
        return tf.norm(residual, axis=-1) > tolerance

    def go_on(_: tf.Tensor, residual: tf.Tensor, __: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(running(residual))

    def body(
        v: tf.Tensor, residual: tf.Tensor, direction: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        active = running(residual)[..., None]
        product = problem.hessian_product(x, direction) + damping[..., None] * direction
        curvature = dot(direction, product)
        check = tf.debugging.Assert(
            tf.reduce_all((curvature > 0) | ~active),
            [
                "H + damping * I is not positive definite at the minimiser; use a "
                "larger damping or linear_solve='dense'. Curvature met:",
                tf.reduce_min(tf.where(active, curvature, 1)),
            ],
        )
        with _after(check):
            squared = dot(residual, residual)
        step = squared / tf.where(active, curvature, 1)
        v = tf.where(active, v + step * direction, v)
        next_residual = residual - step * product
        ratio = dot(next_residual, next_residual) / tf.where(active, squared, 1)
        return (
            v,
            tf.where(active, next_residual, residual),
            tf.where(active, next_residual + ratio * direction, direction),
        )

    unknowns = x.shape[-1]
    v, _, _ = tf.while_loop(
        go_on,
        body,
        (tf.zeros_like(right), right, right),
        # Round-off makes conjugate gradients take more than n steps in practice.
        maximum_iterations=10 * unknowns,
    )
    return v


def _after(check: tf.Operation | None) -> "tf.control_dependencies":
    return tf.control_dependencies([] if check is None else [check])


_EPSILON = {tf.float64: 2.0**-52, tf.float32: 2.0**-23}
