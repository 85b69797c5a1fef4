"""Newton's method for equations, with a search along each step."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._equations import Equations
from wiberg_tf._linear.dense import DENSE_LIMIT
from wiberg_tf._linear.gmres import gmres
from wiberg_tf._linear.square import solve_square
from wiberg_tf._solution import Status
from wiberg_tf._solvers.roots import RootSolver, check_limits, ended_at_root, norm


class _State(NamedTuple):
    x: tf.Tensor
    residual: tf.Tensor
    # The largest |F| met, which says what a small one is.
    largest: tf.Tensor
    # Whether the last step was too small to change x.
    still: tf.Tensor
    obstacle: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class NewtonKrylov(RootSolver):
    """Newton's method for F(x) = 0: steps −(∂F/∂x)⁻¹ F, halved until |F| falls.

    Up to 256 unknowns the matrix is formed and factored; for more GMRES solves the
    system about as well as the step deserves (Dembo, Eisenstat and Steihaug, Inexact
    Newton Methods, SIAM J. Numer. Anal. 19, 1982).

    No rule depends on the units of F, nor on those of x as a whole.

    Attributes:
      rtol: a system is solved where |F| is at most this part of the largest |F| met,
        or the step this part of |x|; by default 1e-10 in float64, 1e-5 in float32.
      atol: or where |F| is at most this.
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
    max_iterations: int = 50
    max_halvings: int = 30
    sufficient_decrease: float = 1e-4
    forcing: float = 1e-3
    max_products: int = 300
    dense_limit: int = DENSE_LIMIT

    def __post_init__(self) -> None:
        check_limits(self.rtol, self.atol)

    def init(self, equations: Equations, x: tf.Tensor) -> _State:
        """Evaluates F at the start."""
        residual = equations.residual(x)
        largest = norm(residual)
        return _State(
            x,
            residual,
            largest,
            tf.zeros_like(largest, tf.bool),
            tf.zeros_like(largest, tf.int32),
        )

    def step(self, equations: Equations, state: _State) -> _State:
        """One step."""
        direction, solved = self._direction(equations, state)
        start = norm(state.residual)

        def promising(size: tf.Tensor) -> tf.Tensor:
            trial = norm(equations.residual(state.x + size[..., None] * direction))
            return trial <= (1 - self.sufficient_decrease * size) * start

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
        # At the root no step lowers |F|, and none is needed.
        moved = norm(direction)
        still = solved & (moved <= self._relative(moved) * norm(state.x))
        x = tf.where(
            accepted[..., None], state.x + size[..., None] * direction, state.x
        )
        residual = tf.where(accepted[..., None], equations.residual(x), state.residual)
        obstacle = tf.where(solved, int(Status.NO_DESCENT), int(Status.SINGULAR))
        return _State(
            x,
            residual,
            tf.maximum(state.largest, norm(residual)),
            still,
            tf.where(accepted | still, int(Status.CONVERGED), obstacle),
        )

    def terminate(self, state: _State) -> tuple[tf.Tensor, tf.Tensor]:
        """See `ended_at_root`."""
        small = norm(state.residual) <= (
            self.atol + self._relative(state.largest) * state.largest
        )
        return ended_at_root(state.residual, small | state.still, state.obstacle)

    def postprocess(self, state: _State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The last point, ½ |F|² and F."""
        return state.x, 0.5 * norm(state.residual) ** 2, state.residual

    def _relative(self, like: tf.Tensor) -> float:
        if self.rtol is not None:
            return self.rtol
        return 1e-10 if like.dtype == tf.float64 else 1e-5

    def _direction(
        self, equations: Equations, state: _State
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The step, and whether there is one, bool `[*batch]`."""
        if equations.packing.size > self.dense_limit:
            direction, _ = gmres(
                lambda d: equations.product(state.x, d),
                -state.residual,
                self.forcing,
                self.max_products,
            )
            return direction, tf.reduce_all(tf.math.is_finite(direction), -1)
        return solve_square(equations.jacobian(state.x), -state.residual)
