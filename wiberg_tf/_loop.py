"""The one loop that every iterative solver runs in."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._nest import Packing, select
from wiberg_tf._solution import Solution, Stats, Status


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
    found = as_written(solver.postprocess)(state)
    return finish(problem.packing, done, status, iterations, found)


def finish(
    packing: Packing,
    done: tf.Tensor,
    status: tf.Tensor,
    iterations: tf.Tensor,
    found: Sequence[tf.Tensor],
) -> Solution:
    """The solution.

    Args:
      packing: of the unknowns.
      done: see `Run`, as the next two.
      status: of problems that are done.
      iterations: of each.
      found: x, energy and gradient, as of `Solver.postprocess`.
    """
    x, energy, gradient = found
    status = tf.where(done, status, int(Status.MAX_ITERATIONS))
    return Solution(
        packing.unpack(x),
        flag_not_finite(status, x, energy, gradient),
        Stats(iterations, energy, tf.norm(gradient, axis=-1)),
    )


def flag_not_finite(
    status: tf.Tensor, x: tf.Tensor, energy: tf.Tensor, gradient: tf.Tensor
) -> tf.Tensor:
    """The status, `NOT_FINITE` where x, the energy or its gradient is."""
    finite = tf.math.is_finite(energy)
    for vector in (x, gradient):
        finite &= tf.reduce_all(tf.math.is_finite(vector), axis=-1)
    return tf.where(finite, status, int(Status.NOT_FINITE))
