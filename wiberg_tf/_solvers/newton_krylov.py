"""Newton's method for equations, with a search along each step."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._equations import Equations
from wiberg_tf._linear.dense import DENSE_LIMIT
from wiberg_tf._linear.gmres import gmres
from wiberg_tf._linear.length import norm
from wiberg_tf._linear.solver import default_tolerance
from wiberg_tf._linear.square import solve_square
from wiberg_tf._problem import round_off
from wiberg_tf._solution import Status
from wiberg_tf._solvers.roots import RootSolver, check_limits, ended_at_root


class _State(NamedTuple):
    x: tf.Tensor
    residual: tf.Tensor
    # The largest |x| met.
    span: tf.Tensor
    # Whether the last step was too small to matter.
    still: tf.Tensor
    obstacle: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class NewtonKrylov(RootSolver):
    """Newton's method for F(x) = 0: steps −(∂F/∂x)⁻¹ F, halved until |F| falls.

    Up to 256 unknowns the matrix is formed and factored; for more GMRES solves the
    system about as well as the step deserves (Dembo, Eisenstat and Steihaug, Inexact
    Newton Methods, SIAM J. Numer. Anal. 19, 1982).

    A system is solved when a step is small beside x, as the error after it is smaller
    still: no rule depends on the units of F, nor on those of x as a whole. Where no
    step makes |F| smaller, a step below the square root of round-off counts, too: the
    equations tell no more.

    Attributes:
      rtol: the part of |x| that is a small step; by default 1e-10 in float64, 1e-5 in
        float32. For roots at 0 round-off's part of the largest |x| met is small, too.
      atol: a system is also solved where |F| is at most this.
      max_iterations: the most steps of any system.
      max_halvings: the most halvings of one step.
      sufficient_decrease: the part of a step's promise that |F| must fall by (Kelley,
        Iterative Methods for Linear and Nonlinear Equations, 1995, eq. 8.1).
      forcing: the relative residual of a step by GMRES.
      max_products: the most Jacobian-vector products of a step by GMRES.
      dense_limit: up to how many unknowns the matrix is formed.
    """

    rtol: float | None = None
    atol: float = 0.0
    max_iterations: int = 100
    max_halvings: int = 60
    sufficient_decrease: float = 1e-4
    forcing: float = 1e-3
    max_products: int = 300
    dense_limit: int = DENSE_LIMIT

    def __post_init__(self) -> None:
        check_limits(self.rtol, self.atol, self.max_iterations)

    def init(self, equations: Equations, x: tf.Tensor) -> _State:
        """Evaluates F at the start."""
        span = norm(x)
        never = tf.zeros_like(span, tf.bool)
        obstacle = tf.zeros_like(span, tf.int32)
        return _State(x, equations.residual(x), span, never, obstacle)

    def step(self, equations: Equations, state: _State) -> _State:
        """One step."""
        direction, there, exact = self._direction(equations, state)
        start = norm(state.residual)

        def promising(size: tf.Tensor) -> tf.Tensor:
            trial = norm(equations.residual(state.x + size[..., None] * direction))
            # For tiny sizes the limit is rounded to what there was.
            limit = (1 - self.sufficient_decrease * size) * start
            return (trial <= limit) & (trial < start)

        def halve(size: tf.Tensor, accepted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            size = tf.where(accepted, size, 0.5 * size)
            return size, accepted | promising(size)

        size = tf.ones_like(start)
        size, accepted = tf.while_loop(
            lambda _, accepted: ~tf.reduce_all(accepted),
            halve,
            (size, promising(size)),
            maximum_iterations=self.max_halvings,
        )
        trial = state.x + size[..., None] * direction
        x = tf.where(accepted[..., None], trial, state.x)
        residual = tf.where(accepted[..., None], equations.residual(x), state.residual)
        span = tf.maximum(state.span, norm(x))
        still = exact & self._is_small(norm(direction), norm(x), span, accepted)
        obstacle = tf.where(there, int(Status.NO_DESCENT), int(Status.SINGULAR))
        obstacle = tf.where(accepted | still, int(Status.CONVERGED), obstacle)
        return _State(x, residual, span, still, obstacle)

    def terminate(self, state: _State) -> tuple[tf.Tensor, tf.Tensor]:
        """See `ended_at_root`."""
        solved = state.still | (norm(state.residual) <= self.atol)
        return ended_at_root(state.residual, solved, state.obstacle)

    def postprocess(self, state: _State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The last point, ½ |F|² and F."""
        return state.x, 0.5 * norm(state.residual) ** 2, state.residual

    def _is_small(
        self, step: tf.Tensor, x: tf.Tensor, span: tf.Tensor, accepted: tf.Tensor
    ) -> tf.Tensor:
        """Whether steps of a length `[*batch]` are, beside x; see the class."""
        noise = round_off(step.dtype)
        rtol = self.rtol or default_tolerance(step.dtype)
        part = tf.where(accepted, tf.cast(rtol, step.dtype), max(rtol, noise**0.5))
        return (step <= part * x) | (step <= noise * span)

    def _direction(
        self, equations: Equations, state: _State
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The step, whether there is one, and whether it is Newton's, `[*batch]`."""
        if equations.packing.size > self.dense_limit:
            direction, solved = gmres(
                lambda d: equations.product(state.x, d),
                -state.residual,
                self.forcing,
                self.max_products,
            )
            length = norm(direction)
            # The direction is 0 where the matrix moves nothing.
            there = tf.math.is_finite(length) & (solved | (length > 0))
            return direction, there, there & solved
        direction, there = solve_square(equations.jacobian(state.x), -state.residual)
        return direction, there, there
