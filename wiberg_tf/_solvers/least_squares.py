"""Solvers for energies of residuals: Gauss-Newton, reweighting, Levenberg-Marquardt."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import tensorflow as tf

from wiberg_tf._box import restrict
from wiberg_tf._iterate import Solver, ended
from wiberg_tf._linear.positive import positive
from wiberg_tf._linear.structured import LinearSolve, solve_structured
from wiberg_tf._nest import select
from wiberg_tf._options import check_numbers
from wiberg_tf._problem import Problem, round_off
from wiberg_tf._residuals import residual_energy
from wiberg_tf._solution import Status
from wiberg_tf._solvers.corrections import Correct, by_step, settled_by
from wiberg_tf._solvers.newton import Iterate, Newton
from wiberg_tf._stopping import check_limits


class _OfResiduals(Newton):
    """Newton's method with a curvature that costs little once residuals are known."""

    # Whether the curvature of the loss counts.
    exact: ClassVar[bool]

    def init(self, problem: Problem, x: tf.Tensor) -> Iterate:
        """See the base class, which says what is wrong with an energy."""
        residual_energy(problem, self)
        state = super().init(problem, x)
        return state._replace(matrix=self.expand(problem, state.x)[2])

    def curvature(self, problem: Problem, x: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        return residual_energy(problem, self).gauss_newton(problem, x, self.exact)

    def expand(
        self, problem: Problem, x: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | tuple[()]]:
        """See the base class."""
        own = type(self).curvature is not _OfResiduals.curvature
        if own or self.linear_solve is not None or self.steps_per_hessian > 1:
            return super().expand(problem, x)
        return residual_energy(problem, self).expand(problem, x, self.exact)


@dataclass(frozen=True, kw_only=True)
class GaussNewton(_OfResiduals):
    """Newton's method with JᵀJ for the Hessian, for a `ResidualEnergy`.

    It needs no second derivatives of the residuals, and converges fast where they or
    the residuals are small. A robust loss adds its own curvature where that is
    positive. Attributes are Newton's.
    """

    exact: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class IRLS(_OfResiduals):
    """Iteratively reweighted least squares, for a `ResidualEnergy` with a robust loss.

    Each step solves the least-squares problem in which a residual weighs ρ′(|r|²). For
    residuals linear in x and losses concave in |r|², as all of `wt.losses` are, no step
    raises the energy (Holland and Welsch, 1977); convergence is linear. For others set
    `line_search`. The remaining attributes are Newton's.
    """

    line_search: bool = False
    exact: ClassVar[bool] = False


class _State(NamedTuple):
    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor
    # The damping μ, and the factor by which the next failure raises it.
    damping: tf.Tensor
    growth: tf.Tensor
    obstacle: tf.Tensor
    first_energy: tf.Tensor
    settled: tf.Tensor
    # JᵀJ, where it comes with the gradient.
    matrix: tf.Tensor | tuple[()]


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
      rtol: of the step, as Newton's.
      max_iterations: the most trial steps of any problem.
      initial_damping: the first μ, relative to the largest diagonal entry of JᵀJ.
      linear_solve: the caller's `linear_solve(x, parameters, damping, right)`, as
        Newton's, here with μ for the damping. JᵀJ is not formed then; the first μ is
        relative to |Hg| / |g|.
      scaling: "none", or "marquardt" for μ diag(JᵀJ) instead of μI (Marquardt, 1963):
        then no units of the unknowns change the steps.
    """

    tolerance: float | None = None
    rtol: float | None = None
    max_iterations: int = 200
    initial_damping: float = 1e-3
    linear_solve: LinearSolve | None = None
    scaling: Literal["none", "marquardt"] = "none"
    takes_bounds = True

    def __post_init__(self) -> None:
        check_limits(self.tolerance, self.rtol, self.max_iterations)
        check_numbers(initial_damping=self.initial_damping, positive=True)
        if self.scaling not in ("none", "marquardt"):
            raise ValueError(
                f"`scaling` must be none or marquardt; received {self.scaling!r}"
            )
        if self.scaling == "marquardt" and self.linear_solve is not None:
            raise ValueError(
                "`scaling` must be none with a `linear_solve` of your own; "
                f"received {self.scaling!r}"
            )

    @property
    def by_steps(self) -> bool:
        """See the base class."""
        return self.tolerance is None and self.linear_solve is not None

    def init(self, problem: Problem, x: tf.Tensor) -> _State:
        """Evaluates the energy and scales μ."""
        x = problem.project(x)
        energy, gradient = problem.value_and_free_gradient(x)
        matrix = self._expand(problem, x)[2]
        largest = self._scale(problem, x, gradient, matrix)
        unit = tf.ones_like(largest)
        damping = self.initial_damping * tf.where(largest > 0, largest, unit)
        obstacle = tf.zeros_like(energy, tf.int32)
        there = tf.reduce_all(gradient == 0, -1)
        return _State(
            x, energy, gradient, damping, 2 * unit, obstacle, energy, there, matrix
        )

    def step(self, problem: Problem, state: _State) -> _State:
        """One trial step: taken if the energy falls."""
        move, predicted, correct = self._trial(problem, state)
        trial = state.x + move
        energy, gradient, matrix = self._expand(problem, trial)
        # Near the minimum the decrease drowns in the energy's round-off.
        noise = 8 * round_off(energy.dtype) * tf.abs(state.energy)
        promised = predicted + noise
        # Both are 0 for a problem of energy 0, which is done.
        gain = (state.energy - energy + noise) / tf.where(promised > 0, promised, 1)
        accepted = (gain > 0) & (promised > 0)  # False for NaN.
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
            state.first_energy,
            self._settled(state, trial, energy, gradient, correct),
            matrix,
        )
        refused = state._replace(
            damping=state.damping * state.growth,
            growth=2 * state.growth,
            obstacle=tf.where(stuck, int(Status.NO_DESCENT), state.obstacle),
        )
        return select(accepted, stepped, refused)

    def terminate(self, state: _State) -> tuple[tf.Tensor, tf.Tensor]:
        """See `ended`."""
        return ended(
            state.energy,
            state.gradient,
            self.tolerance,
            state.obstacle,
            state.settled,
        )

    def postprocess(self, state: _State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The last point."""
        return state.x, state.energy, state.gradient

    def _settled(
        self,
        state: _State,
        x: tf.Tensor,
        energy: tf.Tensor,
        gradient: tf.Tensor,
        correct: Correct,
    ) -> tf.Tensor:
        if self.tolerance is not None:
            return state.settled
        return settled_by(correct, x, energy, gradient, state.first_energy, self.rtol)

    def _scale(
        self,
        problem: Problem,
        x: tf.Tensor,
        gradient: tf.Tensor,
        matrix: tf.Tensor | tuple[()],
    ) -> tf.Tensor:
        """The size of the curvature, `[*batch]`, which sets that of μ."""
        if self.linear_solve is None:
            curvature = self._curvature(problem, x, matrix)
            return _largest(curvature, self._weights(curvature))
        bent = tf.norm(problem.hessian_product(x, gradient), axis=-1)
        return tf.math.divide_no_nan(bent, tf.norm(gradient, axis=-1))

    def _trial(
        self, problem: Problem, state: _State
    ) -> tuple[tf.Tensor, tf.Tensor, Correct]:
        """The step within the bounds, the decrease predicted, and its correction."""
        if self.linear_solve is not None:
            move = -solve_structured(
                self.linear_solve, problem, state.x, state.damping, state.gradient
            )
            predicted = _predicted(move, tf.ones_like(move), state)
            return move, predicted, by_step(state.gradient, move)
        curvature = self._curvature(problem, state.x, state.matrix)
        if problem.box is not None:
            at_bound = problem.box.touched(state.x)
            curvature = restrict(curvature, at_bound & (state.gradient == 0))
        weights = self._weights(curvature)
        # Below round-off of JᵀJ the damping would keep nothing regular.
        noise = 4 * curvature.shape[-1] * round_off(curvature.dtype)
        least = noise * _largest(curvature, weights)
        damping = tf.maximum(state.damping, least)[..., None]
        damped = _with_diagonal(curvature, damping * weights)
        damped = positive(damped, noise, problem.unrolled)
        move = -damped.solve(state.gradient)

        def correct(x: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # JᵀJ alone may be singular, but no more than round-off makes it.
            matrix = _with_diagonal(curvature, least[..., None] * weights)
            return positive(matrix, noise).correct(x, gradient)

        if problem.box is None:
            state = state._replace(damping=damping[..., 0])
            return move, _predicted(move, weights, state), correct
        move = problem.project(state.x + move) - state.x
        bent = tf.linalg.matvec(curvature, move)
        predicted = -tf.reduce_sum(move * (state.gradient + 0.5 * bent), -1)
        return move, predicted, correct

    def _weights(self, curvature: tf.Tensor) -> tf.Tensor:
        """The diagonal W, `[*batch, n]`."""
        diagonal = tf.linalg.diag_part(curvature)
        if self.scaling == "none":
            return tf.ones_like(diagonal)
        # An unknown without curvature yet is damped like the others.
        mean = tf.reduce_max(diagonal, -1, keepdims=True)
        mean = tf.where(mean > 0, mean, tf.ones_like(mean))
        return tf.where(diagonal > 0, diagonal, mean)

    def _expand(
        self, problem: Problem, x: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | tuple[()]]:
        """E, ∂E/∂x, and JᵀJ if it comes with them, else ()."""
        if self.linear_solve is not None:
            return *problem.value_and_free_gradient(x), ()
        return residual_energy(problem, self).expand(problem, x, exact=True)

    def _curvature(
        self, problem: Problem, x: tf.Tensor, matrix: tf.Tensor | tuple[()]
    ) -> tf.Tensor:
        if isinstance(matrix, tuple):
            matrix = residual_energy(problem, self).gauss_newton(problem, x, exact=True)
        return tf.where(tf.math.is_finite(matrix), matrix, tf.zeros_like(matrix))


def _with_diagonal(matrix: tf.Tensor, more: tf.Tensor) -> tf.Tensor:
    return tf.linalg.set_diag(matrix, tf.linalg.diag_part(matrix) + more)


def _largest(curvature: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The largest curvature in units of the weights, 1 where there is none."""
    diagonal = tf.stop_gradient(tf.linalg.diag_part(curvature))
    largest = tf.reduce_max(diagonal / weights, -1)
    return tf.where(largest > 0, largest, tf.ones_like(largest))


def _predicted(move: tf.Tensor, weights: tf.Tensor, state: _State) -> tf.Tensor:
    """−(g d + ½ dᵀJᵀJ d) for the solution d of (JᵀJ + μW) d = −g."""
    return 0.5 * tf.reduce_sum(
        move * (state.damping[..., None] * weights * move - state.gradient), -1
    )
