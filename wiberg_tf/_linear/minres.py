"""Minimal residuals for the damped system (H + λI) v = u, definite or not."""

from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._linear.checks import NAN, SINGULAR, dot, insist
from wiberg_tf._problem import Problem


def solve_minres(
    problem: Problem, x: tf.Tensor, damping: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """Solves (H + λI) v = u by minimal residuals, for H + λI definite or not.

    On Hessian-vector products, to a relative residual of 1e-10 (float64) or 1e-5
    (float32).

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`.
      right: u, `[*batch, n]`.

    Raises:
      tf.errors.InvalidArgumentError: if H + λI is so nearly singular that the residual
        stays large.

    References:
      Paige and Saunders, Solution of sparse indefinite systems of linear equations,
      SIAM J. Numer. Anal. 12 (1975), in the three-term form of Greenbaum, Iterative
      Methods for Solving Linear Systems (1997), algorithm 4.
    """
    precision = 1e-10 if x.dtype == tf.float64 else 1e-5
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
        )
        return (
            tf.nest.map_structure(
                lambda old, new: tf.where(active, new, old), state, stepped
            ),
        )

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
    )
    (end,) = tf.while_loop(
        lambda state: tf.reduce_any(running(state)),
        body,
        (initial,),
        maximum_iterations=10 * x.shape[-1],
    )
    # The recurrence's own residual drifts where the basis loses orthogonality.
    residual = tf.norm(right - product(end.v), axis=-1, keepdims=True)
    solved = ~(residual > 100 * precision * start)
    message = f"Minimal residuals do not converge: {SINGULAR} Residual:"
    with insist(solved, message, tf.reduce_max(residual)):
        return tf.where(solved, end.v, NAN)


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
