"""Conjugate gradients for the damped system (H + λI) v = u, positive definite."""

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from wiberg_tf._linear.checks import INDEFINITE, NAN, dot, insist
from wiberg_tf._linear.solver import (
    IterativeSolver,
    default_iterations,
    default_tolerance,
)
from wiberg_tf._problem import Problem, round_off


@dataclass(frozen=True, kw_only=True)
class CG(IterativeSolver):
    """Conjugate gradients on Hessian-vector products, for H + λI positive definite.

    For many unknowns: no matrix is formed (Hestenes and Stiefel, Methods of Conjugate
    Gradients for Solving Linear Systems, J. Res. NBS 49, 1952).

    Attributes:
      tolerance: the relative residual |u − (H + λI) v| / |u| to stop at, above 0 and
        below 1; by default 1e-10 in float64, 1e-5 in float32. The derivative's relative
        error is at most the condition number of H + λI times this.
      max_iterations: the most Hessian-vector products of a solve, at least 1; by
        default 10 n. A solve that needs more raises.
      rtol: another name of `tolerance`.

    Raises:
      TypeError: for a tolerance that is no number, or iterations that are no integer.
      ValueError: for one out of range.
    """

    takes_indefinite: ClassVar[bool] = False

    def solve(
        self,
        problem: Problem,
        x: tf.Tensor,
        damping: tf.Tensor,
        right: tf.Tensor,
        indefinite: bool,
    ) -> tf.Tensor:
        """See the base class."""
        del indefinite
        return solve_conjugate_gradient(
            problem, x, damping, right, self.relative, self.max_iterations
        )


def solve_conjugate_gradient(
    problem: Problem,
    x: tf.Tensor,
    damping: tf.Tensor,
    right: tf.Tensor,
    tolerance: float | None = None,
    max_iterations: int | None = None,
) -> tf.Tensor:
    """Solves (H + λI) v = u by conjugate gradients on Hessian-vector products.

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`.
      right: u, `[*batch, n]`.
      tolerance: the relative residual to stop at; see `CG`.
      max_iterations: the most Hessian-vector products.

    Raises:
      tf.errors.InvalidArgumentError: if H + λI turns out not to be positive definite,
        or so ill-conditioned that the residual stays large.
    """
    relative = default_tolerance(x.dtype) if tolerance is None else tolerance
    limit = max_iterations or default_iterations(x.shape[-1])
    allowed = tf.norm(right, axis=-1) * relative

    def running(residual: tf.Tensor) -> tf.Tensor:
        return tf.norm(residual, axis=-1) > allowed

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
        maximum_iterations=limit,
    )
    solved = ~running(residual)
    worst = tf.reduce_max(tf.norm(residual, axis=-1))
    message = (
        f"Conjugate gradients do not converge to {relative:g} in {limit} iterations: "
        "H + damping * I is nearly singular, or the limits of wt.CG are too tight; use "
        "TrustRegion with a larger damping, or linear_solve='dense'. Residual:"
    )
    with insist(solved, message, worst):
        return tf.where(solved[..., None], v, NAN)
