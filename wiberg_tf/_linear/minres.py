"""Minimal residuals for the damped system (H + λI) v = u, definite or not."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._linear.checks import NAN, SINGULAR, dot, insist
from wiberg_tf._linear.length import unit_and_size
from wiberg_tf._linear.solver import (
    IterativeSolver,
    default_iterations,
    default_tolerance,
)
from wiberg_tf._nest import select
from wiberg_tf._problem import Problem, round_off


@dataclass(frozen=True, kw_only=True)
class MINRES(IterativeSolver):
    """Minimal residuals on Hessian-vector products, for H + λI of any signature.

    For many unknowns: no matrix is formed. It solves where H + λI is indefinite without
    being asked, so that only a singular matrix is refused (Paige and Saunders,
    Solution of sparse indefinite systems of linear equations, SIAM J. Numer. Anal. 12,
    1975).

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
        return solve_minres(
            problem, x, damping, right, self.relative, self.max_iterations
        )


def solve_minres(
    problem: Problem,
    x: tf.Tensor,
    damping: tf.Tensor,
    right: tf.Tensor,
    tolerance: float | None = None,
    max_iterations: int | None = None,
) -> tf.Tensor:
    """Solves (H + λI) v = u by minimal residuals, for H + λI definite or not.

    On Hessian-vector products.

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`.
      right: u, `[*batch, n]`.
      tolerance: the relative residual to stop at; see `MINRES`.
      max_iterations: the most Hessian-vector products.

    Raises:
      tf.errors.InvalidArgumentError: if H + λI is so nearly singular that the residual
        stays large.

    References:
      Paige and Saunders, Solution of sparse indefinite systems of linear equations,
      SIAM J. Numer. Anal. 12 (1975), in the three-term form of Greenbaum, Iterative
      Methods for Solving Linear Systems (1997), algorithm 4.
    """
    usual = default_tolerance(x.dtype)
    precision = usual if tolerance is None else tolerance
    limit = max_iterations or default_iterations(x.shape[-1])
    # Of length 1, or squares leave the range of numbers.
    right, size = unit_and_size(right)
    start = tf.norm(right, axis=-1, keepdims=True)

    def product(v: tf.Tensor) -> tf.Tensor:
        return problem.hessian_product(x, v) + damping[..., None] * v

    def divide(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return a / tf.where(b != 0, b, 1)

    def running(state: _Minres) -> tf.Tensor:
        return tf.abs(state.residual) > precision * start

    def body(state: _Minres) -> tuple[_Minres]:
        active = running(state)
        (cosine, previous_cosine), (sine, previous_sine) = state.cosines, state.sines
        image = product(state.basis)
        # The basis is of unit vectors.
        length = tf.norm(image, axis=-1, keepdims=True)
        diagonal = dot(state.basis, image)
        image -= diagonal * state.basis + state.side * state.previous_basis
        side = tf.norm(image, axis=-1, keepdims=True)
        # The previous two rotations act on the new column of the tridiagonal matrix.
        delta = cosine * diagonal - previous_cosine * sine * state.side
        upper = sine * diagonal + previous_cosine * cosine * state.side
        corner = previous_sine * state.side
        pivot = tf.sqrt(delta**2 + side**2)
        next_cosine, next_sine = divide(delta, pivot), divide(side, pivot)
        direction = divide(
            state.basis - corner * state.previous_direction - upper * state.direction,
            pivot,
        )
        stepped = _Minres(
            state.v + next_cosine * state.residual * direction,
            -next_sine * state.residual,
            divide(image, side),
            state.basis,
            side,
            direction,
            state.direction,
            (next_cosine, cosine),
            (next_sine, sine),
            tf.maximum(state.norm, length),
        )
        return (select(active, stepped, state),)

    zero, one = tf.zeros_like(start), tf.ones_like(start)
    nothing = tf.zeros_like(right)
    initial = _Minres(
        # A u that is not finite must give a v that is not: 0 * inf is NaN.
        0 * right,
        start,
        divide(right, start),
        nothing,
        zero,
        nothing,
        nothing,
        (one, one),
        (zero, zero),
        zero,
    )
    (end,) = tf.while_loop(
        lambda state: tf.reduce_any(running(state)),
        body,
        (initial,),
        maximum_iterations=limit,
    )
    # The recurrence's own residual drifts where the basis loses orthogonality, and
    # round-off leaves one of ε |H| |v|: that is all that any solve can do, as long as
    # v is not so long that H must be singular.
    residual = tf.norm(right - product(end.v), axis=-1, keepdims=True)
    drift = max(100 * min(precision, usual), 2 * precision)
    epsilon = round_off(x.dtype)
    reach = end.norm * tf.norm(end.v, axis=-1, keepdims=True)
    regular = 64 * epsilon * reach < start
    backward = (residual <= 32 * epsilon * reach) & regular
    solved = ~(residual > drift * start) | backward
    message = (
        f"Minimal residuals do not converge to {precision:g} in {limit} iterations, of "
        f"which wt.MINRES may allow more: {SINGULAR} Residual:"
    )
    with insist(solved, message, tf.reduce_max(size * residual)):
        return tf.where(solved, size * end.v, NAN)


class _Minres(NamedTuple):
    v: tf.Tensor
    residual: tf.Tensor
    basis: tf.Tensor
    previous_basis: tf.Tensor
    side: tf.Tensor
    direction: tf.Tensor
    previous_direction: tf.Tensor
    cosines: tuple[tf.Tensor, tf.Tensor]
    sines: tuple[tf.Tensor, tf.Tensor]
    norm: tf.Tensor  # The largest |H b| of a unit vector b: |H| from below.
