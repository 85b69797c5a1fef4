"""The caller's own solve of the damped system, for matrices with structure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._linear.checks import insist
from wiberg_tf._linear.solver import LinearSolver
from wiberg_tf._nest import as_tensors, entry_names, with_none
from wiberg_tf._problem import Problem

# The caller's own structured solve: `linear_solve(x, parameters, damping, right)`
# returns v with (H(x; parameters) + damping I) v = right, v and right nests like x,
# and damping `[*batch]`.
LinearSolve = Callable[[Any, Any, tf.Tensor, Any], Any]


@dataclass(frozen=True)
class Structured(LinearSolver):
    """The caller's function; it decides for itself what it refuses.

    Attributes:
      function: that function.
    """

    function: LinearSolve

    def solve(
        self,
        problem: Problem,
        x: tf.Tensor,
        damping: tf.Tensor,
        right: tf.Tensor,
        indefinite: bool,
    ) -> tf.Tensor:
        """See the base class."""
        del indefinite
        return solve_insisting(self.function, problem, x, damping, right)


def solve_structured(
    linear_solve: LinearSolve,
    problem: Problem,
    x: tf.Tensor,
    damping: tf.Tensor,
    right: tf.Tensor,
) -> tf.Tensor:
    """Solves (H + λI) v = u by the caller's function.

    Args:
      linear_solve: that function.
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      damping: λ, `[*batch]`.
      right: u, `[*batch, n]`.

    Raises:
      TypeError: if it is no function, or returns no tensors.
      ValueError: if it returns anything else than a nest like x, or there are bounds.
    """
    if not callable(linear_solve):
        raise TypeError(
            "`linear_solve` must be a function of (x, parameters, damping, right); "
            f"received {linear_solve!r}"
        )
    if problem.box is not None:
        raise ValueError("`linear_solve` of your own does not go with `bounds`")
    unpack = problem.packing.unpack
    wanted = unpack(right)
    found = as_written(linear_solve)(
        unpack(x), with_none(problem.parameters), damping, wanted
    )
    try:
        tf.nest.assert_same_structure(wanted, found)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`linear_solve` must return a nest like x: {error}") from None
    found = as_tensors(found, "linear_solve(...)", right.dtype)
    entries = zip(
        entry_names(wanted, "x"),
        tf.nest.flatten(wanted),
        tf.nest.flatten(found),
        strict=True,
    )
    for name, like, entry in entries:
        if entry.dtype != like.dtype or not entry.shape.is_compatible_with(like.shape):
            raise ValueError(
                f"`linear_solve` must return {like.dtype.name} of shape {like.shape} "
                f"for `{name}`; received {entry.dtype.name} of shape {entry.shape}"
            )
    return problem.packing.pack(found)


def solve_insisting(
    linear_solve: LinearSolve,
    problem: Problem,
    x: tf.Tensor,
    damping: tf.Tensor,
    right: tf.Tensor,
) -> tf.Tensor:
    """`solve_structured`, which must not lose a finite u; of u = 0 the v is 0."""
    v = solve_structured(linear_solve, problem, x, damping, right)
    v = tf.where(tf.reduce_all(right == 0, -1, keepdims=True), tf.zeros_like(v), v)
    lost = ~tf.math.is_finite(v) & tf.reduce_all(
        tf.math.is_finite(right), -1, keepdims=True
    )
    message = (
        "`linear_solve` returned NaN or infinity: if H + damping * I is singular or "
        "indefinite at the minimiser, use TrustRegion with a larger damping."
    )
    with insist(~lost, message):
        return tf.identity(v)
