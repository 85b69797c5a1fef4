"""What a solver is, and how one solves."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._autodiff import refuse_forward_mode
from wiberg_tf._box import Box
from wiberg_tf._compaction import iterate_compacted
from wiberg_tf._differentiability import Differentiability, Step, checkpointed
from wiberg_tf._isolation import Isolation, away_from, set_aside
from wiberg_tf._linear.length import norm
from wiberg_tf._loop import flag_not_finite, iterate
from wiberg_tf._nest import Packing, as_like, refuse_other_structure
from wiberg_tf._operations import is_for_xla
from wiberg_tf._problem import Energy, Problem, call_energy
from wiberg_tf._solution import Solution, Stats, Status
from wiberg_tf._stopping import default_rtol
from wiberg_tf._tracing import TracedByValue

# The caller's own solver: `solver(objective, initial) -> value`, where `objective(x)`
# is the energy with its parameters filled in.
CallableSolver = Callable[[Callable[[Any], tf.Tensor], Any], Any]


class Solver(TracedByValue, abc.ABC):
    """An iterative solver: four small steps under a shared loop.

    States are nests of tensors with the batch axes first. Problems that are done
    stop changing while the others go on, so `terminate` must look at the state alone.
    """

    max_iterations: int
    # Whether the solver keeps x within `problem.box`.
    takes_bounds: ClassVar[bool] = False

    @property
    def by_steps(self) -> bool:
        """Whether a problem converges by a matrix that steps alone tell of."""
        return False

    @abc.abstractmethod
    def init(self, problem: Problem, x: tf.Tensor) -> Any:
        """The state at the start vector `[*batch, n]`."""

    @abc.abstractmethod
    def step(self, problem: Problem, state: Any) -> Any:
        """The state after one iteration."""

    @abc.abstractmethod
    def terminate(self, state: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Whether each problem is done, bool `[*batch]`, and its status."""

    @abc.abstractmethod
    def postprocess(self, state: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """X `[*batch, n]`, energy `[*batch]` and gradient `[*batch, n]` at the end."""


def ended(
    energy: tf.Tensor,
    gradient: tf.Tensor,
    tolerance: float | None,
    obstacle: tf.Tensor,
    settled: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The usual `terminate`: a small gradient, an obstacle, or values that are lost.

    Args:
      energy: `[*batch]`.
      gradient: `[*batch, n]`.
      tolerance: of the gradient norm, absolute; None leaves it to `settled`, or without
        that is 1e-8 in float64, 1e-4 in float32.
      obstacle: int32 `[*batch]`, `Status.CONVERGED` while steps can be made, else the
        reason why not.
      settled: bool `[*batch]`, whether a relative rule holds.
    """
    # Not of the norm, whose square may leave the range of numbers.
    finite = tf.reduce_all(tf.math.is_finite(gradient), -1)
    finite &= tf.math.is_finite(energy)
    if tolerance is None and settled is not None:
        converged = settled
    else:
        limit = default_rtol(energy.dtype) if tolerance is None else tolerance
        converged = tf.norm(gradient, axis=-1) <= limit
    stuck = obstacle != int(Status.CONVERGED)
    status = tf.where(converged, int(Status.CONVERGED), obstacle)
    status = tf.where(finite, status, int(Status.NOT_FINITE))
    return converged | stuck | ~finite, status


class Seeds(Protocol):
    """What chooses a start."""

    def choose(self, problem: Problem, packing: Packing, x: tf.Tensor) -> tf.Tensor:
        """The start `[*batch, n]` in place of x."""


@dataclass(frozen=True)
class Compacted(TracedByValue):
    """A solver that leaves problems behind once they are done.

    Without it a batch takes as long as if each problem were its slowest one: steps of
    problems that are done are computed, and dropped. With it the others go on in a
    smaller batch. What comes of it is the same, but for round-off.

    Everything that is a problem's own must begin with the batch's axis and be one of
    the parameters, and the energy must take any number of problems. An energy that
    changes with the others' absence raises an error where the batch is first made
    smaller. Nothing goes back through the steps, so not with `Unrolled`; nor under
    `jit_compile=True`, for XLA must know all sizes.

    Attributes:
      solver: whose steps are made.
      share: of the problems that go on together: when no more are left, the others are
        left behind.
      least: problems that always go on together.

    Raises:
      TypeError: for a `solver` that is none of the library's kind.
      ValueError: for a `share` that is not between 0 and 1, a `least` below 0, or a
        solver with a damping of each problem.
    """

    solver: Solver
    share: float = 0.75
    least: int = 32

    def __post_init__(self) -> None:
        if not isinstance(self.solver, Solver):
            raise TypeError(
                "`solver` must be a solver of steps, such as wt.Newton(); received "
                f"{self.solver!r}"
            )
        if not 0 < self.share < 1:
            raise ValueError(f"`share` must be > 0 and < 1; received {self.share}")
        if self.least < 0:
            raise ValueError(f"`least` must be >= 0; received {self.least}")
        damping = getattr(self.solver, "damping", 0.0)
        if not isinstance(damping, int | float) and tf.rank(damping) > 0:
            raise ValueError(
                "`solver` must have one damping for all problems within wt.Compacted; "
                f"received one of shape {damping.shape}"
            )


@dataclass(frozen=True)
class Seeded(TracedByValue):
    """A solver whose start is chosen."""

    seeds: Seeds
    solver: "Solver | CallableSolver | Compacted | Seeded"


def given(objective: Callable[[Any], tf.Tensor], initial: Any) -> Any:
    """The solver for a minimiser that is known already: returns `initial`.

    With it, `argmin` gives the derivative of a minimiser found elsewhere.
    """
    del objective
    return initial


def solve(
    solver: Solver | CallableSolver | Compacted | Seeded,
    energy: Energy,
    initial: Any,
    parameters: Any,
    batch_dims: int,
    box: Box | None = None,
    differentiability: Differentiability = Differentiability.NONE,
) -> Solution:
    """Minimises, in plain TensorFlow operations as differentiable as asked for.

    Raises:
      TypeError: for another `differentiability` than a `Differentiability`.
      ValueError: for bounds that the solver does not take, a callable solver that is to
        be checkpointed, or one that returns anything else than the like of `initial`.
    """
    if not isinstance(differentiability, Differentiability):
        raise TypeError(
            "`differentiability` must be a wt.Differentiability; "
            f"received {differentiability!r}"
        )
    if differentiability is Differentiability.NONE:
        initial = tf.nest.map_structure(tf.stop_gradient, initial)
    checkpoint = differentiability is Differentiability.CHECKPOINTED
    if checkpoint:
        start = tf.nest.flatten(initial)
        refuse_forward_mode(start, "Unrolled(checkpoint=True)", "Unrolled()")
    packing = Packing(initial, batch_dims)
    problem = Problem(energy, packing, parameters, box)
    if isinstance(solver, Seeded):
        start = solver.seeds.choose(problem, packing, packing.pack(initial))
        initial = packing.unpack(start)
        return solve(
            solver.solver,
            energy,
            initial,
            parameters,
            batch_dims,
            box,
            differentiability,
        )
    if isinstance(solver, Compacted):
        x = packing.pack(initial)
        return _solve_compacted(solver, problem, x, differentiability)
    if isinstance(solver, Solver):
        _check_bounds(solver, box)
        kept = checkpointed if checkpoint else _plain
        init, step = kept(as_written(solver.init)), kept(as_written(solver.step))
        # XLA sees through a single step, but not into a loop. The step of a problem
        # that is done already may have no derivative, so it is only skipped in a loop.
        x = packing.pack(initial)
        if differentiability is Differentiability.NONE:
            loop = solver.max_iterations != 1
            return iterate(solver, init, step, problem, x, loop)
        level, gradient = problem.value_and_gradient(tf.stop_gradient(x))
        faults = Isolation(x, level, norm(gradient))
        x = faults.borrow(x)
        beside = away_from(tf.stop_gradient(x))
        parameters = faults.borrow_own(
            parameters,
            lambda lent: Problem(energy, packing, lent).value_and_gradient(beside),
        )
        problem = Problem(energy, packing, parameters, box, unrolled=True)
        solution = iterate(solver, init, step, problem, x, True, set_aside)
        return faults.give_back(solution, initial)
    if checkpoint:
        raise ValueError("`checkpoint` needs a `Solver`; received a callable")
    value = as_written(solver)(lambda x: call_energy(energy, x, parameters), initial)
    value = as_solved(initial, value)
    x = packing.pack(value)
    found, gradient = problem.value_and_free_gradient(x)
    status = tf.fill(tf.shape(found), int(Status.NOT_CHECKED))
    return Solution(
        value,
        flag_not_finite(status, x, found, gradient),
        Stats(tf.zeros_like(status), found, norm(gradient)),
    )


def _solve_compacted(
    compacted: Compacted,
    problem: Problem,
    x: tf.Tensor,
    differentiability: Differentiability,
) -> Solution:
    solver, axes = compacted.solver, problem.packing.batch_dims
    _check_bounds(solver, problem.box)
    if differentiability is not Differentiability.NONE:
        raise ValueError(
            "`solver` wt.Compacted has no steps to differentiate through: use "
            "Implicit() or TrustRegion(damping); received derivative=Unrolled()"
        )
    if axes > 1:
        raise ValueError(
            f"`batch_dims` must be 0 or 1 with wt.Compacted; received {axes}"
        )
    if is_for_xla():
        raise ValueError(
            "`solver` wt.Compacted does not go with jit_compile=True: XLA must know "
            "all sizes, and batches become smaller; use the solver within it"
        )
    if axes == 0 or (x.shape[0] is not None and x.shape[0] <= compacted.least):
        init, step = as_written(solver.init), as_written(solver.step)
        return iterate(solver, init, step, problem, x, loop=True)
    return iterate_compacted(solver, problem, x, compacted.share, compacted.least)


def _check_bounds(solver: Solver, box: Box | None) -> None:
    if box is not None and not solver.takes_bounds:
        raise ValueError(
            f"{type(solver).__name__} does not take `bounds`; use Newton, "
            "LBFGS, GaussNewton, LevenbergMarquardt, IRLS or GradientDescent"
        )


def _plain(step: Step) -> Step:
    return step


def as_solved(initial: Any, value: Any) -> Any:
    """What the caller's own solver returned, as tensors like `initial`."""
    refuse_other_structure(initial, value, "`solver` must return a nest like `initial`")
    names = ["initial"] * len(tf.nest.flatten(initial))
    return as_like(initial, value, "solver", names)
