"""Batches that become smaller as their problems are done."""

from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._box import Box
from wiberg_tf._isolation import away_from
from wiberg_tf._linear.checks import insist
from wiberg_tf._loop import Run, advance, begin, finish
from wiberg_tf._operations import captured, count_operations, in_reach
from wiberg_tf._problem import Problem, round_off
from wiberg_tf._solution import Solution

_RULE = (
    "What is a problem's own must be among `parameters`, not captured; what all share "
    "must not begin with the size of the batch: give it an axis of size 1 before."
)
_CHANGED = (
    "wt.Compacted: a problem has another energy without those that are done. "
    f"{_RULE} Energies before and now:"
)


class _Results(NamedTuple):
    """Of all problems, as `finish` takes them."""

    done: tf.Tensor
    status: tf.Tensor
    iterations: tf.Tensor
    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor


def iterate_compacted(
    solver: Any, problem: Problem, x: tf.Tensor, share: float, least: int
) -> Solution:
    """The loop of `iterate`, which leaves problems behind that are done.

    Args:
      solver: a `Solver`.
      problem: with one batch axis.
      x: the start, `[B, n]`.
      share: as of `Compacted`.
      least: as of `Compacted`.
    """
    limit = solver.max_iterations
    init, step, terminate, postprocess = map(
        as_written,
        (solver.init, solver.step, solver.terminate, solver.postprocess),
    )

    def together(problem: Problem, run: Run, count: tf.Tensor) -> tuple[Run, tf.Tensor]:
        """Steps until few go on, and how many have been made."""
        worth = tf.cast(tf.size(run.done), tf.float32) * share
        worth = tf.where(tf.size(run.done) > least, tf.cast(worth, tf.int32), 0)

        def go_on(count: tf.Tensor, _: Any, done: tf.Tensor, *__: Any) -> tf.Tensor:
            return (count < limit) & (_left(done) > worth)

        def body(count: tf.Tensor, *entries: Any) -> tuple[Any, ...]:
            run = advance(
                terminate, lambda state: step(problem, state), Run(*entries), False
            )
            return count + 1, *run

        count, *entries = tf.while_loop(go_on, body, (count, *run))
        return Run(*entries), count

    run = begin(terminate, init(problem, x))
    # Where all ends at 0, energies there are nothing but round-off.
    start = postprocess(run.state)[:2]
    scale = _largest(start[1])
    run, count = together(problem, run, tf.constant(0))
    results = _Results(*run[1:], *postprocess(run.state))
    rows, state = _going_on(tf.range(tf.size(run.done)), run)
    # Energies of far starts hide what changes; slopes here do not.
    beside = problem.project(away_from(results.x))
    slopes = tf.cond(
        tf.size(rows) > 0,
        lambda: problem.value_and_gradient(beside)[1],
        lambda: tf.zeros_like(beside),
    )

    def unfinished(count: tf.Tensor, rows: tf.Tensor, *_: Any) -> tf.Tensor:
        return (count < limit) & (tf.size(rows) > 0)

    def fewer(
        count: tf.Tensor, rows: tf.Tensor, state: Any, results: _Results
    ) -> tuple[tf.Tensor, tf.Tensor, Any, _Results]:
        part = _part(problem, rows, tf.size(results.done), least)
        known = _Results(*(tf.gather(entry, rows) for entry in results))
        energy = _evaluated(part, known.x, results.done.shape[0])
        same = _alike(energy, known.energy, scale)
        slope = part.value_and_gradient(tf.gather(beside, rows))[1]
        same &= _alike_slopes(slope, tf.gather(slopes, rows))
        with insist(same, _CHANGED, known.energy, energy):
            rows = tf.identity(rows)
        done, status = terminate(state)
        run, count = together(part, Run(state, done, status, known.iterations), count)
        found = _Results(*run[1:], *postprocess(run.state))
        results = _Results(
            *(
                tf.tensor_scatter_nd_update(entry, rows[:, None], new)
                for entry, new in zip(results, found, strict=True)
            )
        )
        return count, *_going_on(rows, run), results

    _, _, _, results = tf.while_loop(
        unfinished,
        fewer,
        (count, rows, state, results),
        # What goes on is of any number.
        shape_invariants=(
            count.shape,
            tf.TensorShape([None]),
            tf.nest.map_structure(_of_any_number, state),
            tf.nest.map_structure(lambda entry: entry.shape, results),
        ),
    )
    done, status, iterations, *found = results
    began = start if solver.by_steps else None
    return finish(problem.packing, done, status, iterations, found, began)


