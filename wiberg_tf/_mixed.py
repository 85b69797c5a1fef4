"""Products with the mixed second derivative ∂²E/∂x∂θ, which is never formed."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from wiberg_tf._autodiff import Tangents
from wiberg_tf._nest import Packing, entry_names
from wiberg_tf._problem import Energy, Problem


def pull_back(
    energy: Energy,
    x: Any,
    v: Any,
    parameters: Any,
    flat: Sequence[tf.Tensor],
    batch_dims: int,
) -> list[tf.Tensor]:
    """−∂/∂θ [v · ∂E/∂x(x; θ)], with x and v held fixed."""
    packing = Packing(x, batch_dims)
    flat_x, flat_v = packing.pack(x), packing.pack(v)
    # The tape knows a tensor by its identity: one passed twice, or captured by the
    # energy besides, would get the gradient of all its uses in each place.
    flat = tuple(tf.identity(entry) for entry in flat)
    floating = [entry for entry in flat if entry.dtype.is_floating]

    problem = Problem(energy, packing, tf.nest.pack_sequence_as(parameters, flat))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(floating)
        _, gradient = problem.value_and_gradient(flat_x)
        product = -tf.reduce_sum(gradient * flat_v)
    pulled = iter(tape.gradient(product, floating))
    gradients = [next(pulled) if entry.dtype.is_floating else None for entry in flat]
    if any(
        g is None and e.dtype.is_floating for g, e in zip(gradients, flat, strict=True)
    ):
        refuse_unused(problem, flat_x, flat, entry_names(parameters, "parameters"))
    return [
        # A gather in the energy gives IndexedSlices.
        tf.zeros_like(entry) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, entry in zip(gradients, flat, strict=True)
    ]


def push_forward(
    energy: Energy, x: Any, parameters: Any, along: Tangents, batch_dims: int
) -> Any:
    """∂²E/∂x∂θ θ̇, a nest like x, for the tangents θ̇ of the floating parameters.

    The derivative of `pull_back` in the v that it is linear in: TensorFlow's own
    forward mode lacks some operations in graphs.
    """
    packing = Packing(x, batch_dims)
    flat = tuple(tf.nest.flatten(parameters))
    v = tf.zeros_like(packing.pack(x))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        pulled = pull_back(energy, x, packing.unpack(v), parameters, flat, batch_dims)
    moving = [
        (gradient, tangent)
        for gradient, tangent in zip(pulled, along, strict=True)
        if tangent is not None
    ]
    gradients, tangents = zip(*moving, strict=True)
    product = tape.gradient(gradients, v, tangents, tf.UnconnectedGradients.ZERO)
    return packing.unpack(-product)


def refuse_unused(
    problem: Problem, x: tf.Tensor, flat: tuple[tf.Tensor, ...], names: list[str]
) -> None:
    """Tells a parameter that is not used from one that only shifts the energy."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([entry for entry in flat if entry.dtype.is_floating])
        value = problem.value(x)
    gradients = tape.gradient(value, list(flat))
    for gradient, entry, name in zip(gradients, flat, names, strict=True):
        if gradient is None and entry.dtype.is_floating:
            raise ValueError(
                f"`energy` does not use `{name}`, so the minimiser has no derivative "
                "with respect to it; leave it out of `parameters`"
            )
