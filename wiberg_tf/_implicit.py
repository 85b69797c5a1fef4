"""A minimiser as an implicit function of parameters, captures and bounds."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wiberg_tf._autodiff import (
    Tangents,
    first_order,
    probe,
    refuse_forward_mode,
    with_backward,
    with_tangents,
)
from wiberg_tf._bounds import Restricted
from wiberg_tf._box import Box
from wiberg_tf._isolation import Isolation
from wiberg_tf._linearised import Linearised, floating_of, linearise, spread
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Energy, Problem
from wiberg_tf._second_order import pull, pull_value
from wiberg_tf._solution import Solution

# v of (H + λI) v = u, for a problem at x: `solve(problem, x, u)`.
DampedSolve = Callable[[Problem, tf.Tensor, tf.Tensor], tf.Tensor]


def with_derivative(
    solution: Solution,
    energy: Energy,
    parameters: Any,
    batch_dims: int,
    box: Box | None,
    damped_solve: DampedSolve,
) -> tuple[Solution, Linearised]:
    """The solution whose value and energy are functions of what the energy depends on.

    The value's derivative is −(H + λI)⁻¹ ∂²E/∂x∂θ, that of the energy ∂E/∂θ at the
    minimiser (the envelope theorem). An unknown that a bound holds moves with the bound
    alone.

    Args:
      solution: of any derivative, or none.
      energy: as of `argmin`.
      parameters: θ, which the gradients are for.
      batch_dims: as of `argmin`.
      box: the bounds, which gradients flow to.
      damped_solve: see `DampedSolve`.

    Returns:
      The solution, and the energy's record at its value.
    """
    value, level = tf.nest.map_structure(
        tf.stop_gradient, (solution.value, solution.stats.energy)
    )
    flat, along = probe(tf.nest.flatten(parameters))
    held = tf.nest.pack_sequence_as(parameters, list(map(tf.stop_gradient, flat)))
    packing = Packing(value, batch_dims)
    start = packing.pack(value)
    bounds = [] if box is None else [*box]
    still = None if box is None else Box(*map(tf.stop_gradient, bounds))
    refuse_forward_mode(bounds, "moving bounds", "GradientTape")
    faults = Isolation(start, level, solution.stats.gradient_norm)
    x, held = faults.borrow((start, held))
    linear = linearise(Problem(energy, packing, held, still), x)
    faults.check(linear.value_there)
    # Tapes reach what the energy captures through its gradient.
    gradient, moved = probe([linear.gradient] if linear.captures else [])
    sources, along = [*flat, *gradient], [*along, *moved]
    floating = floating_of(flat)

    def solve_free(right: tf.Tensor) -> tf.Tensor:
        if still is None:
            return damped_solve(linear, x, right)
        problem = Restricted(linear, _held(linear, still))
        return damped_solve(problem, x, problem.free(right))

    def solve(right: tf.Tensor) -> tf.Tensor:
        return faults.solve(solve_free, right)

    found = tf.identity(start)
    forward = any(tangent is not None for tangent in along)
    pairs = zip(along[: len(flat)], flat, strict=True)
    moving = [move for move, entry in pairs if entry.dtype.is_floating]
    if forward:
        force = linear.push_forward(moving)
        force = tf.add_n([force, *(m for m in moved if m is not None)])
        tangents = [t for t in along if t is not None]
        (move,) = first_order([-solve(force)], *sources, *tangents, forward=False)
        (found,) = with_tangents([found], [move], sources, along)
    cell = list[tf.Tensor]()

    # The project's one derivative of a minimiser.
    def backward(incoming: list[tf.Tensor]) -> list[tf.Tensor]:
        by_gradient, gradients = pull(
            linear, solve, solve, incoming[0], cell[0], floating
        )
        moves = []
        if still is not None:
            moves = _pull_bounds(linear, still, incoming[0], -by_gradient)
            moves = faults.spare(incoming[0], moves)
            moves = first_order(moves, *incoming, cell[0], *sources, *bounds)
        gradients = faults.spare(incoming[0], gradients)
        return [*spread(gradients, flat), *[by_gradient] * len(gradient), *moves]

    (found,) = with_backward([found], [*sources, *bounds], backward, forward)
    cell.append(found)
    solution = _with_envelope(solution, linear, faults, flat, found, bounds, moving)
    return solution._replace(value=packing.unpack(found)), linear


def _with_envelope(
    solution: Solution,
    linear: Linearised,
    faults: Isolation,
    flat: list[tf.Tensor],
    found: tf.Tensor,
    bounds: list[tf.Tensor],
    along: Tangents,
) -> Solution:
    """The solution whose energy has the derivative ∂E/∂θ, and ∂E/∂x by bounds.

    Args:
      solution: any.
      linear: the energy's record at its value.
      faults: problems that are lost.
      flat: the entries of θ.
      found: x with its derivative.
      bounds: lower and upper ones, if there are any.
      along: a tangent for each floating entry of θ, or None.
    """
    floating, box = floating_of(flat), linear.box
    level_there, moved = probe([linear.value_there] if linear.captures else [])

    def backward(incoming: list[tf.Tensor]) -> list[tf.Tensor]:
        by_energy, gradients = pull_value(linear, incoming[0], found, floating)
        moves = []
        if box is not None:
            moves = _shares(linear, box, by_energy[..., None] * linear.gradient)
            moves = faults.spare(incoming[0], moves)
            depends = [*incoming, found, *floating, *bounds, *level_there]
            moves = first_order(moves, *depends)
        by_captures = [by_energy] * len(level_there)
        gradients = faults.spare(incoming[0], gradients)
        return [*spread(gradients, flat), *by_captures, *moves]

    sources = [*flat, *level_there, *bounds]
    level = tf.stop_gradient(solution.stats.energy)
    places = [*floating, *level_there]
    tangents = [t for t in (*along, *moved) if t is not None]
    if tangents:
        rise = tf.add_n(
            [linear.push_value(along), *(m for m in moved if m is not None)]
        )
        # That of a lost problem is none.
        (rise,) = first_order([rise + 0 * level], *places, *tangents, forward=False)
        (level,) = with_tangents([level], [rise], places, [*along, *moved])
    (energy,) = with_backward([level], sources, backward, forward=bool(tangents))
    return solution._replace(stats=solution.stats._replace(energy=energy))


def _held(problem: Linearised, box: Box) -> tf.Tensor:
    """The unknowns at an active bound, bool like x."""
    x, gradient = problem.point, problem.gradient
    held = box.held(x, gradient)
    # The gradient's direction is the one probe of the curvature that is always cheap.
    force = tf.where(held, tf.zeros_like(gradient), gradient)
    bent = tf.norm(problem.hessian_product(x, force), axis=-1, keepdims=True)
    length = tf.norm(force, axis=-1, keepdims=True)
    return box.nearly_held(x, gradient, tf.math.divide_no_nan(bent, length))


def _pull_bounds(
    problem: Linearised, box: Box, upstream: tf.Tensor, v: tf.Tensor
) -> list[tf.Tensor]:
    """The gradients of lower and upper bounds, for the v of the free unknowns.

    A held unknown moves with its bound, and takes the free ones along:
    H_ff dx_f = −H_fh db_h. One between equal bounds has half of it from each.
    """
    return _shares(problem, box, upstream - problem.hessian_product(problem.point, v))


def _shares(problem: Linearised, box: Box, pulled: tf.Tensor) -> list[tf.Tensor]:
    """What lower and upper bounds have of a gradient by x, `[*batch, n]`."""
    pulled = tf.where(_held(problem, box), pulled, tf.zeros_like(pulled))
    above, below = problem.point - box.lower, box.upper - problem.point
    nearer = tf.where(above < below, tf.ones_like(pulled), tf.zeros_like(pulled))
    share = tf.where(box.fixed(), 0.5 * tf.ones_like(pulled), nearer)
    return [share * pulled, (1 - share) * pulled]
