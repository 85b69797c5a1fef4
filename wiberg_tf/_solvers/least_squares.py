"""Solvers for energies of residuals: Gauss-Newton, reweighting, Levenberg-Marquardt."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._box import restrict
from wiberg_tf._iterate import Solver, ended
from wiberg_tf._linear.structured import LinearSolve, solve_structured
from wiberg_tf._nest import select
from wiberg_tf._problem import Problem, round_off
from wiberg_tf._residuals import residual_energy
from wiberg_tf._solution import Status
from wiberg_tf._solvers.newton import Newton


@dataclass(frozen=True, kw_only=True)
class GaussNewton(Newton):
    """Newton's method with JᵀJ for the Hessian, for a `ResidualEnergy`.

    It needs no second derivatives of the residuals, and converges fast where they or
    the residuals are small. A robust loss adds its own curvature where that is
    positive. Attributes are Newton's.
    """

    def curvature(self, problem: Problem, x: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        return residual_energy(problem, self).gauss_newton(problem, x, exact=True)


@dataclass(frozen=True, kw_only=True)
class IRLS(Newton):
    """Iteratively reweighted least squares, for a `ResidualEnergy` with a robust loss.

    Each step solves the least-squares problem in which a residual weighs ρ′(|r|²). For
    residuals linear in x and losses concave in |r|², as all of `wt.losses` are, no step
    raises the energy (Holland and Welsch, 1977); convergence is linear. For others set
    `line_search`. The remaining attributes are Newton's.
    """

    line_search: bool = False

    def curvature(self, problem: Problem, x: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        return residual_energy(problem, self).gauss_newton(problem, x, exact=False)


class _State(NamedTuple):
    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor
    # The damping μ, and the factor by which the next failure raises it.
    damping: tf.Tensor
    growth: tf.Tensor
    obstacle: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt(Solver):
    """Gauss-Newton steps damped by μ, as much as keeps the energy falling.

    Each step solves (JᵀJ + μI) d = −g; μ follows the ratio of the actual to the
    predicted decrease (Nielsen's rule: Madsen, Nielsen and Tingleff, Methods for
    Non-Linear Least Squares Problems, 2004, algorithm 3.16).

    With bounds the step is projected, and unknowns that a bound holds stay out of it.
    A large μ leaves the projected gradient's direction, which leads downhill.

    Attributes:
      tolerance: of the gradient norm, as Newton's.
      max_iterations: the most trial steps of any problem.
      initial_damping: the first μ, relative to the largest diagonal entry of JᵀJ.
      linear_solve: the caller's `linear_solve(x, parameters, damping, right)`, as
        Newton's, here with μ for the damping. JᵀJ is not formed then; the first μ is
        relative to |Hg| / |g|.
    """

    tolerance: float | None = None
    max_iterations: int = 200
    initial_damping: float = 1e-3
    linear_solve: LinearSolve | None = None
    takes_bounds = True

    def init(self, problem: Problem, x: tf.Tensor) -> _State:
        """Evaluates the energy and scales μ."""
        x = problem.project(x)
        energy, gradient = problem.value_and_free_gradient(x)
        largest = self._scale(problem, x, gradient)
        unit = tf.ones_like(largest)
        damping = self.initial_damping * tf.where(largest > 0, largest, unit)
        obstacle = tf.zeros_like(energy, tf.int32)
        return _State(x, energy, gradient, damping, 2 * unit, obstacle)

    def step(self, problem: Problem, state: _State) -> _State:
        """One trial step: taken if the energy falls."""
        move, predicted = self._trial(problem, state)
        trial = state.x + move
        energy, gradient = problem.value_and_free_gradient(trial)
        # Near the minimum the decrease drowns in the energy's round-off.
        noise = 8 * round_off(energy.dtype) * tf.abs(state.energy)
        gain = (state.energy - energy + noise) / (predicted + noise)
        accepted = (gain > 0) & (predicted + noise > 0)  # False for NaN.
        moved = tf.norm(move, axis=-1)
        hopeless = moved <= round_off(energy.dtype) * tf.norm(state.x, axis=-1)
        stuck = ~accepted & hopeless
        shrink = tf.maximum(1 - (2 * tf.minimum(gain, 1) - 1) ** 3, 1 / 3)
        stepped = _State(
            trial,
            energy,
            gradient,
            state.damping * shrink,
            2 * tf.ones_like(gain),
            state.obstacle,
        )
        refused = state._replace(
            damping=state.damping * state.growth,
            growth=2 * state.growth,
            obstacle=tf.where(stuck, int(Status.NO_DESCENT), state.obstacle),
        )
        return select(accepted, stepped, refused)

    def terminate(self, state: _State) -> tuple[tf.Tensor, tf.Tensor]:
        """See `ended`."""
        return ended(state.energy, state.gradient, self.tolerance, state.obstacle)

    def postprocess(self, state: _State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The last point."""
        return state.x, state.energy, state.gradient

    def _scale(self, problem: Problem, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """The size of the curvature, `[*batch]`, which sets that of μ."""
        if self.linear_solve is None:
            diagonal = tf.linalg.diag_part(self._curvature(problem, x))
            return tf.reduce_max(diagonal, -1)
        bent = tf.norm(problem.hessian_product(x, gradient), axis=-1)
        return tf.math.divide_no_nan(bent, tf.norm(gradient, axis=-1))

    def _trial(self, problem: Problem, state: _State) -> tuple[tf.Tensor, tf.Tensor]:
        """The step within the bounds, and the decrease that the model predicts."""
        if self.linear_solve is not None:
            move = -solve_structured(
                self.linear_solve, problem, state.x, state.damping, state.gradient
            )
            return move, _predicted(move, state)
        curvature = self._curvature(problem, state.x)
        if problem.box is not None:
            at_bound = problem.box.touched(state.x)
            curvature = restrict(curvature, at_bound & (state.gradient == 0))
        identity = tf.eye(curvature.shape[-1], dtype=curvature.dtype)
        damped = curvature + state.damping[..., None, None] * identity
        move = -tf.linalg.solve(damped, state.gradient[..., None])[..., 0]
        if problem.box is None:
            return move, _predicted(move, state)
        move = problem.project(state.x + move) - state.x
        bent = tf.linalg.matvec(curvature, move)
        return move, -tf.reduce_sum(move * (state.gradient + 0.5 * bent), -1)

    def _curvature(self, problem: Problem, x: tf.Tensor) -> tf.Tensor:
        matrix = residual_energy(problem, self).gauss_newton(problem, x, exact=True)
        return tf.where(tf.math.is_finite(matrix), matrix, tf.zeros_like(matrix))


def _predicted(move: tf.Tensor, state: _State) -> tf.Tensor:
    """−(g d + ½ dᵀJᵀJ d) for the solution d of (JᵀJ + μI) d = −g."""
    return 0.5 * tf.reduce_sum(
        move * (state.damping[..., None] * move - state.gradient), -1
    )
