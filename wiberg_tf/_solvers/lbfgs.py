"""Limited-memory BFGS, for many unknowns."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._iterate import Solver, ended
from wiberg_tf._problem import Problem, round_off
from wiberg_tf._solution import Status
from wiberg_tf._solvers.line_search import strong_wolfe
from wiberg_tf._stopping import check_limits, settled


class _State(NamedTuple):
    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor
    # The last steps and gradient differences [*batch, memory, n], newest last, and
    # their inner products [*batch, memory, 1]: 0 where there is no pair.
    steps: tf.Tensor
    differences: tf.Tensor
    curvatures: tf.Tensor
    obstacle: tf.Tensor
    first_energy: tf.Tensor
    settled: tf.Tensor
    # The approximate H⁻¹ times the gradient.
    correction: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class LBFGS(Solver):
    """L-BFGS with a line search for the strong Wolfe conditions.

    It needs gradients only, memory for `2 * memory` vectors, and suits problems of many
    unknowns (Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.5). A
    problem whose search fails forgets its history and tries the gradient once more.

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

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise ValueError(f"`memory` must be >= 1; received {self.memory}")
        check_limits(self.tolerance, self.rtol)

    def init(self, problem: Problem, x: tf.Tensor) -> _State:
        """Starts with an empty history."""
        energy, gradient = problem.value_and_gradient(x)
        history = tf.stack([tf.zeros_like(x)] * self.memory, -2)
        obstacle = tf.zeros_like(energy, tf.int32)
        nothing = tf.zeros_like(history[..., :1])
        there = tf.reduce_all(gradient == 0, -1)
        return _State(
            x,
            energy,
            gradient,
            history,
            history,
            nothing,
            obstacle,
            energy,
            there,
            gradient,
        )

    def step(self, problem: Problem, state: _State) -> _State:
        """One line search along the quasi-Newton direction."""
        fresh = state.curvatures[..., -1, 0] == 0
        direction = -state.correction
        # The first step has no scale but the gradient's.
        norm = tf.norm(state.gradient, axis=-1)
        first = tf.minimum(1 / tf.where(norm > 0, norm, 1), 1)
        point = strong_wolfe(
            problem,
            (state.x, state.energy, state.gradient),
            direction,
            tf.where(fresh, first, tf.ones_like(first)),
            sufficient_decrease=self.sufficient_decrease,
            curvature=self.curvature,
            max_evaluations=self.max_evaluations,
        )
        moved = point.size > 0
        step = point.size[..., None] * direction
        steps, differences, curvatures = _remember(
            state, step, point.gradient - state.gradient
        )
        after = _State(
            tf.where(moved[..., None], state.x + step, state.x),
            point.energy,
            point.gradient,
            steps,
            differences,
            tf.where(moved[..., None, None], curvatures, tf.zeros_like(curvatures)),
            tf.where(moved | ~fresh, int(Status.CONVERGED), int(Status.NO_DESCENT)),
            state.first_energy,
            state.settled,
            state.correction,
        )
        after = after._replace(correction=_inverse_hessian(after))
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


def _settled(state: _State, rtol: float | None) -> tf.Tensor:
    """See `settled`: with the newest pair's curvature for that of x."""
    state = tf.nest.map_structure(tf.stop_gradient, state)
    curvature = state.curvatures[..., -1, 0]
    difference = tf.reduce_sum(state.differences[..., -1, :] ** 2, -1)
    there = settled(
        state.gradient,
        state.correction,
        state.energy,
        state.first_energy,
        tf.reduce_sum(state.x**2, -1) * tf.math.divide_no_nan(difference, curvature),
        rtol,
    )
    # Without a pair the correction has no units of x.
    return there & ((curvature > 0) | tf.reduce_all(state.gradient == 0, -1))


def _remember(
    state: _State, step: tf.Tensor, difference: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The history with the new pair in the oldest one's place, if it curves upwards."""
    curvature = _dot(step, difference)
    sizes = tf.sqrt(_dot(step, step) * _dot(difference, difference))
    useful = (curvature > round_off(step.dtype) * sizes)[..., None]

    def push(history: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
        shifted = tf.concat([history[..., 1:, :], new[..., None, :]], -2)
        return tf.where(useful, shifted, history)

    return (
        push(state.steps, step),
        push(state.differences, difference),
        push(state.curvatures, curvature),
    )


def _inverse_hessian(state: _State) -> tf.Tensor:
    """The approximate H⁻¹ times the gradient, by the two loops of the algorithm."""
    steps = tf.unstack(state.steps, axis=-2)
    differences = tf.unstack(state.differences, axis=-2)
    curvatures = tf.unstack(state.curvatures, axis=-2)
    pairs = list(zip(steps, differences, curvatures, strict=True))
    q, parts = state.gradient, []
    for s, y, curvature in reversed(pairs):
        part = _along(_dot(s, q), curvature)
        q -= part * y
        parts.append(part)
    _, y, curvature = pairs[-1]
    there = curvature > 0
    # The newest pair sets the scale.
    scale = curvature / tf.where(there, _dot(y, y), 1)
    r = tf.where(there, scale, 1) * q
    for (s, y, curvature), part in zip(pairs, reversed(parts), strict=True):
        r += (part - _along(_dot(y, r), curvature)) * s
    return r


def _along(product: tf.Tensor, curvature: tf.Tensor) -> tf.Tensor:
    """The product by the curvature of its pair, 0 where there is no pair."""
    there = curvature > 0
    return tf.where(there, product / tf.where(there, curvature, 1), 0)


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b, -1, keepdims=True)
