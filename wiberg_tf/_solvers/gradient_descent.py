"""Gradient descent."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._iterate import Solver, ended
from wiberg_tf._options import check_counts, check_numbers
from wiberg_tf._problem import Problem, round_off
from wiberg_tf._solution import Status
from wiberg_tf._solvers.line_search import backtrack
from wiberg_tf._stopping import check_limits, settled


class _State(NamedTuple):
    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor
    size: tf.Tensor
    obstacle: tf.Tensor
    first_energy: tf.Tensor
    settled: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class GradientDescent(Solver):
    """Steps down the gradient: of one size, or searched for.

    Its path depends on the units of each unknown: where they differ, as curvatures do,
    it is slow, and stops at `max_iterations`.

    Attributes:
      rate: the size of every step, in units of x² per energy; None halves each step
        until the energy falls enough (Armijo), and begins the next with twice its size
        as long as the energy falls visibly.
      tolerance: a problem has converged when its gradient norm is at most this, in the
        units of E by those of x; by default `rtol` decides.
      rtol: a problem has converged when the step that is left is about this part of
        the way made, in the metric of the steps (see docs/mathematics.md); by default
        1e-8 in float64, 1e-4 in float32.
      max_iterations: the most steps that any problem takes.
      max_halvings: the most halvings of one step.
      sufficient_decrease: Armijo's constant (Nocedal and Wright, eq. 3.4); 0.3 keeps
        steps under 1.4 times the one to the minimum of a parabola.
    """

    rate: float | None = None
    tolerance: float | None = None
    rtol: float | None = None
    max_iterations: int = 1000
    max_halvings: int = 40
    sufficient_decrease: float = 0.3
    takes_bounds = True

    def __post_init__(self) -> None:
        check_limits(self.tolerance, self.rtol, self.max_iterations)
        check_counts(max_halvings=self.max_halvings)
        check_numbers(sufficient_decrease=self.sufficient_decrease)
        check_numbers(rate=self.rate, positive=True)

    @property
    def by_steps(self) -> bool:
        """See the base class."""
        return self.tolerance is None

    def init(self, problem: Problem, x: tf.Tensor) -> _State:
        """Evaluates energy and gradient at the start."""
        x = problem.project(x)
        energy, gradient = problem.value_and_free_gradient(x)
        first = 1.0 if self.rate is None else self.rate
        size = first * tf.ones_like(energy)
        there = tf.reduce_all(gradient == 0, -1)
        obstacle = tf.zeros_like(energy, tf.int32)
        return _State(x, energy, gradient, size, obstacle, energy, there)

    def step(self, problem: Problem, state: _State) -> _State:
        """One step down."""
        size, accepted = state.size, tf.ones_like(state.size, tf.bool)
        if self.rate is None:
            size, accepted = backtrack(
                problem,
                (state.x, state.energy, state.gradient),
                -state.gradient,
                size,
                self.sufficient_decrease,
                self.max_halvings,
            )
        moved = problem.project(state.x - size[..., None] * state.gradient)
        x = tf.where(accepted[..., None], moved, state.x)
        energy, gradient = problem.value_and_free_gradient(x)
        obstacle = tf.where(accepted, int(Status.CONVERGED), int(Status.NO_DESCENT))
        there = state.settled
        if self.tolerance is None:
            # Nothing differentiates a decision.
            end, held, rate = tf.nest.map_structure(
                tf.stop_gradient, (x, gradient, size)
            )
            there = settled(
                held,
                rate[..., None] * held,
                tf.stop_gradient(energy),
                tf.stop_gradient(state.first_energy),
                tf.reduce_sum(end**2, -1) / rate,
                self.rtol,
            )
        if self.rate is None:
            size *= _growth(state, energy, gradient)
        return _State(x, energy, gradient, size, obstacle, state.first_energy, there)

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


def _growth(state: _State, energy: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """The next step's size by this one's.

    Where the decrease drowns in round-off any step would pass: only the gradient tells
    whether it overshoots, or is no step at all beside the unit of x.
    """
    visible = state.energy - energy > 16 * round_off(energy.dtype) * tf.abs(energy)
    length, before = tf.norm(gradient, axis=-1), tf.norm(state.gradient, axis=-1)
    unit = tf.ones_like(energy)
    blind = tf.where(length > 0.99 * before, 2 * unit, unit)
    return tf.where(visible, 2 * unit, tf.where(length > before, 0.5 * unit, blind))
