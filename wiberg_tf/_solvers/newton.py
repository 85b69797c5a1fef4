"""Newton's method with a backtracking line search, for small dense problems."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._box import restrict
from wiberg_tf._iterate import Solver, ended
from wiberg_tf._linear.positive import Factored, positive, regular
from wiberg_tf._linear.structured import LinearSolve, solve_structured
from wiberg_tf._options import check_counts, check_numbers
from wiberg_tf._problem import Problem, round_off
from wiberg_tf._solution import Status
from wiberg_tf._solvers.corrections import Correct, by_step, settled_by
from wiberg_tf._solvers.line_search import backtrack, descends, is_lost
from wiberg_tf._solvers.secants import Pair, updated
from wiberg_tf._stopping import check_limits


class Iterate(NamedTuple):
    """The state of Newton's method."""

    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor
    # CONVERGED while steps can be made, else why they cannot.
    obstacle: tf.Tensor
    # E at the start, and whether the relative rule holds.
    first_energy: tf.Tensor
    settled: tf.Tensor
    # The matrix `[*batch, n, n]` at x, where it comes with the gradient.
    matrix: tf.Tensor | tuple[()] = ()


class _Taken(NamedTuple):
    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor
    matrix: tf.Tensor | tuple[()]
    obstacle: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class Newton(Solver):
    """Newton's method with the Hessian's eigenvalues made positive.

    The direction is −V |Λ|⁻¹ Vᵀ g with |Λ| floored, which is Newton's direction where
    the Hessian is safely positive definite and a direction of descent elsewhere
    (Nocedal and Wright, Numerical Optimization, 2nd ed., section 3.4). The step is
    halved until the energy falls enough (Armijo).

    With `line_search=False` each step is −(H + λI)⁻¹ g as it stands, towards a saddle
    or a maximum where H + λI is indefinite.

    With a `linear_solve` no matrix is formed: the step is the caller's −(H + λI)⁻¹ g,
    or down the gradient where that leads uphill or is not finite.

    Attributes:
      tolerance: a problem has converged when its gradient norm is at most this, in the
        units of E by those of x; by default `rtol` decides.
      rtol: a problem has converged when the step that is left is about this part of
        the way made, in the metric of the steps (see docs/mathematics.md); by default
        1e-8 in float64, 1e-4 in float32.
      max_iterations: the most steps that any problem takes.
      max_halvings: the most halvings of one step.
      sufficient_decrease: Armijo's constant (Nocedal and Wright, eq. 3.4).
      eigenvalue_floor: the floor of |Λ|, relative to the largest |eigenvalue|; never
        below round-off.
      damping: λ, added to the Hessian's diagonal: a number, or a tensor that
        broadcasts to `[*batch]`. It slows convergence and does not move the minimum.
      line_search: whether to mend the direction and search along it.
      steps_per_hessian: how many steps each Hessian serves at most, each with its own
        search: 4 to 10 save Hessians where one costs much more than a gradient, with
        many unknowns. Between them the matrix learns of each step that was made, by
        the BFGS formula (ibid., eq. 6.17). An iteration is that many steps, fewer where
        a problem is done before.
      linear_solve: the caller's `linear_solve(x, parameters, damping, right)` for
        matrices with structure, as of `TrustRegion`: one function serves both. It may
        take any positive definite matrix for H, and then decides how fast the steps
        converge, not where.
    """

    tolerance: float | None = None
    rtol: float | None = None
    max_iterations: int = 100
    max_halvings: int = 40
    sufficient_decrease: float = 1e-4
    eigenvalue_floor: float = 1e-12
    damping: float | tf.Tensor = 0.0
    line_search: bool = True
    steps_per_hessian: int = 1
    linear_solve: LinearSolve | None = None
    takes_bounds = True

    def __post_init__(self) -> None:
        check_limits(self.tolerance, self.rtol, self.max_iterations)
        check_counts(max_halvings=self.max_halvings)
        check_numbers(
            damping=self.damping,
            sufficient_decrease=self.sufficient_decrease,
            eigenvalue_floor=self.eigenvalue_floor,
        )
        if self.steps_per_hessian < 1:
            raise ValueError(
                f"`steps_per_hessian` must be >= 1; received {self.steps_per_hessian}"
            )
        if self.steps_per_hessian > 1 and not (
            self.line_search and self.linear_solve is None
        ):
            raise ValueError(
                "`steps_per_hessian` must be 1 without a line search or with a "
                f"`linear_solve` of your own; received {self.steps_per_hessian}"
            )

    def init(self, problem: Problem, x: tf.Tensor) -> Iterate:
        """Evaluates energy and gradient at the start."""
        x = problem.project(x)
        energy, gradient = problem.value_and_free_gradient(x)
        there = tf.reduce_all(gradient == 0, -1)
        obstacle = tf.zeros_like(energy, tf.int32)
        return Iterate(x, energy, gradient, obstacle, energy, there)

    def step(self, problem: Problem, state: Iterate) -> Iterate:
        """One Newton step, or `steps_per_hessian`."""
        if self.linear_solve is not None:
            taken, correct = self._structured_step(problem, state, self.linear_solve)
        else:
            taken, correct = self._dense_step(problem, state)
        return self._after(state, taken, correct)

    def terminate(self, state: Iterate) -> tuple[tf.Tensor, tf.Tensor]:
        """Done when the gradient is small, no step descends, or values are lost."""
        return ended(
            state.energy,
            state.gradient,
            self.tolerance,
            state.obstacle,
            state.settled,
        )

    def postprocess(self, state: Iterate) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The last point."""
        return state.x, state.energy, state.gradient

    def curvature(self, problem: Problem, x: tf.Tensor) -> tf.Tensor:
        """The matrix `[*batch, n, n]` of the steps: the Hessian."""
        return problem.hessian(x)

    def expand(
        self, problem: Problem, x: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | tuple[()]]:
        """E, ∂E/∂x, and the matrix at x if it costs little beside them, else ()."""
        return *problem.value_and_free_gradient(x), ()

    def _dense_step(self, problem: Problem, state: Iterate) -> tuple[_Taken, Correct]:
        here = state.matrix
        if isinstance(here, tuple):
            here = as_written(self.curvature)(problem, state.x)
        hessian = self._damped(here)
        held = _held(problem, state.x, state.gradient)
        if held is not None:
            hessian = restrict(hessian, held)
        if not self.line_search:
            factored, singular = regular(hessian, problem.unrolled)
            step = -factored.solve(state.gradient)
            x = tf.where(singular[..., None], state.x, state.x + step)
            obstacle = tf.where(singular, int(Status.SINGULAR), int(Status.CONVERGED))
            taken = self._evaluated(problem, problem.project(x), obstacle)
            return taken, factored.correct
        noise = 4 * hessian.shape[-1] * round_off(hessian.dtype)
        floor = max(self.eigenvalue_floor, noise)
        factored = positive(hessian, floor, problem.unrolled)
        correction = factored.solve(state.gradient)
        taken = self._descend(problem, state, -correction)
        if self.steps_per_hessian == 1:
            return taken, factored.correct
        return self._further_steps(problem, state, taken, correction, factored, held)

    def _further_steps(
        self,
        problem: Problem,
        state: Iterate,
        taken: _Taken,
        correction: tf.Tensor,
        factored: Factored,
        held: tf.Tensor | None,
    ) -> tuple[_Taken, Correct]:
        """More steps with the matrix of the first, which went from `state` to `taken`.

        Problems that are done stay where they are, so that nothing depends on what
        else is in the batch.
        """
        # That a further one goes nowhere says nothing of the next Hessian's.
        obstacle = taken.obstacle
        pairs = list[Pair]()

        def known(x: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.stop_gradient(correction), factored.size(x)

        def correct(x: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            last = updated(factored.solve, pairs, gradient)
            return tf.stop_gradient(last), factored.size(x)

        for _ in range(self.steps_per_hessian - 1):
            pairs.append(self._pair(state, taken, known))
            correction = updated(factored.solve, pairs, taken.gradient)
            here = self._after(state, taken, known)
            go_on = tf.ones_like(here.energy, tf.bool)
            if held is not None:
                # The factor is of other unknowns than those that are free now.
                now = _held(problem, here.x, here.gradient)
                go_on = tf.reduce_all(held == now, -1)
            if not problem.unrolled:  # Derivatives settle later than values.
                go_on &= ~self.terminate(here)[0]
            taken = self._descend_if(problem, here, taken, -correction, go_on)
            state, taken = here, taken._replace(obstacle=obstacle)
        return taken, correct

    def _pair(self, before: Iterate, after: _Taken, correct: Correct) -> Pair:
        """Of the damped energy, as the matrix is."""
        step = after.x - before.x
        damping = tf.convert_to_tensor(self.damping, step.dtype)[..., None]
        difference = after.gradient - before.gradient + damping * step
        # A step that round-off decides tells nothing; its derivative would be noise.
        there = settled_by(
            correct, before.x, before.energy, before.gradient, before.first_energy
        )
        return Pair.of(step, difference, ~there)

    def _after(self, state: Iterate, taken: _Taken, correct: Correct) -> Iterate:
        x, energy, gradient, matrix, obstacle = taken
        if self.tolerance is None:
            there = settled_by(
                correct, x, energy, gradient, state.first_energy, self.rtol
            )
        else:
            there = state.settled
        return Iterate(x, energy, gradient, obstacle, state.first_energy, there, matrix)

    def _structured_step(
        self, problem: Problem, state: Iterate, linear_solve: LinearSolve
    ) -> tuple[_Taken, Correct]:
        damping = tf.convert_to_tensor(self.damping, state.energy.dtype)
        damping = tf.broadcast_to(damping, tf.shape(state.energy))
        step = -solve_structured(
            linear_solve, problem, state.x, damping, state.gradient
        )
        finite = tf.reduce_all(tf.math.is_finite(step), -1)
        if not self.line_search:
            x = tf.where(finite[..., None], state.x + step, state.x)
            obstacle = tf.where(finite, int(Status.CONVERGED), int(Status.SINGULAR))
            taken = self._evaluated(problem, x, obstacle)
            return taken, by_step(state.gradient, step)
        downhill = finite & (tf.reduce_sum(step * state.gradient, -1) < 0)
        step = tf.where(downhill[..., None], step, -state.gradient)
        taken = self._descend(problem, state, step)
        return taken, by_step(state.gradient, step)

    def _damped(self, hessian: tf.Tensor) -> tf.Tensor:
        if isinstance(self.damping, int | float) and self.damping == 0:
            return hessian
        damping = tf.convert_to_tensor(self.damping, hessian.dtype)[..., None]
        return tf.linalg.set_diag(hessian, tf.linalg.diag_part(hessian) + damping)

    def _descend(
        self, problem: Problem, state: Iterate, direction: tf.Tensor
    ) -> _Taken:
        """A step that lowers the energy, or none."""
        if problem.unrolled:  # See `_unless`.
            return self._shortened(problem, state, direction)
        x = problem.project(state.x + direction)
        energy, gradient, matrix = as_written(self.expand)(problem, x)
        start = state.x, state.energy, state.gradient
        whole = descends(start, x, energy, self.sufficient_decrease)
        # Mostly the whole step is good, and needs no other evaluation.
        return _unless(
            tf.reduce_all(whole | is_lost(start)),
            _Taken(x, energy, gradient, matrix, tf.zeros_like(state.obstacle)),
            lambda: self._shortened(problem, state, direction),
        )

    def _descend_if(
        self,
        problem: Problem,
        state: Iterate,
        taken: _Taken,
        direction: tf.Tensor,
        go_on: tf.Tensor,
    ) -> _Taken:
        """A step of the problems that go on, from `state`; none without any."""
        direction = tf.where(go_on[..., None], direction, 0)
        if problem.unrolled:  # See `_unless`.
            return self._descend(problem, state, direction)
        done = ~tf.reduce_any(go_on)
        return _unless(done, taken, lambda: self._descend(problem, state, direction))

    def _shortened(
        self, problem: Problem, state: Iterate, direction: tf.Tensor
    ) -> _Taken:
        """The same by searches."""
        x, accepted = self._search(problem, state, direction)
        if problem.box is not None:
            # Projected, only the gradient's direction is sure to lead downhill.
            safe, found = self._search(problem, state, -state.gradient)
            x = tf.where(accepted[..., None], x, safe)
            accepted |= found
        obstacle = tf.where(accepted, int(Status.CONVERGED), int(Status.NO_DESCENT))
        x = tf.where(accepted[..., None], x, state.x)
        return self._evaluated(problem, x, obstacle)

    def _search(
        self, problem: Problem, state: Iterate, direction: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The point of a step along the direction, and whether there is one."""
        size, accepted = backtrack(
            problem,
            (state.x, state.energy, state.gradient),
            direction,
            tf.ones_like(state.energy),
            self.sufficient_decrease,
            self.max_halvings,
        )
        return problem.project(state.x + size[..., None] * direction), accepted

    def _evaluated(self, problem: Problem, x: tf.Tensor, obstacle: tf.Tensor) -> _Taken:
        energy, gradient, matrix = as_written(self.expand)(problem, x)
        return _Taken(x, energy, gradient, matrix, obstacle)


def _unless(done: tf.Tensor, taken: _Taken, go_on: Callable[[], _Taken]) -> _Taken:
    """What was taken, or else `go_on()`, which costs nothing where that is good.

    Not where the steps are differentiated: XLA does so for no loops within branches.
    """
    try:
        return tf.cond(done, lambda: taken, go_on)
    except AssertionError:  # TensorFlow's forward mode knows no such loops, either.
        return go_on()


def _held(problem: Problem, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor | None:
    """Which unknowns a bound holds, bool like x; None without bounds."""
    if problem.box is None:
        return None
    return problem.box.touched(x) & (gradient == 0)
