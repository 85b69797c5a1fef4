"""Weights handed on from one network to the next, by the names of the layers."""

import keras

from human_pose.files.errors import InputError


def transfer(source: keras.Model, target: keras.Model) -> tuple[str, ...]:
    """Copies the weights of every layer that both networks have, statistics included.

    Between two stages of a curriculum only the last layer differs in name.

    Args:
      source: the trained network.
      target: the next one; changed in place.

    Returns:
      The names of the layers of `target` that keep their own weights.

    Raises:
      InputError: if a layer of both has other shapes, or the networks share none;
        nothing is copied then.
    """
    known = {layer.name: layer for layer in source.layers if layer.weights}
    layers = [layer for layer in target.layers if layer.weights]
    shared = [layer for layer in layers if layer.name in known]
    if not shared:
        raise InputError(f"{source.name} and {target.name} share no layer")
    for layer in shared:
        shapes = [
            [tuple(weight.shape) for weight in of.weights]
            for of in (known[layer.name], layer)
        ]
        if shapes[0] != shapes[1]:
            raise InputError(
                f"layer {layer.name} of {source.name} has shapes {shapes[0]}; "
                f"{target.name} needs {shapes[1]}"
            )
    for layer in shared:
        for old, new in zip(known[layer.name].weights, layer.weights, strict=True):
            new.assign(old)
    return tuple(layer.name for layer in layers if layer.name not in known)
