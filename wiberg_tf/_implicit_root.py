"""A root as an implicit function of parameters and captures."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wiberg_tf._autodiff import with_backward
from wiberg_tf._equations import Equations, Linearised, linearise
from wiberg_tf._isolation import Isolation, away_from
from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._linear.choice import Choice
from wiberg_tf._linear.dense import DENSE_LIMIT, Dense
from wiberg_tf._linear.gmres import GMRES
from wiberg_tf._linear.length import norm
from wiberg_tf._linear.square import solve_square
from wiberg_tf._linearised import floating_of, spread
from wiberg_tf._second_order import pull

_SINGULAR = (
    "The equations' Jacobian is singular at the root, so the root has no derivative "
    "there."
)


def with_derivative(
    x: tf.Tensor,
    residual_norm: tf.Tensor,
    equations: Callable[[Any], Equations],
    parameters: Any,
    linear_solve: Choice | GMRES,
) -> tf.Tensor:
    """The root whose derivative is −(∂F/∂x)⁻¹ ∂F/∂θ.

    Args:
      x: the root, `[*batch, n]`.
      residual_norm: |F| there, `[*batch]`.
      equations: of a nest θ.
      parameters: θ, which the gradients are for.
      linear_solve: "auto", "dense", or a solver of these.
    """
    # The tape knows a tensor by its identity: one passed twice, or captured by the
    # function besides, would get the gradient of all its uses in each place.
    held = tf.nest.map_structure(
        lambda entry: tf.identity(tf.stop_gradient(entry)), parameters
    )
    x, size = tf.stop_gradient(x), tf.stop_gradient(residual_norm)
    faults, point, held = _isolated(x, size, equations, held)
    linear = linearise(equations(held), point)

    def solve(right: tf.Tensor, transposed: bool) -> tf.Tensor:
        return faults.solve(
            lambda right: _solve_system(linear, right, linear_solve, transposed),
            right,
        )

    flat = tf.nest.flatten(parameters)
    floating = floating_of(flat)
    # Tapes reach what the function captures through its value.
    by_captures = [linear.value] if linear.captures else []
    cell = list[tf.Tensor]()

    def backward(incoming: list[tf.Tensor]) -> list[tf.Tensor]:
        by_value, gradients = pull(
            linear,
            lambda right: solve(right, True),
            lambda right: solve(right, False),
            incoming[0],
            cell[0],
            floating,
        )
        gradients = faults.spare(incoming[0], gradients)
        return [*spread(gradients, flat), *[by_value] * len(by_captures)]

    sources = [*flat, *by_captures]
    (root,) = with_backward([x], sources, backward, forward=False)
    cell.append(root)
    return root


def _isolated(
    x: tf.Tensor, size: tf.Tensor, equations: Callable[[Any], Equations], held: Any
) -> tuple[Isolation, tf.Tensor, Any]:
    """Which systems are lost, and x and θ with rows of a sound one in their places."""
    faults = Isolation(x, size, size)
    point, borrowed = faults.borrow((x, held))
    if faults.has_borrowed:
        # At roots F is round-off, which says nothing of what it is made of.
        now, before = (
            norm(equations(inputs).residual(away_from(at)))
            for at, inputs in ((point, borrowed), (x, held))
        )
        faults.check(now, before)
    return faults, point, borrowed


def _solve_system(
    equations: Linearised, right: tf.Tensor, choice: Choice | GMRES, transposed: bool
) -> tf.Tensor:
    """(∂F/∂x)⁻¹ u or (∂F/∂x)⁻ᵀ u; 0 for a system with u = 0, whatever its Jacobian."""
    if choice == "auto":
        choice = Dense() if equations.packing.size <= DENSE_LIMIT else GMRES()
    if isinstance(choice, GMRES):
        x = equations.point
        product = equations.transposed_product if transposed else equations.product
        return choice.solve_system(lambda v: product(x, v), right)
    matrix = equations.jacobian(equations.point)
    matrix = tf.linalg.matrix_transpose(matrix) if transposed else matrix
    v, usable = solve_square(matrix, right)
    # That of a system with u = 0 may be singular.
    usable |= tf.reduce_all(right == 0, -1)
    with insist(usable, _SINGULAR):
        return tf.where(usable[..., None], v, NAN)
