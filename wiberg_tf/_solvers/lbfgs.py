"""Limited-memory BFGS, for many unknowns."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._iterate import Solver, ended
from wiberg_tf._operations import is_for_xla
from wiberg_tf._options import check_counts, check_numbers
from wiberg_tf._problem import Problem
from wiberg_tf._solution import Status
from wiberg_tf._solvers.line_search import backtrack, strong_wolfe
from wiberg_tf._solvers.secants import Secants
from wiberg_tf._stopping import check_limits, settled


class _State(NamedTuple):
    x: tf.Tensor
    energy: tf.Tensor
    # Without the unknowns that a bound holds, and with bounds the whole one too.
    gradient: tf.Tensor
    whole_gradient: Any
    secants: Secants
    obstacle: tf.Tensor
    first_energy: tf.Tensor
    settled: tf.Tensor
    # The approximate H⁻¹ times the gradient.
    correction: tf.Tensor


# x, its energy and gradient, and whether it is another point.
_Moved = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


@dataclass(frozen=True, kw_only=True)
class LBFGS(Solver):
    """L-BFGS with a line search for the strong Wolfe conditions.

    It needs gradients only, memory for `2 * memory` vectors, and suits problems of many
    unknowns (Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.5). A
    problem whose search fails forgets its history and tries the gradient once more.
    The first step goes to the minimum of E's parabola along the gradient, for which one
    Hessian-vector product is spent.

    With bounds the direction is that of the unknowns that no bound holds, from the
    history restricted to these; the step is halved and projected until the energy falls
    enough, and goes along the gradient where that fails (Bertsekas, Projected Newton
    methods for optimization problems with simple constraints, SIAM J. Control Optim.
    20, 1982).

    Attributes:
      tolerance: a problem has converged when its gradient norm is at most this, in the
        units of E by those of x; by default `rtol` decides.
      rtol: a problem has converged when the step that is left is about this part of
        the way made, in the metric of the steps (see docs/mathematics.md); by default
        1e-8 in float64, 1e-4 in float32.
      max_iterations: the most steps that any problem takes.
      memory: how many steps are remembered (ibid., section 7.2: 3 to 20).
      max_evaluations: the most energies and gradients in one line search.
      sufficient_decrease: Armijo's constant c₁ (ibid., section 3.1).
      curvature: c₂, the part of the slope that may be left (ibid., section 3.1).
    """

    tolerance: float | None = None
    rtol: float | None = None
    max_iterations: int = 500
    memory: int = 10
    max_evaluations: int = 30
    sufficient_decrease: float = 1e-4
    curvature: float = 0.9
    takes_bounds = True

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise ValueError(f"`memory` must be >= 1; received {self.memory}")
        check_limits(self.tolerance, self.rtol, self.max_iterations)
        check_counts(max_evaluations=self.max_evaluations)
        check_numbers(
            sufficient_decrease=self.sufficient_decrease, curvature=self.curvature
        )

    @property
    def by_steps(self) -> bool:
        """See the base class."""
        return self.tolerance is None

    def init(self, problem: Problem, x: tf.Tensor) -> _State:
        """Starts with an empty history, and the curvature along the gradient."""
        x = problem.project(x)
        energy, whole = problem.value_and_gradient(x)
        gradient = _free(problem, x, whole)
        scale = _cauchy(problem, x, gradient)
        obstacle = tf.zeros_like(energy, tf.int32)
        return _State(
            x,
            energy,
            gradient,
            () if problem.box is None else whole,
            Secants.none(x, self.memory, scale),
            obstacle,
            energy,
            tf.reduce_all(gradient == 0, -1),
            scale[..., None] * gradient,
        )

    def step(self, problem: Problem, state: _State) -> _State:
        """One line search along the quasi-Newton direction."""
        search = self._search if problem.box is None else self._projected_search
        x, energy, whole, moved = search(problem, state)
        before = state.gradient if problem.box is None else state.whole_gradient
        gradient = _free(problem, x, whole)
        secants = state.secants.push(x - state.x, whole - before, whole)
        secants = secants.forget(~moved)
        free = None if problem.box is None else ~problem.box.held(x, whole)
        after = _State(
            x,
            energy,
            gradient,
            () if problem.box is None else whole,
            secants,
            tf.where(
                moved | (state.secants.count > 0),
                int(Status.CONVERGED),
                int(Status.NO_DESCENT),
            ),
            state.first_energy,
            state.settled,
            secants.solve(gradient, free),
        )
        if self.tolerance is None:
            after = after._replace(settled=_settled(after, self.rtol))
        return after

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

    def _search(self, problem: Problem, state: _State) -> _Moved:
        """Along the quasi-Newton direction, at first all the way."""
        direction = -state.correction
        point = strong_wolfe(
            problem,
            (state.x, state.energy, state.gradient),
            direction,
            tf.ones_like(state.energy),
            sufficient_decrease=self.sufficient_decrease,
            curvature=self.curvature,
            max_evaluations=self.max_evaluations,
        )
        moved = point.size > 0
        step = point.size[..., None] * direction
        x = tf.where(moved[..., None], state.x + step, state.x)
        return x, point.energy, point.gradient, moved

    def _projected_search(self, problem: Problem, state: _State) -> _Moved:
        """Along the same within the bounds, or else along the gradient."""

        def along(direction: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            size, accepted = backtrack(
                problem,
                (state.x, state.energy, state.gradient),
                direction,
                tf.ones_like(state.energy),
                self.sufficient_decrease,
                self.max_evaluations,
            )
            x = problem.project(state.x + size[..., None] * direction)
            return x, accepted & tf.reduce_any(x != state.x, -1)

        x, accepted = along(-state.correction)

        # Projected, only the gradient's direction is sure to lead downhill.
        def by_gradient() -> tuple[tf.Tensor, tf.Tensor]:
            return along(-state.secants.scale[..., None] * state.gradient)

        if problem.unrolled and is_for_xla():
            # Which compiles no branch of a loop that is differentiated.
            safe, found = by_gradient()
        else:
            safe, found = tf.cond(
                tf.reduce_all(accepted), lambda: (x, accepted), by_gradient
            )
        x = tf.where(accepted[..., None], x, safe)
        moved = accepted | found
        x = tf.where(moved[..., None], x, state.x)
        energy, gradient = problem.value_and_gradient(x)
        return x, energy, gradient, moved


def _free(problem: Problem, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """The gradient without what a bound holds."""
    if problem.box is None:
        return gradient
    return tf.where(problem.box.held(x, gradient), tf.zeros_like(gradient), gradient)


def _cauchy(problem: Problem, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """The step to the parabola's minimum along −g, as a part of g, `[*batch]`.

    |g|² / gᵀHg has the units of x² by those of E. Where E does not bend upwards, or has
    no second derivative, the step has length 1, or |g| if that is less.
    """
    norm = tf.norm(gradient, axis=-1)
    there = tf.math.is_finite(norm) & (norm > 0)
    guess = tf.minimum(1 / tf.where(there, norm, 1), 1)
    # Of unit length, or the squares leave the range of numbers.
    along = gradient / tf.where(there, norm, 1)[..., None]
    try:
        bent = tf.reduce_sum(along * problem.hessian_product(x, along), -1)
    except LookupError:  # An operation whose gradient has none of its own.
        return guess
    size = 1 / tf.where(bent > 0, bent, 1)
    good = (bent > 0) & (size > 0) & tf.math.is_finite(size)
    return tf.where(good, size, guess)


def _settled(state: _State, rtol: float | None) -> tf.Tensor:
    """See `settled`: with the scale of the matrix for the curvature of x."""
    state = tf.nest.map_structure(tf.stop_gradient, state)
    there = settled(
        state.gradient,
        state.correction,
        state.energy,
        state.first_energy,
        tf.reduce_sum(state.x**2, -1) / state.secants.scale,
        rtol,
    )
    # Without a pair the correction has no units of x.
    return there & ((state.secants.count > 0) | tf.reduce_all(state.gradient == 0, -1))
