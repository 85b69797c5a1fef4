"""The one loop that every iterative solver runs in."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._linear.length import norm
from wiberg_tf._nest import Packing, select
from wiberg_tf._solution import Solution, Stats, Status
from wiberg_tf._stopping import jammed


class Run(NamedTuple):
    """How far the problems of a batch have come.

    Attributes:
      state: of the solver, a nest of tensors `[*batch, ...]`.
      done: bool `[*batch]`.
      status: int32 `[*batch]`.
      iterations: int32 `[*batch]`.
    """

    state: Any
    done: tf.Tensor
    status: tf.Tensor
    iterations: tf.Tensor


# A solver's own: which problems are done, and their statuses.
Terminate = Callable[[Any], tuple[tf.Tensor, tf.Tensor]]


def begin(terminate: Terminate, state: Any) -> Run:
    """The run at its first state."""
    done, status = terminate(state)
    return Run(state, done, status, tf.zeros_like(status))


def advance(
    terminate: Terminate,
    step: Callable[[Any], Any],
    run: Run,
    lone: bool,
) -> Run:
    """The run after a step of the problems that are not done.

    Args:
      terminate: of a state.
      step: of a state.
      run: before it.
      lone: whether the only problem is known not to be done.
    """
    stepped = step(run.state)
    state = stepped if lone else select(run.done, run.state, stepped)
    iterations = run.iterations + tf.cast(~run.done, run.iterations.dtype)
    done, status = terminate(state)
    return Run(state, done, status, iterations)


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
    terminate = as_written(solver.terminate)
    first = init(problem, x)
    start = begin(terminate, first)
    several = start.done.shape.rank > 0

    def body(*entries: Any) -> tuple[Any, ...]:
        run = Run(*entries)

        def made(state: Any) -> Any:
            begun = aside(run.done, state, first) if aside and several else state
            return step(problem, begun)

        # The loop ends with its one problem.
        return tuple(advance(terminate, made, run, lone=loop and not several))

    if loop:
        end = tf.while_loop(
            lambda _, done, *__: tf.logical_not(tf.reduce_all(done)),
            body,
            tuple(start),
            maximum_iterations=solver.max_iterations,
        )
    else:
        end = body(*start)
    state, done, status, iterations = end
    postprocess = as_written(solver.postprocess)
    found = postprocess(state)
    began = postprocess(first)[:2] if solver.by_steps else None
    return finish(problem.packing, done, status, iterations, found, began)


def finish(
    packing: Packing,
    done: tf.Tensor,
    status: tf.Tensor,
    iterations: tf.Tensor,
    found: Sequence[tf.Tensor],
    began: Sequence[tf.Tensor] | None = None,
) -> Solution:
    """The solution.

    Args:
      packing: of the unknowns.
      done: see `Run`, as the next two.
      status: of problems that are done.
      iterations: of each.
      found: x, energy and gradient, as of `Solver.postprocess`.
      began: x and energy at the start, of a solver that may take a search that was
        `jammed` for the end of it.
    """
    x, energy, gradient = found
    status = tf.where(done, status, int(Status.MAX_ITERATIONS))
    if began is not None:
        entries = map(tf.stop_gradient, (*began, x, energy, gradient))
        stuck = jammed(*entries) & (status == int(Status.CONVERGED))
        status = tf.where(stuck, int(Status.NO_DESCENT), status)
    return Solution(
        packing.unpack(x),
        flag_not_finite(status, x, energy, gradient),
        Stats(iterations, energy, norm(gradient)),
    )


def flag_not_finite(
    status: tf.Tensor, x: tf.Tensor, energy: tf.Tensor, gradient: tf.Tensor
) -> tf.Tensor:
    """The status, `NOT_FINITE` where x, the energy or its gradient is."""
    finite = tf.math.is_finite(energy)
    for vector in (x, gradient):
        finite &= tf.reduce_all(tf.math.is_finite(vector), axis=-1)
    return tf.where(finite, status, int(Status.NOT_FINITE))
