"""Bounds given by the caller, and problems with some unknowns held at them."""

from typing import Any

import tensorflow as tf

from wiberg_tf._box import Box, restrict
from wiberg_tf._linear.checks import insist
from wiberg_tf._nest import Packing, entry_names, refuse_other_structure
from wiberg_tf._problem import Problem


def make_box(
    bounds: tuple[Any, Any] | None, initial: Any, batch_dims: int
) -> Box | None:
    """The caller's bounds as vectors.

    Args:
      bounds: (lower, upper), each a number, or a nest like `initial` of what
        broadcasts to its entries; or None.
      initial: the nest of the start.
      batch_dims: how many leading axes of it index problems.

    Raises:
      ValueError: for anything else than a tuple of two.
      tf.errors.InvalidArgumentError: for a lower bound above its upper one.
    """
    if bounds is None:
        return None
    # A list may be one of pairs, as for SciPy.
    pair = isinstance(bounds, tuple) and len(bounds) == 2
    if not pair or any(bound is None for bound in bounds):
        raise ValueError(
            "`bounds` must be a tuple (lower, upper), infinite where there is none; "
            f"received {bounds!r}"
        )
    packing = Packing(initial, batch_dims)
    lower, upper = (_pack(bound, initial, packing) for bound in bounds)
    with insist(lower <= upper, "A lower bound in `bounds` is above the upper one."):
        return Box(tf.identity(lower), tf.identity(upper))


def _pack(bound: Any, initial: Any, packing: Packing) -> tf.Tensor:
    if isinstance(bound, int | float):
        bound = tf.nest.map_structure(lambda _: bound, initial)
    elif not tf.nest.is_nested(initial) and isinstance(bound, list | tuple):
        bound = _converted("bounds", bound, initial.dtype)
    refuse_other_structure(
        initial,
        bound,
        "each of `bounds` must be a Python number or a nest like `initial`",
    )
    entries = zip(
        entry_names(bound, "bounds"),
        tf.nest.flatten(bound),
        tf.nest.flatten(initial),
        strict=True,
    )
    full = [_broadcast(name, entry, start) for name, entry, start in entries]
    return packing.pack(tf.nest.pack_sequence_as(initial, full))


def _broadcast(name: str, entry: Any, start: tf.Tensor) -> tf.Tensor:
    entry = _converted(name, entry, start.dtype)
    if tf.broadcast_static_shape(entry.shape, start.shape) != start.shape:
        raise ValueError(
            f"`{name}` must broadcast to shape {start.shape}; received {entry.shape}"
        )
    return tf.broadcast_to(entry, tf.shape(start))


def _converted(name: str, entry: Any, dtype: tf.DType) -> tf.Tensor:
    try:
        return tf.convert_to_tensor(entry, dtype)
    except (TypeError, ValueError):
        received = entry.dtype.name if tf.is_tensor(entry) else type(entry).__name__
        raise ValueError(
            f"`{name}` must be {dtype.name}, as `initial` is; received {received}"
        ) from None


class Restricted(Problem):
    """A problem of which some unknowns are held: they and their curvature drop out."""

    def __init__(self, problem: Problem, held: tf.Tensor):
        super().__init__(
            problem.energy, problem.packing, problem.parameters, problem.box
        )
        self._problem = problem
        self._held = held

    def hessian(self, x: tf.Tensor) -> tf.Tensor:
        """∂²E/∂x² of the free unknowns; a diagonal of its own scale for the held."""
        return restrict(self._problem.hessian(x), self._held)

    def hessian_product(self, x: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """(∂²E/∂x²) d within the free unknowns."""
        return self.free(self._problem.hessian_product(x, self.free(direction)))

    def free(self, vector: tf.Tensor) -> tf.Tensor:
        """The vector with 0 for the held unknowns."""
        return tf.where(self._held, tf.zeros_like(vector), vector)
