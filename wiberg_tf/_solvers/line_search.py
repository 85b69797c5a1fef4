"""Searches along a direction, for each problem of a batch on its own."""

from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._nest import select
from wiberg_tf._problem import Problem, round_off


def backtrack(
    problem: Problem,
    start: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
    direction: tf.Tensor,
    size: tf.Tensor,
    sufficient_decrease: float,
    max_halvings: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Halves the step until the energy falls enough (Armijo), within the bounds.

    Args:
      problem: the energy.
      start: x `[*batch, n]`, its energy `[*batch]` and gradient `[*batch, n]`.
      direction: of descent, `[*batch, n]`.
      size: the first size tried, `[*batch]`.
      sufficient_decrease: the part of the predicted decrease that is asked for.
      max_halvings: how often to halve.

    Returns:
      The size that was found, `[*batch]`, and whether one was, bool `[*batch]`. The
      step is `problem.project(x + size * direction)`.
    """
    lost = is_lost(start)

    def accept(size: tf.Tensor) -> tf.Tensor:
        trial = problem.project(start[0] + size[..., None] * direction)
        return descends(start, trial, problem.value(trial), sufficient_decrease)

    def body(size: tf.Tensor, accepted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.where(accepted, size, 0.5 * size)
        return size, accepted | accept(size)

    return tf.while_loop(
        lambda _, accepted: ~tf.reduce_all(accepted | lost),
        body,
        (size, accept(size)),
        maximum_iterations=max_halvings,
    )


def descends(
    start: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
    trial: tf.Tensor,
    found: tf.Tensor,
    sufficient_decrease: float,
) -> tf.Tensor:
    """Whether the energy found at a trial point has fallen enough, bool `[*batch]`."""
    x, energy, gradient = start
    predicted = tf.reduce_sum((trial - x) * gradient, -1)
    limit = energy + sufficient_decrease * predicted + _noise(energy)
    # Projected, a direction may turn uphill.
    return (found <= limit) & (predicted <= 0)


def is_lost(start: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Which problems no search helps: E or its gradient is not finite."""
    _, energy, gradient = start
    finite = tf.reduce_all(tf.math.is_finite(gradient), -1)
    return ~(finite & tf.math.is_finite(energy))


class Point(NamedTuple):
    """A point of the line: size, energy, slope `[*batch]`, gradient `[*batch, n]`."""

    size: tf.Tensor
    energy: tf.Tensor
    slope: tf.Tensor
    gradient: tf.Tensor


class _End(NamedTuple):
    """An end of the bracket, as `Point` but for the gradient, which is large."""

    size: tf.Tensor
    energy: tf.Tensor
    slope: tf.Tensor


class _Search(NamedTuple):
    low: _End
    high: _End
    bracketed: tf.Tensor
    size: tf.Tensor
    found: tf.Tensor


def strong_wolfe(
    problem: Problem,
    start: tuple[tf.Tensor, tf.Tensor, tf.Tensor],
    direction: tf.Tensor,
    size: tf.Tensor,
    *,
    sufficient_decrease: float,
    curvature: float,
    max_evaluations: int,
) -> Point:
    """A step with enough decrease at which the slope is nearly gone.

    Brackets such a step by doubling, or 100 times where the line is straight, then
    zooms in by cubic interpolation (Nocedal and Wright, Numerical Optimization, 2nd
    ed., algorithms 3.5 and 3.6). `low` is the best step yet, and the bracket's other
    end `high` lies downhill of it.

    Args:
      problem: the energy.
      start: x `[*batch, n]`, its energy `[*batch]` and gradient `[*batch, n]`.
      direction: of descent, `[*batch, n]`.
      size: the first size tried, `[*batch]`.
      sufficient_decrease: Armijo's constant c₁.
      curvature: the part c₂ of the first slope that may be left.
      max_evaluations: how many energies and gradients to evaluate.

    Returns:
      The step; its size is 0 where nothing lowers the energy. If the evaluations run
      out it is the best one met, which has the decrease but not the slope.
    """
    x, energy, gradient = start
    slope = tf.reduce_sum(direction * gradient, -1)
    noise = _noise(energy)

    def body(search: _Search, best: tf.Tensor) -> tuple[_Search, tf.Tensor]:
        trial, found_gradient = _evaluate(problem, x, direction, search.size)
        low, high = search.low, search.high
        bound = energy + sufficient_decrease * trial.size * slope
        too_high = ~(trial.energy <= tf.minimum(bound, low.energy) + noise)
        found = ~too_high & (tf.abs(trial.slope) <= curvature * tf.abs(slope))
        width = tf.where(search.bracketed, high.size - low.size, tf.ones_like(slope))
        beyond = ~too_high & (trial.slope * width >= 0)
        new_high = select(too_high, trial, select(beyond, low, high))
        new_low = select(too_high, low, trial)
        bracketed = search.bracketed | too_high | beyond
        inner = _interpolate(new_low, new_high)
        # A slope that has hardly changed says that the units of the step are wrong.
        straight = tf.abs(trial.slope) > 0.99 * tf.abs(slope)
        growth = tf.where(straight, 100 * tf.ones_like(slope), 2 * tf.ones_like(slope))
        stepped = _Search(
            new_low,
            new_high,
            bracketed,
            tf.where(bracketed, inner, growth * search.size),
            found,
        )
        better = ~search.found & ~too_high
        return (
            select(search.found, search, stepped),
            select(better, found_gradient, best),
        )

    zero = tf.zeros_like(slope)
    origin = _End(zero, energy, slope)
    nowhere = tf.zeros_like(slope, tf.bool)
    end, best = tf.while_loop(
        lambda search, _: ~tf.reduce_all(search.found),
        body,
        (_Search(origin, origin, nowhere, size, nowhere), gradient),
        maximum_iterations=max_evaluations,
    )
    low = end.low
    return Point(low.size, low.energy, low.slope, best)


def _evaluate(
    problem: Problem, x: tf.Tensor, direction: tf.Tensor, size: tf.Tensor
) -> tuple[_End, tf.Tensor]:
    energy, gradient = problem.value_and_gradient(x + size[..., None] * direction)
    slope = tf.reduce_sum(direction * gradient, -1)
    return _End(size, energy, slope), gradient


def _interpolate(low: _End, high: _End) -> tf.Tensor:
    """The minimiser of the cubic through two points, kept inside (ibid., eq. 3.59)."""
    # A lost energy has no place in the formula, nor in its derivative.
    lost = ~tf.math.is_finite(high.energy) | ~tf.math.is_finite(high.slope)
    high = select(lost, low, high)._replace(size=high.size)
    width = high.size - low.size
    safe = tf.where(width != 0, width, 1)
    bend = low.slope + high.slope - 3 * (high.energy - low.energy) / safe
    inside = bend**2 - low.slope * high.slope
    root = tf.sign(width) * tf.sqrt(tf.where(inside > 0, inside, 1))
    below = high.slope - low.slope + 2 * root
    fraction = 1 - (high.slope + root - bend) / tf.where(below != 0, below, 1)
    # No minimum, or one too near an end: the middle.
    usable = ~lost & (inside > 0) & (fraction >= 0.1) & (fraction <= 0.9)
    return low.size + width * tf.where(usable, fraction, 0.5 * tf.ones_like(width))


def _noise(energy: tf.Tensor) -> tf.Tensor:
    """Near the minimum the decrease drowns in this round-off of the energy."""
    return 8 * round_off(energy.dtype) * tf.abs(energy)
