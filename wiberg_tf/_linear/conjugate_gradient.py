"""Conjugate gradients for the damped system (H + λI) v = u, positive definite."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import tensorflow as tf

from wiberg_tf._linear.checks import INDEFINITE, NAN, dot, insist
from wiberg_tf._linear.length import unit_and_size
from wiberg_tf._linear.solver import (
    IterativeSolver,
    default_iterations,
    default_tolerance,
)
from wiberg_tf._nest import select
from wiberg_tf._problem import Problem, round_off


class _State(NamedTuple):
    v: tf.Tensor
    residual: tf.Tensor
    direction: tf.Tensor
    # |residual|² and |direction|², `[*batch, 1]`.
    squared: tf.Tensor
    length: tf.Tensor
    # |H|, from below.
    scale: tf.Tensor


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
    # Of length 1, or squares leave the range of numbers.
    unit, size = unit_and_size(right)

    def running(squared: tf.Tensor) -> tf.Tensor:
        # Nothing brings down one that is infinite.
        return (squared > relative**2) & tf.math.is_finite(squared)

    def body(state: _State) -> tuple[_State]:
        active = running(state.squared)
        product = problem.hessian_product(x, state.direction)
        product += damping[..., None] * state.direction
        curvature = dot(state.direction, product)
        # The largest |Hd| / |d| met stands for |H|: less than its round-off is none.
        bent = dot(product, product) / state.length
        scale = tf.maximum(state.scale, tf.sqrt(bent))
        positive = curvature > 4 * round_off(x.dtype) * scale * state.length
        shown = tf.reduce_min(tf.where(active, curvature / state.length, float("inf")))
        with insist(positive | ~active, f"{INDEFINITE} Curvature met:", shown):
            squared = tf.where(active, state.squared, 1)
        step = tf.where(positive, squared / curvature, NAN)
        residual = state.residual - step * product
        left = dot(residual, residual)
        ratio = left / squared
        stepped = _State(
            state.v + step * state.direction,
            residual,
            residual + ratio * state.direction,
            left,
            # The residual is at right angles to the direction before it.
            left + ratio**2 * state.length,
            scale,
        )
        return (select(active, stepped, state),)

    squared = dot(unit, unit)
    (end,) = tf.while_loop(
        lambda state: tf.reduce_any(running(state.squared)),
        body,
        # A u that is not finite must give a v that is not: 0 * inf is NaN.
        (_State(0 * unit, unit, unit, squared, squared, tf.zeros_like(squared)),),
        maximum_iterations=limit,
    )
    solved = ~running(end.squared)
    message = (
        f"Conjugate gradients do not converge to {relative:g} in {limit} iterations: "
        "H + damping * I is nearly singular, or the limits of wt.CG are too tight; use "
        "TrustRegion with a larger damping, or linear_solve='dense'. Residual:"
    )
    worst = tf.reduce_max(size * tf.sqrt(end.squared))
    with insist(solved, message, worst):
        return tf.where(solved, size * end.v, NAN)
