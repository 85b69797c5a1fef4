"""Networks as version 0.1 wrote them: layers, without what they were made with.

That is read off the layers here, and the network made anew; its files say it now.
"""

from typing import Any

import keras

from human_pose.files.errors import InputError
from human_pose.i1.network.blocks import Convolution
from human_pose.i1.network.hourglass import LAST_LAYER, SIZES, PoseNetwork
from human_pose.i1.network.normalization import ScaledBatchNormalization


def from_layers(model: keras.Model) -> PoseNetwork:
    """The network that a model of layers is, with its weights.

    Args:
      model: any model, as Keras reads it from a file.

    Raises:
      InputError: saying what differs, if it is another model.
    """
    network = PoseNetwork(**_config(model))
    if (found := _shapes(model)) != (wanted := _shapes(network)):
        raise InputError(f"its input and outputs must be {wanted}; they are {found}")
    known = {weight.path: weight for weight in model.weights}
    shapes = {weight.path: weight.shape for weight in network.weights}
    odd = set(shapes.items()) ^ {(path, w.shape) for path, w in known.items()}
    if odd:
        path, shape = min(odd)
        raise InputError(f"its weights differ, in {path} {list(shape)} among others")
    for weight in network.weights:
        weight.assign(known[weight.path])
    return network


def _config(model: keras.Model) -> dict[str, Any]:
    """What the layers say that a network was made with.

    Raises:
      InputError: if a layer that says it is missing or another.
    """
    layers = {layer.name: layer for layer in model.layers}
    last = next(filter(LAST_LAYER.fullmatch, layers), None)
    if last is None:
        raise InputError("has no layer conv_5_d<depth bins>")
    depth_bins = int(last.rpartition("d")[2])
    first, normalised = (layers.get(name) for name in ("conv_1", "bn_1"))
    presets = {sizes.unit: name for name, sizes in SIZES.items()}
    if not (
        isinstance(first, Convolution)
        and isinstance(layers[last], Convolution)
        and isinstance(normalised, ScaledBatchNormalization)
        and first.filters in presets
        and isinstance(model.output, dict)
        and model.output.keys() == {"heatmap", "heatmap2"}
        and len(model.inputs) == 1
    ):
        raise InputError("its layers are not those of the network")
    joints, outputs = (model.output[n].shape[-1] for n in ("heatmap", "heatmap2"))
    # Before layers of that many are made.
    if outputs != joints * depth_bins:
        raise InputError(
            f"heatmap2 must have {joints} joints times {depth_bins} channels; "
            f"it has {outputs}"
        )
    scaled = isinstance(first.kernel_initializer, keras.initializers.VarianceScaling)
    return {
        "depth_bins": depth_bins,
        "joints": joints,
        "input_size": model.inputs[0].shape[1],
        "preset": presets[first.filters],
        "batch_norm": normalised.statistics,
        "initializer": "scaled" if scaled else "published",
        "last_layer_std": layers[last].kernel_initializer.stddev,
        "dtype": first.dtype_policy.name,
        "name": model.name,
    }


def _shapes(model: keras.Model) -> tuple[Any, ...]:
    outputs = {name: tensor.shape for name, tensor in model.output.items()}
    return model.inputs[0].shape, outputs
