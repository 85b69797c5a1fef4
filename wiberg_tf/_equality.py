"""Linear equality constraints A x = b, by unknowns that are free of them."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._iterate import Compacted, Seeded
from wiberg_tf._linear.checks import insist
from wiberg_tf._linear.choice import is_own
from wiberg_tf._problem import round_off
from wiberg_tf._residuals import ResidualEnergy
from wiberg_tf.losses import Loss

_RANK = (
    "The rows of A in `equality` must be finite and linearly independent: leave out "
    "those that follow from, or contradict, others. The smallest singular value beside "
    "the largest, of rows of length 1, is"
)
# What a dict of parameters gets besides: the name of no argument.
_OURS = "equality constraint"


class Feasible(NamedTuple):
    """All x = offset + basis y with A x = b, for y `[*batch, n - m]`.

    With Aᵀ = (Q Z) R, x₀ a point of the constraint and Q, Z and x₀ constants, offset is
    x₀ + A⁺ (b − A x₀) and basis is Z − A⁺ A Z, made orthonormal, where A⁺ is Q (A Q)⁻¹.
    For this A basis is Z, and for every A and b nearby A x = b still holds: y can be
    minimised over freely, and gradients of any order reach A and b.

    Attributes:
      offset: `[*batch, n]`; x of y = 0 is the caller's start, projected.
      basis: `[*batch, n, n - m]`, with axes of size 1 for an A without batch axes, so
        that nobody takes the rows of what is shared for those of problems.
    """

    offset: tf.Tensor
    basis: tf.Tensor

    def x(self, y: tf.Tensor) -> tf.Tensor:
        """The point `[*batch, n]` of y."""
        return self.offset + tf.linalg.matvec(self.basis, y)


def feasible(equality: Any, initial: Any, batch_dims: int) -> tuple[Feasible, Any]:
    """The points that keep to a constraint, and the y where a start is projected to.

    Args:
      equality: the caller's (A, b): `[*batch, m, n]` or `[m, n]`, and `[*batch, m]` or
        `[m]`.
      initial: the start of `argmin`, which must be one tensor `[*batch, n]`.
      batch_dims: as of `argmin`.

    Raises:
      ValueError: for anything else, or not 0 < m < n.
      tf.errors.InvalidArgumentError: for linearly dependent rows of A (under
        `jit_compile=True` x is NaN).
    """
    matrix, right = _checked(equality, initial, batch_dims)
    # So that units of the rows say nothing about their rank.
    length = tf.norm(tf.stop_gradient(matrix), axis=-1, keepdims=True)
    unit = 1 / tf.where(length > 0, length, 1)
    matrix, right = unit * matrix, unit[..., 0] * right
    columns = tf.linalg.matrix_transpose(matrix)
    rows = matrix.shape[-2]
    full = tf.linalg.qr(tf.stop_gradient(columns), full_matrices=True)
    # Stopped behind it too: TensorFlow refuses its derivative even where it is unused.
    turn, triangle = map(tf.stop_gradient, full)
    across, along = turn[..., :rows], turn[..., rows:]
    sizes = tf.linalg.svd(triangle[..., :rows, :], compute_uv=False)
    ratio = sizes[..., -1] / sizes[..., 0]
    usable = ratio > 4 * matrix.shape[-1] * round_off(matrix.dtype)
    with insist(usable, _RANK, tf.reduce_min(ratio)):
        usable = tf.identity(usable)[..., None, None]
    columns = tf.where(usable, columns, float("nan"))
    matrix = tf.linalg.matrix_transpose(columns)
    inverse = tf.matmul(across, tf.linalg.inv(tf.matmul(matrix, across)))

    def projected(x: tf.Tensor, inverse: tf.Tensor) -> tf.Tensor:
        missing = right - tf.linalg.matvec(matrix, x)
        return x + tf.linalg.matvec(inverse, missing)

    start = tf.stop_gradient(projected(initial, inverse))
    basis = along - tf.matmul(inverse, tf.matmul(matrix, along))
    # Its columns stay orthonormal to third order as A moves (Newton and Schulz), so
    # that gradients through steps that have not converged are right to second order.
    basis = 1.5 * basis - 0.5 * tf.matmul(
        basis, tf.matmul(basis, basis, transpose_a=True)
    )
    ones = [1] * (batch_dims + 2 - basis.shape.rank)
    basis = tf.reshape(basis, tf.concat([ones, tf.shape(basis)], 0)) if ones else basis
    points = Feasible(projected(start, inverse), basis)
    # The start's derivatives, which `Unrolled` wants: y is Zᵀ (x − x₀), here 0.
    factor, triangle = tf.linalg.qr(columns)
    pseudo = tf.matmul(factor, tf.linalg.inv(triangle), transpose_b=True)
    moved = projected(initial, pseudo)
    moved = tf.linalg.matvec(along, moved - tf.stop_gradient(moved), transpose_a=True)
    return points, moved


def reduced(energy: Any, parameters: Any, points: Feasible) -> tuple[Any, Any]:
    """An energy of y and its parameters, for one of x and θ.

    Args:
      energy: of `argmin`; a `ResidualEnergy` stays one.
      parameters: θ, a tuple, list or dict.
      points: what x is of y.
    """

    def with_x(function: Callable[..., Any]) -> Callable[..., Any]:
        def of_y(y: tf.Tensor, *inputs: Any, **named: Any) -> Any:
            offset, basis = named.pop(_OURS) if named else inputs[-1]
            x = Feasible(offset, basis).x(y)
            return as_written(function)(x, *inputs[:-1], **named)

        return of_y

    ours = tuple(points)
    named = isinstance(parameters, dict)
    inputs = {**parameters, _OURS: ours} if named else (*parameters, ours)
    if not isinstance(energy, ResidualEnergy):
        return with_x(energy), inputs
    loss = energy.loss if isinstance(energy.loss, Loss) else _without_x(energy.loss)
    residuals = with_x(energy.residuals)
    return dataclasses.replace(energy, residuals=residuals, loss=loss), inputs


def _without_x(loss: Callable[..., Loss]) -> Callable[..., Loss]:
    """A learnt loss, which takes θ alone."""

    def of_all(*inputs: Any, **named: Any) -> Loss:
        named.pop(_OURS, None)
        return as_written(loss)(*inputs[:-1], **named)

    return of_all


def refuse_beside(bounds: Any, solver: Any, derivative: Any) -> None:
    """Refuses options that know x, where a solver sees y.

    Raises:
      ValueError: for them.
    """
    if bounds is not None:
        raise ValueError("`bounds` do not go with `equality`")
    if isinstance(solver, Seeded):
        raise ValueError("`solver` with wt.GridSeeds does not go with `equality`")
    solver = solver.solver if isinstance(solver, Compacted) else solver
    own: Any = getattr(derivative, "linear_solve", "auto")
    if getattr(solver, "linear_solve", None) is not None or is_own(own):
        raise ValueError("`linear_solve` of your own does not go with `equality`")


def _checked(
    equality: Any, initial: Any, batch_dims: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """A and b as tensors of x's dtype."""
    if not isinstance(equality, tuple) or len(equality) != 2:
        raise ValueError(f"`equality` must be a tuple (A, b); received {equality!r}")
    if tf.nest.is_nested(initial) or initial.shape.rank != batch_dims + 1:
        kind = "a nest" if tf.nest.is_nested(initial) else f"shape {initial.shape}"
        raise ValueError(
            "`initial` must be one tensor [*batch, n], of rank batch_dims + 1 = "
            f"{batch_dims + 1}, with `equality`; received {kind}"
        )
    tensors = [
        _tensor(name, entry, initial.dtype)
        for name, entry in zip(("A", "b"), equality, strict=True)
    ]
    matrix, right = tensors
    batch, unknowns = initial.shape[:-1], initial.shape[-1]
    rows = matrix.shape[-2] if (matrix.shape.rank or 0) > 1 else None
    for name, entry, core in (
        ("A", matrix, tf.TensorShape([rows, unknowns])),
        ("b", right, tf.TensorShape([rows])),
    ):
        shapes = core, batch + core
        if not any(
            entry.shape.rank == shape.rank and entry.shape.is_compatible_with(shape)
            for shape in shapes
        ):
            raise ValueError(
                f"`equality` must have {name} of shape {shapes[0]} or {shapes[1]}; "
                f"received {entry.shape}"
            )
    if rows is None or not 0 < rows < unknowns:
        raise ValueError(
            "`equality` must have fewer rows than x has unknowns, and at least one: "
            f"received A of shape {matrix.shape} for {unknowns} unknowns"
        )
    return matrix, right


def _tensor(name: str, entry: Any, dtype: tf.DType) -> tf.Tensor:
    try:
        return tf.convert_to_tensor(entry, dtype)
    except (TypeError, ValueError):
        kind = getattr(getattr(entry, "dtype", None), "name", type(entry).__name__)
        raise ValueError(
            f"`equality` must have {name} of x's dtype {dtype.name}; received {kind}"
        ) from None