def _of_any_number(entry: tf.Tensor) -> tf.TensorShape:
    return tf.TensorShape([None]).concatenate(entry.shape[1:])


def _left(done: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(~done, tf.int32))


def _going_on(rows: tf.Tensor, run: Run) -> tuple[tf.Tensor, Any]:
    """Of numbers of problems, and of their states, those that are not done."""
    chosen = tf.where(~run.done)[:, 0]
    # All of them, by an operation that XLA refuses with a message: loops whose sizes
    # change end the process.
    (count,) = tf.unstack(tf.unravel_index(_left(run.done), [tf.size(run.done) + 1]))
    chosen = chosen[:count]
    return tf.nest.map_structure(
        lambda entry: tf.gather(entry, chosen), (rows, run.state)
    )


def _part(problem: Problem, rows: tf.Tensor, size: tf.Tensor, least: int) -> Problem:
    """The problems of these numbers; there are `size`, which is more than `least`."""

    def of_rows(entry: tf.Tensor) -> tf.Tensor:
        if entry.shape.rank == 0:
            return entry
        known = tf.get_static_value(size)
        first = entry.shape[0] if entry.shape.rank else None
        if first is not None and known is not None:
            return tf.gather(entry, rows) if first == known else entry
        if first is not None and first <= max(least, 1):
            # Shared, and keeps the sizes that are known of it.
            return entry
        own = (tf.rank(entry) > 0) & (tf.shape(entry)[:1] == size)[0]
        chosen = tf.cond(own, lambda: tf.gather(entry, rows), lambda: entry)
        if entry.shape.rank:
            chosen.set_shape([None, *entry.shape[1:]])
        return chosen

    parameters = tf.nest.map_structure(of_rows, problem.parameters)
    box = problem.box
    if box is not None:
        unknowns = problem.packing.size
        shape = tf.stack([size, unknowns])
        box = Box(*(tf.gather(tf.broadcast_to(b, shape), rows) for b in box))
    part = Problem(problem.energy, problem.packing, parameters, box)
    part.kept = {
        name: tf.gather(entry, rows)
        for name, entry in problem.kept.items()
        if in_reach(entry)
    }
    return part


def _evaluated(part: Problem, x: tf.Tensor, size: int | None) -> tf.Tensor:
    """The energy of some of `size` problems.

    Raises:
      ValueError: if it captures tensors of all of them.
    """
    before = count_operations()
    try:
        energy = part.value(x)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"`energy` must take any number of problems within wt.Compacted. {_RULE} "
            f"Received: {error.message}"
        ) from error
    known = [x, *tf.nest.flatten(part.parameters)]
    for entry in captured(before, known, constants=True) or []:
        if size is not None and entry.shape.rank and entry.shape[0] == size:
            raise ValueError(
                f"`energy` captures a tensor of shape {entry.shape}, which begins with "
                f"the size of the batch, within wt.Compacted. {_RULE}"
            )
    return energy


def _alike(energy: tf.Tensor, before: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Whether energies `[A]` are what they were, but for round-off; bool scalar.

    Args:
      energy: of the problems that go on, now.
      before: the same, before.
      scale: of energies where all began, a scalar.
    """
    size = tf.maximum(_largest(before), scale)
    near = tf.abs(energy - before) <= round_off(energy.dtype) ** 0.5 * size
    return tf.reduce_all(near) & (tf.size(energy) == tf.size(before))


def _alike_slopes(now: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Whether gradients `[A, n]` are what they were, but for round-off; bool scalar."""
    size = tf.reduce_max(tf.abs(now) + tf.abs(before), -1)
    moved = tf.reduce_max(tf.abs(now - before), -1)
    # Beside a minimum they are what is left of larger terms, as of flat problems.
    epsilon = round_off(now.dtype)
    limit = epsilon**0.625 * size + epsilon**0.75 * _largest(size)
    return tf.reduce_all((moved <= limit) | ~tf.math.is_finite(size))


def _largest(energy: tf.Tensor) -> tf.Tensor:
    """Of finite numbers `[B]` the largest size."""
    size = tf.where(tf.math.is_finite(energy), tf.abs(energy), tf.zeros_like(energy))
    return tf.reduce_max(size)
