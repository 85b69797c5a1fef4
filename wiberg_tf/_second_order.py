"""Gradients through an implicit function, which may be differentiated once more."""

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from wiberg_tf._autodiff import first_order, insist_on_tapes

# Solves A v = u for vectors `[*batch, n]`.
Solve = Callable[[tf.Tensor], tf.Tensor]


class Record(Protocol):
    """F(x; θ) at one point, as a tape has it.

    Attributes:
      captures: whether other tapes may know F as a function of what it captures.
      beside: F at nearly the same x, as two tapes have it, one within the other.
    """

    captures: bool

    @property
    def beside(self) -> "Beside":
        """See above."""

    def adjoint_product(self, v: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x)ᵀ v, `[*batch, n]`."""

    def pull_floating(self, v: tf.Tensor) -> list[tf.Tensor]:
        """−(∂F/∂θ)ᵀ v, one for each floating parameter."""


class Beside(Record, Protocol):
    """A record that may be differentiated itself.

    Attributes:
      again: the outer tape, persistent; entered anew it records what is made of the
        inner one's gradients.
      point: x, `[*batch, n]`, as both watch it.
      floating: the floating entries of θ, likewise.
    """

    again: tf.GradientTape
    point: tf.Tensor
    floating: list[tf.Tensor]


class ValueRecord(Record, Protocol):
    """One of a problem's gradient F = ∂E/∂x, which has its value E besides.

    Attributes:
      gradient: F, `[*batch, n]`.
    """

    gradient: tf.Tensor

    @property
    def beside(self) -> "ValueBeside":
        """As of a `Record`."""

    def pull_value(self, upstream: tf.Tensor) -> list[tf.Tensor]:
        """∂E/∂θ, weighed by `[*batch]`, one for each floating parameter."""


class ValueBeside(ValueRecord, Beside, Protocol):
    """A `Beside` with a value."""


def pull(
    record: Record,
    adjoint_solve: Solve,
    solve: Solve,
    upstream: tf.Tensor,
    found: tf.Tensor,
    sources: list[tf.Tensor],
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """V with Aᵀ v = u, and p = −(∂F/∂θ)ᵀ v, which may be differentiated once more.

    With A = ∂F/∂x (+ λI) and x the implicit function of θ, a change of u, x and θ moves
    p directly, and through v: Aᵀ dv = du − dAᵀ v. Tapes that recorded F know how both
    move with what F captures, as the record's operations are theirs.

    Args:
      record: of F at x, the constants of everything here.
      adjoint_solve: of the system Aᵀ v = u.
      solve: of the system A w = a.
      upstream: u, `[*batch, n]`.
      found: x, `[*batch, n]`, with its derivative along the sources.
      sources: the floating entries of θ, which `record` does not know.

    Returns:
      −v, the gradient by F, whose own derivative is refused: operations between F and
      what it captures would not know of x and θ. And p.
    """
    still = tf.stop_gradient(adjoint_solve(tf.stop_gradient(upstream)))

    def pull_v(along: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        w = tf.stop_gradient(solve(tf.stop_gradient(along[0])))
        with record.beside.again as tape:
            bent = -tf.reduce_sum(record.beside.adjoint_product(still) * w)
        return [w, *_by_leaves(tape, bent, record.beside), *[w] * len(moving)]

    # As what F captures moves it: dv = −A⁻ᵀ dAᵀ v.
    moving = [-record.adjoint_product(still)] if record.captures else []
    depends = [upstream, found, *sources]
    (v,) = _plus([still], record, pull_v, [*depends, *moving], depends)

    def pull_p(along: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        with record.beside.again as tape:
            moved = _dot(record.beside.pull_floating(still), along)
        return _by_leaves(tape, moved, record.beside)

    gradients = record.pull_floating(v)
    gradients = _plus(gradients, record, pull_p, [found, *sources], depends)
    (by_value,) = first_order([-still], *depends, *moving)
    return by_value, gradients


def pull_value(
    record: ValueRecord,
    upstream: tf.Tensor,
    found: tf.Tensor,
    sources: list[tf.Tensor],
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The gradient of E, `[*batch]`, at an x that does not move: as of `pull`.

    Returns:
      The gradient by E itself, and ∂E/∂θ, which moves with x and θ.
    """
    still = tf.stop_gradient(upstream)

    def pull_p(along: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
        with record.beside.again as tape:
            moved = _dot(record.beside.pull_value(still), along)
        return _by_leaves(tape, moved, record.beside)

    gradients = record.pull_value(upstream)
    depends = [upstream, found, *sources]
    gradients = _plus(gradients, record, pull_p, [found, *sources], depends)
    (by_value,) = first_order([still], *depends, record.gradient)
    return by_value, gradients


_ZERO = tf.UnconnectedGradients.ZERO


def _plus(
    values: list[tf.Tensor],
    record: Record,
    pull: Callable[[tuple[tf.Tensor, ...]], list[tf.Tensor]],
    sources: list[tf.Tensor],
    depends: list[tf.Tensor],
) -> list[tf.Tensor]:
    """The values with a derivative by the sources besides what tapes know.

    Args:
      values: tensors.
      record: what `pull` uses.
      pull: of the values' gradients, the sources' gradients.
      sources: tensors.
      depends: what those gradients move with, which is refused.
    """
    if not values:
        return []

    @tf.custom_gradient
    def zeros(*inputs: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
        del inputs

        def backward(*along: tf.Tensor) -> list[tf.Tensor]:
            insist_on_tapes()
            _insist_on_reach(record.beside.point)
            return first_order(pull(along), *depends, *along)

        return [tf.zeros_like(value) for value in values], backward

    added = zeros(*sources)
    return [value + zero for value, zero in zip(values, added, strict=True)]


def _by_leaves(
    tape: tf.GradientTape, target: tf.Tensor, record: Beside
) -> list[tf.Tensor]:
    """The gradients by the record's point and floating parameters."""
    leaves = [record.point, *record.floating]
    gradients = tape.gradient(target, leaves, unconnected_gradients=_ZERO)
    return [tf.convert_to_tensor(gradient) for gradient in gradients]


def _insist_on_reach(point: tf.Tensor) -> None:
    """Refuses to go on where the graph that is being made cannot have the record.

    TensorFlow makes the derivative of a function's backward pass in a graph of its own.
    """
    if tf.executing_eagerly() or not tf.is_symbolic_tensor(point):
        return
    graph = tf.compat.v1.get_default_graph()
    while graph is not None and graph is not point.graph:
        graph = getattr(graph, "outer_graph", None)
    if graph is None:
        raise tf.errors.UnimplementedError(
            None,
            None,
            "Second derivatives of a minimiser in a tf.function, loop or branch are "
            "not there for GradientTapes outside of it; put both tapes into it, or "
            "call it within tape.stop_recording(); to save a gradient, say "
            "tf.saved_model.SaveOptions(experimental_custom_gradients=False)",
        )


def _dot(left: list[tf.Tensor], right: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """Of two lists of tensors; in the dtype of the first."""
    dtype = left[0].dtype
    return tf.add_n(
        [tf.reduce_sum(tf.cast(a * b, dtype)) for a, b in zip(left, right, strict=True)]
    )
