"""The one loop that every iterative solver runs in."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import tensorflow as tf

from wiberg_tf._autodiff import refuse_forward_mode
from wiberg_tf._box import Box
from wiberg_tf._differentiability import Differentiability, Step, checkpointed
from wiberg_tf._isolation import Isolation, set_aside
from wiberg_tf._nest import Packing, as_like, select
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
    norm = tf.norm(gradient, axis=-1)
    finite = tf.math.is_finite(norm) & tf.math.is_finite(energy)
    if tolerance is None and settled is not None:
        converged = settled
    else:
        limit = default_rtol(norm.dtype) if tolerance is None else tolerance
        converged = norm <= limit
    stuck = obstacle != int(Status.CONVERGED)
    status = tf.where(converged, int(Status.CONVERGED), obstacle)
    status = tf.where(finite, status, int(Status.NOT_FINITE))
    return converged | stuck | ~finite, status


class Seeds(Protocol):
    """What chooses a start."""

    def choose(self, problem: Problem, packing: Packing, x: tf.Tensor) -> tf.Tensor:
        """The start `[*batch, n]` in place of x."""


@dataclass(frozen=True)
class Seeded(TracedByValue):
    """A solver whose start is chosen."""

    seeds: Seeds
    solver: "Solver | CallableSolver | Seeded"


def given(objective: Callable[[Any], tf.Tensor], initial: Any) -> Any:
    """The solver for a minimiser that is known already: returns `initial`.

    With it, `argmin` gives the derivative of a minimiser found elsewhere.
    """
    del objective
    return initial


def solve(
    solver: Solver | CallableSolver | Seeded,
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
    if isinstance(solver, Solver):
        if box is not None and not solver.takes_bounds:
            raise ValueError(
                f"{type(solver).__name__} does not take `bounds`; use Newton, "
                "LBFGS, GaussNewton, LevenbergMarquardt, IRLS or GradientDescent"
            )
        kept = checkpointed if checkpoint else _plain
        init, step = kept(solver.init), kept(solver.step)
        # XLA sees through a single step, but not into a loop. The step of a problem
        # that is done already may have no derivative, so it is only skipped in a loop.
        x = packing.pack(initial)
        if differentiability is Differentiability.NONE:
            loop = solver.max_iterations != 1
            return iterate(solver, init, step, problem, x, loop)
        level, gradient = problem.value_and_gradient(tf.stop_gradient(x))
        faults = Isolation(x, level, tf.norm(gradient, axis=-1))
        x, parameters = faults.borrow((x, parameters))
        problem = Problem(energy, packing, parameters, box, unrolled=True)
        solution = iterate(solver, init, step, problem, x, True, set_aside)
        return faults.give_back(solution, initial)
    if checkpoint:
        raise ValueError("`checkpoint` needs a `Solver`; received a callable")
    value = solver(lambda x: call_energy(energy, x, parameters), initial)
    value = as_solved(initial, value)
    x = packing.pack(value)
    found, gradient = problem.value_and_free_gradient(x)
    status = tf.fill(tf.shape(found), int(Status.NOT_CHECKED))
    return Solution(
        value,
        flag_not_finite(status, found, gradient),
        Stats(tf.zeros_like(status), found, tf.norm(gradient, axis=-1)),
    )


def _plain(step: Step) -> Step:
    return step


def iterate(
    solver: Any,
    init: Callable[..., Any],
    step: Callable[..., Any],
    problem: Any,
    x: tf.Tensor,
    loop: bool,
    aside: Callable[[tf.Tensor, Any, Any], Any] | None = None,
) -> Solution:
    """The loop, for a `Solver` and its `Problem`, or a `RootSolver` and `Equations`.

    Args:
      solver: whose other methods are called.
      init: its own, or one that computes the same.
      step: its own, or one that computes the same.
      problem: what they take.
      x: the start, `[*batch, n]`.
      loop: False for a single step, which is not put into a loop.
      aside: `aside(done, state, first)`, the state that a step is made from, if done
        problems need another one than theirs.
    """
    first = state = init(problem, x)
    done, status = solver.terminate(state)
    iterations = tf.zeros_like(status)

    def go_on(_: Any, done: tf.Tensor, __: Any, ___: Any) -> tf.Tensor:
        return tf.logical_not(tf.reduce_all(done))

    def body(
        state: Any, done: tf.Tensor, _: tf.Tensor, iterations: tf.Tensor
    ) -> tuple[Any, tf.Tensor, tf.Tensor, tf.Tensor]:
        several = done.shape.rank > 0
        begun = aside(done, state, first) if aside and several else state
        stepped = step(problem, begun)
        if loop and not several:
            state = stepped  # The loop ends with its one problem.
        else:
            state = select(done, state, stepped)
        iterations += tf.cast(~done, iterations.dtype)
        done, status = solver.terminate(state)
        return state, done, status, iterations

    start = state, done, status, iterations
    if loop:
        limit = solver.max_iterations
        end = tf.while_loop(go_on, body, start, maximum_iterations=limit)
    else:
        end = body(*start)
    state, done, status, iterations = end
    status = tf.where(done, status, int(Status.MAX_ITERATIONS))
    x, energy, gradient = solver.postprocess(state)
    return Solution(
        problem.packing.unpack(x),
        flag_not_finite(status, energy, gradient),
        Stats(iterations, energy, tf.norm(gradient, axis=-1)),
    )


def as_solved(initial: Any, value: Any) -> Any:
    """What the caller's own solver returned, as tensors like `initial`."""
    tf.nest.assert_same_structure(initial, value)
    names = ["initial"] * len(tf.nest.flatten(initial))
    return as_like(initial, value, "solver", names)


def flag_not_finite(
    status: tf.Tensor, energy: tf.Tensor, gradient: tf.Tensor
) -> tf.Tensor:
    finite = tf.math.is_finite(energy) & tf.reduce_all(
        tf.math.is_finite(gradient), axis=-1
    )
    return tf.where(finite, status, int(Status.NOT_FINITE))
