"""Derivatives written by hand: backward, forward, and a stop to higher ones.

TensorFlow has no interface for a forward rule: for a `ForwardAccumulator` it makes the
tangent of a custom gradient by differentiating its backward function, inside which no
tape works. Two constructions of public operations stand in for a rule: `probe` finds
the tangents of tensors, and `with_tangents` gives tensors tangents of their own.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from wiberg_tf._as_written import later

Tangents = list[tf.Tensor | None]

_REFUSAL = (
    "Second derivatives of a minimiser, first by what `energy` captures or in forward "
    "mode, third ones, and forward mode through a tf.function from outside are not "
    "there with TrustRegion or Implicit: make captures parameters, nest GradientTapes, "
    "use Unrolled, or put the ForwardAccumulator inside the tf.function"
)
_LOST = (
    "tf.vectorized_map loses the derivative of wiberg_tf's minimisers and roots; give "
    "them the whole batch with `batch_dims`, or use tf.map_fn"
)


def probe(tensors: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], Tangents]:
    """The tensors, and their tangents in the active accumulator.

    The tangent is what TensorFlow hands to the derivative of a backward function.

    Returns:
      The tensors, as outputs of the probe, and a tangent or None for each.

    Raises:
      tf.errors.UnimplementedError: for accumulators within each other.
    """
    probed = [_probe(tensor) for tensor in tensors]
    return [tensor for tensor, _ in probed], [tangent for _, tangent in probed]


def _probe(tensor: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
    if not tensor.dtype.is_floating:
        return tensor, None
    seen = list[tf.Tensor]()

    @tf.custom_gradient
    def identity(tensor: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        @tf.custom_gradient
        def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
            def transposed(tangent: tf.Tensor) -> tf.Tensor:
                seen.append(tangent)
                return tangent

            return tf.identity(upstream), transposed

        return tf.identity(tensor), backward

    probed = identity(tensor)
    if len(seen) > 1:
        raise tf.errors.UnimplementedError(
            None,
            None,
            "argmin is under several ForwardAccumulators at once, which TrustRegion "
            "and Implicit do not take; use one",
        )
    return probed, seen[0] if seen else None


def refuse_forward_mode(tensors: Sequence[tf.Tensor], name: str, instead: str) -> None:
    """Refuses tensors that move in an active accumulator.

    Raises:
      tf.errors.UnimplementedError: for them.
    """
    _, tangents = probe(tensors)
    if any(tangent is not None for tangent in tangents):
        raise tf.errors.UnimplementedError(
            None, None, f"Forward mode is not there with {name}; use {instead}"
        )


def with_tangents(
    values: Sequence[tf.Tensor],
    tangents: Sequence[tf.Tensor],
    sources: Sequence[tf.Tensor],
    along: Tangents,
) -> list[tf.Tensor]:
    """The values, which move by `tangents` while the sources move by `along`.

    They get a multiple of a number that is 0 and whose derivative along the sources'
    tangents is 1: the projection of the sources' movement onto these.

    Args:
      values: tensors without tangents.
      tangents: what they shall be, one like each value.
      sources: tensors that have the tangents `along`.
      along: one for each source, or None.
    """
    moving = [(s, t) for s, t in zip(sources, along, strict=True) if t is not None]
    dtype = values[0].dtype
    # Scaled, or the squares of large and small tangents leave the range of numbers.
    largest = tf.reduce_max(
        [tf.cast(tf.reduce_max(tf.abs(t)), dtype) for _, t in moving]
    )
    scale = tf.where(largest > 0, largest, 1)
    movement, length = [], []
    for source, tangent in moving:
        unit = tf.cast(tangent, dtype) / scale
        move = tf.cast(source - tf.stop_gradient(source), dtype)
        movement.append(tf.reduce_sum(unit * move))
        length.append(tf.reduce_sum(unit**2))
    squared = tf.add_n(length)
    # Without any movement the tangents are 0 too.
    clock = tf.add_n(movement) / (scale * tf.where(squared > 0, squared, 1))
    return [
        value + tangent * clock for value, tangent in zip(values, tangents, strict=True)
    ]


def with_backward(
    values: Sequence[tf.Tensor],
    sources: Sequence[tf.Tensor],
    pull: Callable[[list[tf.Tensor]], list[tf.Tensor]],
    forward: bool,
) -> list[tf.Tensor]:
    """The values with a backward pass: `pull(incoming) -> gradients`.

    Args:
      values: tensors, which tapes cannot trace to the sources.
      sources: tensors.
      pull: its `incoming` are dense gradients, one like each value. It sees to second
        derivatives itself.
      forward: whether the values have the tangents that an active accumulator asks for.
    """
    returned = list[bool]()
    if not sources:
        return list(values)
    pull = later(pull)
    if not forward:
        values = [_untraced(value, sources) for value in values]

    @tf.custom_gradient
    def outputs(*sources: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
        def backward(*incoming: tf.Tensor) -> list[tf.Tensor | None]:
            if forward and not returned:
                # The accumulator looks for tangents that are there already.
                return [None] * len(sources)
            insist_on_tapes()
            # A gather in the loss gives IndexedSlices.
            return pull([tf.convert_to_tensor(entry) for entry in incoming])

        return [tf.identity(entry) for entry in values], backward

    found = outputs(*sources)
    returned.append(True)
    return found


def _untraced(value: tf.Tensor, sources: Sequence[tf.Tensor]) -> tf.Tensor:
    """The value, which raises where a transformation has dropped its derivative.

    `tf.vectorized_map` converts a graph operation by operation and forgets derivatives
    that are written by hand: the gradient would be 0 without a word.
    """
    if tf.executing_eagerly():
        return value
    # A way from the sources to the value, that the gradient is looked for at all.
    links = [
        tf.reduce_sum(tf.cast(tf.reshape(source, [-1])[:0], value.dtype))
        for source in sources
        if source.dtype.is_floating
    ]
    linked = tf.where(tf.constant(True), value, tf.add_n(links)) if links else value
    return tf.raw_ops.PreventGradient(input=linked, message=_LOST)


def first_order(
    gradients: list[tf.Tensor],
    *sources: tf.Tensor,
    forward: bool = True,
    refusal: str = _REFUSAL,
) -> list[tf.Tensor]:
    """The gradients, refusing to be differentiated with respect to the sources.

    They were computed with x held fixed, so differentiating them would give a wrong
    second derivative, or none, without a word. `forward` is whether an accumulator
    that is active here asks for one, too; `refusal` is the error's text.
    """
    returned = list[bool]()

    @tf.custom_gradient
    def once(*tensors: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
        def refuse(*_: tf.Tensor) -> Any:
            if not forward and not returned:
                return [None] * len(tensors)
            raise tf.errors.UnimplementedError(None, None, refusal)

        return [tf.identity(entry) for entry in tensors[: len(gradients)]], refuse

    guarded = once(*gradients, *sources)
    returned.append(True)
    return guarded


def insist_on_tapes() -> None:
    """Refuses to go on where an accumulator outside keeps tapes from recording."""
    if not _tapes_record():
        raise tf.errors.UnimplementedError(None, None, _REFUSAL)


def refuse_without_tapes(function: str) -> None:
    """Refuses to take an absent gradient for none where tapes do not record at all.

    Raises:
      RuntimeError: there, which names the usual cause.
    """
    if not _tapes_record():
        raise RuntimeError(
            f"`{function}` cannot be differentiated here, where GradientTapes do not "
            "record: tf.recompute_grad stops them; keep minimisers and roots out of it"
        )


def _tapes_record() -> bool:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        source = tf.ones([])
        tape.watch(source)
        copy = tf.identity(source)
    return tape.gradient(copy, source) is not None
