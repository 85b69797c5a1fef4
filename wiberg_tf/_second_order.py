"""Gradients through an implicit function, which may be differentiated once more."""

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from wiberg_tf._autodiff import first_order, insist_on_tapes

# Solves A v = u for vectors `[*batch, n]`.
Solve = Callable[[tf.Tensor], tf.Tensor]


class Record(Protocol):
    """F(x; θ) at one point as two tapes have it, one within the other.

    Attributes:
      again: the outer one, persistent; entered anew it records what is made of the
        inner one's gradients.
      point: x, `[*batch, n]`, as both watch it.
      floating: the floating entries of θ, likewise.
    """

    again: tf.GradientTape
    point: tf.Tensor
    floating: list[tf.Tensor]

    def adjoint_product(self, v: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x)ᵀ v, `[*batch, n]`."""

    def pull_floating(self, v: tf.Tensor) -> list[tf.Tensor]:
        """−(∂F/∂θ)ᵀ v, one for each of `floating`."""


class ValueRecord(Record, Protocol):
    """One of a problem's gradient F = ∂E/∂x, which has its value E besides."""

    def pull_value(self, upstream: tf.Tensor) -> list[tf.Tensor]:
        """∂E/∂θ, weighed by `[*batch]`, one for each of `floating`."""


def pull(
    record: Record,
    adjoint_solve: Solve,
    solve: Solve,
    upstream: tf.Tensor,
    found: tf.Tensor,
    sources: list[tf.Tensor],
    by_captures: list[tf.Tensor],
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """V with Aᵀ v = u, and −(∂F/∂θ)ᵀ v with its own derivative.

    With A = ∂F/∂x (+ λI), x the implicit function of θ, and p = −(∂F/∂θ)ᵀ v, a change
    of u, x and θ moves p directly, and through v: Aᵀ dv = du − dAᵀ v.

    Args:
      record: of F at x, the constants of everything here.
      adjoint_solve: of the system Aᵀ v = u.
      solve: of the system A w = a.
      upstream: u, `[*batch, n]`.
      found: x, `[*batch, n]`, with its derivative along the sources.
      sources: the floating entries of θ, which `record` does not know.
      by_captures: F, which tapes know as a function of what it captures alone; or
        nothing, if it captures nothing.

    Returns:
      −v, the gradient by F, and p, which has a first derivative but by captures.
    """
    v = tf.stop_gradient(adjoint_solve(tf.stop_gradient(upstream)))

    @tf.custom_gradient
    def pulled(*inputs: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
        del inputs

        def backward(*along: tf.Tensor) -> list[tf.Tensor]:
            insist_on_tapes()
            _insist_on_reach(record.point)
            with record.again as tape:
                tape.watch(v)
                moved = _dot(record.pull_floating(v), along)
            force = tape.gradient(moved, v, unconnected_gradients=_ZERO)
            w = tf.stop_gradient(solve(tf.stop_gradient(force)))
            with record.again as tape:
                moved = _dot(record.pull_floating(v), along)
                bent = moved - tf.reduce_sum(record.adjoint_product(v) * w)
            by_point, *by_sources = tape.gradient(
                bent, [record.point, *record.floating], unconnected_gradients=_ZERO
            )
            return first_order(
                [w, by_point, *map(tf.convert_to_tensor, by_sources)],
                upstream,
                found,
                *sources,
                *along,
            )

        return record.pull_floating(v), backward

    gradients = pulled(upstream, found, *sources) if sources else []
    (by_value,) = first_order([-v], upstream, found, *sources, *by_captures)
    return by_value, _trapped(gradients, by_captures)


def pull_value(
    record: ValueRecord,
    upstream: tf.Tensor,
    found: tf.Tensor,
    sources: list[tf.Tensor],
    by_captures: list[tf.Tensor],
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The gradient of E, `[*batch]`, at an x that does not move: as of `pull`.

    Returns:
      The gradient by E itself, and ∂E/∂θ, which moves with x and θ.
    """
    weight = tf.stop_gradient(upstream)

    @tf.custom_gradient
    def pulled(*inputs: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
        del inputs

        def backward(*along: tf.Tensor) -> list[tf.Tensor]:
            insist_on_tapes()
            _insist_on_reach(record.point)
            with record.again as tape:
                tape.watch(weight)
                moved = _dot(record.pull_value(weight), along)
            leaves = [weight, record.point, *record.floating]
            by_all = tape.gradient(moved, leaves, unconnected_gradients=_ZERO)
            found_ones = list(map(tf.convert_to_tensor, by_all))
            return first_order(found_ones, upstream, found, *sources, *along)

        return record.pull_value(weight), backward

    gradients = pulled(upstream, found, *sources) if sources else []
    (by_value,) = first_order([weight], upstream, found, *sources, *by_captures)
    return by_value, _trapped(gradients, by_captures)


_ZERO = tf.UnconnectedGradients.ZERO


def _trapped(
    gradients: list[tf.Tensor], by_captures: list[tf.Tensor]
) -> list[tf.Tensor]:
    """The gradients, which refuse to be differentiated by captures."""
    if not by_captures:
        return gradients
    (zero,) = first_order([tf.zeros([], by_captures[0].dtype)], *by_captures)
    return [entry + tf.cast(zero, entry.dtype) for entry in gradients]


def _insist_on_reach(point: tf.Tensor) -> None:
    """Refuses to go on where the graph that is being made cannot have the record.

    TensorFlow makes the derivative of a function's backward pass in a graph of its own.
    """
    if tf.executing_eagerly():
        return
    graph = tf.compat.v1.get_default_graph()
    while graph is not None and graph is not point.graph:
        graph = getattr(graph, "outer_graph", None)
    if graph is None:
        raise tf.errors.UnimplementedError(
            None,
            None,
            "Second derivatives of a minimiser in a tf.function are not there for "
            "GradientTapes outside of it; put both tapes into the tf.function",
        )


def _dot(left: list[tf.Tensor], right: tuple[tf.Tensor, ...]) -> tf.Tensor:
    """Of two lists of tensors; in the dtype of the first."""
    dtype = left[0].dtype
    return tf.add_n(
        [tf.reduce_sum(tf.cast(a * b, dtype)) for a, b in zip(left, right, strict=True)]
    )
