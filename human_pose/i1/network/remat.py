"""Less memory for more time: parts that keep their input and compute the rest again.

A training step keeps every layer's output for the backward pass. Here a part of the
network keeps only what comes into it, and its layers run once more when its gradient is
due (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016). In a unit of a
normalisation, its ReLU and its convolution only the first two do, which costs a
hundredth of a step.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import keras
import tensorflow as tf

from human_pose.i1.network.blocks import Blocks
from human_pose.i1.network.hourglass import SIZES, PoseNetwork, assemble
from human_pose.i1.network.normalization import recomputation

Part = Literal["unit", "block"]


def rematerialized(network: PoseNetwork, part: Part = "block") -> keras.Model:
    """The same network, on the same weights, for training with less memory.

    Args:
      network: to be trained.
      part: what computes again: residual blocks, or the units in them.

    Returns:
      A model of equal outputs and gradients. It is for `fit`: save `network`.
    """
    return keras.Model(
        *assemble(
            _SHARED[part](network),
            network.depth_bins,
            network.joints,
            network.input_size,
            network.preset,
        )
    )


class _Shared(Blocks):
    """Gives the layers of a network that is there already."""

    def __init__(self, network: PoseNetwork) -> None:
        super().__init__(
            SIZES[network.preset].unit,
            network.batch_norm,
            network.initializer,
            dtype=network.dtype_policy.name,
        )
        self._network = network

    def convolution(self, x: Any, name: str, *sizes: Any, **options: Any) -> Any:
        return self._network.get_layer(name)(x)

    def normalized(self, x: Any, name: str) -> Any:
        return self._network.get_layer(name)(x)

    def _again(self, x: Any, entry: Any, end: Any, name: str) -> Any:
        """The layers from a tensor of the network to another one, for another input."""
        part = keras.Model(entry, end)
        return _Recomputed(part, name=f"{name}_recomputed", dtype=self._dtype)(x)


class _InUnits(_Shared):
    """Those of a unit together."""

    def activated(
        self, x: Any, prefix: str, number: int, *sizes: Any, **options: Any
    ) -> Any:
        entry = self._network.get_layer(f"{prefix}_bn{number}").input
        end = self._network.get_layer(f"{prefix}_conv{number}").output
        return self._again(x, entry, end, f"{prefix}_conv{number}")


class _InBlocks(_Shared):
    """Those of a residual block together."""

    def bottleneck(self, x: Any, name: str, middle: int, out: int) -> Any:
        return self._block(x, name)

    def inception(self, x: Any, name: str, middle: int) -> Any:
        return self._block(x, name)

    def _block(self, x: Any, name: str) -> Any:
        # Its projection reads what comes in, and its sum is what goes out.
        entry = self._network.get_layer(f"{name}_branch2_conv").input
        return self._again(x, entry, self._network.get_layer(name).output, name)


_SHARED: Final[dict[Part, type[_Shared]]] = {"unit": _InUnits, "block": _InBlocks}


class _Recomputed(keras.layers.Layer):
    """Layers whose outputs are computed again for the backward pass."""

    def __init__(self, part: keras.Model, **options: Any) -> None:
        super().__init__(**options)
        self._part = part
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What the layers give."""
        if not training:
            return self._part(inputs, training=False)
        part = self._part

        @tf.custom_gradient
        def once(x: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
            def backward(
                upstream: tf.Tensor, variables: Sequence[tf.Variable] = ()
            ) -> tuple[tf.Tensor, list[tf.Tensor]]:
                # Not before the gradient is there, and not taken for the same as the
                # first time by whoever optimises the graph.
                with tf.control_dependencies([upstream]):
                    again = tf.identity(x)
                with recomputation(), tf.GradientTape() as tape:
                    tape.watch(again)
                    outputs = part(again, training=True)
                gradient, *others = tape.gradient(
                    outputs, [again, *variables], output_gradients=upstream
                )
                return gradient, others

            return part(x, training=True), backward

        return once(inputs)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """That of the layers."""
        return (*input_shape[:-1], self._part.output_shape[-1])
