"""Conjugate gradients for the damped system (H + λI) v = u, positive definite."""

import tensorflow as tf

from wiberg_tf._linear.checks import INDEFINITE, NAN, dot, insist
from wiberg_tf._problem import Problem, round_off


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
        step = tf.where(positive, squared / curvature, NAN)
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
        return tf.where(solved[..., None], v, NAN)
