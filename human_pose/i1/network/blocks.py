"""The blocks of the two-stage hourglass, with the names of int-3dhuman-I1's layers.

Widths are given in units, 64 channels each in the published network, so that a smaller
preset is the same network with fewer channels.
"""

import random
from collections.abc import Sequence
from typing import Any, Final, Literal

import keras
import tensorflow as tf

from human_pose.i1.network.normalization import BatchNorm, ScaledBatchNormalization
from human_pose.runs import distribution

Tensor = Any
Initializer = Literal["published", "scaled"]

_WEIGHT_STD: Final = 0.01
# What `random.randint` gives to Keras's initializers that have no seed.
_LARGEST_SEED: Final = 10**9
# "scaled": a block's sum of a skip (no activation before it) and a main branch (half of
# whose inputs a ReLU made 0) then keeps the variance where it is, some 0.5 to 1.
_WEIGHT_SCALE: Final = 0.5


@keras.saving.register_keras_serializable("human_pose")
class Convolution(keras.layers.Conv2D):
    """A convolution with bias, arranged for oneDNN's gradients on CPUs.

    Behind `tf.nn.conv2d`, TensorFlow fuses the gradients of `tf.nn.bias_add` and of the
    filter into one kernel of up to twice the time of both; a sum's is left alone. A 1x1
    convolution is a matrix product, whose gradients are faster.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """`[B, H, W, C]` to `[B, H', W', filters]`."""
        if self.kernel_size == (1, 1) and self.strides == (1, 1):
            return self._products(inputs)
        if distribution.in_parts():
            return self._of_any(inputs) + self.bias
        return self.convolution_op(inputs, self.kernel) + self.bias

    def _of_any(self, inputs: Tensor) -> Tensor:
        """The convolution, also where a replica has no sample."""
        # OneDNN then gives its input back, which has another shape.
        kernel = self.kernel
        shape = self.compute_output_shape(inputs.shape)
        outputs = tf.cond(
            tf.shape(inputs)[0] > 0,
            lambda: self.convolution_op(inputs, kernel),
            lambda: tf.zeros([0, *shape[1:]], inputs.dtype),
        )
        return tf.ensure_shape(outputs, shape)

    def _products(self, x: Tensor) -> Tensor:
        _, height, width, channels = x.shape
        kernel = tf.squeeze(self.kernel, [0, 1])
        rows = tf.matmul(tf.reshape(x, [-1, channels]), kernel)
        rows = tf.nn.bias_add(rows, self.bias)
        return tf.reshape(rows, [-1, height, width, self.filters])


@keras.saving.register_keras_serializable("human_pose")
class BilinearUpsampling(keras.layers.Layer):
    """Doubles rows and columns by Caffe's fixed deconvolution, 4 taps, stride 2.

    Outside the map there are zeros and the taps are not normalised at the border, so
    that border rows and columns get 3/4 of their value: `tf.image.resize` differs.
    """

    def call(self, inputs: Tensor) -> Tensor:
        """`[B, H, W, C]` to `[B, 2H, 2W, C]`."""
        return _doubled(_doubled(inputs, axis=1), axis=2)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Twice the rows and columns."""
        batch, height, width, channels = input_shape
        return (batch, height and 2 * height, width and 2 * width, channels)


class Blocks:
    """Makes layers and joins them.

    Nothing is left to Keras's global settings: neither the precision nor the order of
    axes, which a user's `keras.json` can change.

    Args:
      unit: channels per unit, 64 in the published network.
      batch_norm: see `ScaledBatchNormalization`.
      initializer: of weights: "published" is N(0, 0.01²), which needs a network trained
        before to learn from; "scaled" has a variance of 0.5 over the inputs.
      dtype: what layers compute in, a Keras policy's name.
      seed: of all weights, which are then those that `keras.utils.set_random_seed`
        would give, and leave the global state alone; None draws by that.
    """

    def __init__(
        self,
        unit: int,
        batch_norm: BatchNorm,
        initializer: Initializer = "published",
        *,
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        self._unit = unit
        self._batch_norm = batch_norm
        self._initializer = initializer
        self._dtype = dtype
        self._random = None if seed is None else random.Random(seed)

    def convolution(
        self,
        x: Tensor,
        name: str,
        channels: int,
        size: int = 1,
        *,
        strides: int = 1,
        padding: str = "same",
        std: float | None = None,
    ) -> Tensor:
        """A convolution with bias; weights N(0, std²), if `std` is given."""
        return Convolution(
            channels,
            size,
            strides=strides,
            padding=padding,
            data_format="channels_last",
            kernel_initializer=self._weights(std),
            name=name,
            dtype=self._dtype,
        )(x)

    def _weights(self, std: float | None) -> keras.initializers.Initializer:
        seed = self._random and self._random.randint(1, _LARGEST_SEED)
        if std is None and self._initializer == "scaled":
            return keras.initializers.VarianceScaling(_WEIGHT_SCALE, seed=seed)
        return keras.initializers.RandomNormal(0.0, std or _WEIGHT_STD, seed=seed)

    def normalized(self, x: Tensor, name: str) -> Tensor:
        """Batch normalisation with scale and offset."""
        return ScaledBatchNormalization(self._batch_norm, name=name, dtype=self._dtype)(
            x
        )

    def rectified(self, x: Tensor, name: str) -> Tensor:
        """ReLU."""
        return keras.layers.ReLU(name=name, dtype=self._dtype)(x)

    def padded(self, x: Tensor, name: str, border: int) -> Tensor:
        """Zeros on all sides."""
        return keras.layers.ZeroPadding2D(
            border, data_format="channels_last", name=name, dtype=self._dtype
        )(x)

    def pooled(self, x: Tensor, name: str) -> Tensor:
        """The highest of every 2x2."""
        return keras.layers.MaxPooling2D(
            data_format="channels_last", name=name, dtype=self._dtype
        )(x)

    def doubled(self, x: Tensor, name: str) -> Tensor:
        """Twice the rows and columns."""
        return BilinearUpsampling(name=name, dtype=self._dtype)(x)

    def added(self, tensors: Sequence[Tensor], name: str) -> Tensor:
        """Their sum."""
        return keras.layers.Add(name=name, dtype=self._dtype)(tensors)

    def concatenated(self, tensors: Sequence[Tensor], name: str) -> Tensor:
        """The channels of all."""
        return keras.layers.Concatenate(name=name, dtype=self._dtype)(tensors)

    def activated(
        self, x: Tensor, prefix: str, number: int, units: int, size: int
    ) -> Tensor:
        """Normalisation, ReLU, and the convolution behind them."""
        x = self.normalized(x, f"{prefix}_bn{number}")
        x = self.rectified(x, f"{prefix}_relu{number}")
        return self.convolution(x, f"{prefix}_conv{number}", units * self._unit, size)

    def bottleneck(self, x: Tensor, name: str, middle: int, out: int) -> Tensor:
        """Residual block of units `middle` and `out`; its skip is always projected."""
        main = f"{name}_branch1"
        y = self.activated(x, main, 1, middle, size=1)
        y = self.activated(y, main, 2, middle, size=3)
        y = self.activated(y, main, 3, out, size=1)
        return self._with_skip(x, y, name, out)

    def inception(self, x: Tensor, name: str, middle: int) -> Tensor:
        """Residual block of two branches, reaching 3x3 and 5x5; twice `middle` out."""
        main = f"{name}_branch1"
        near = self.activated(x, f"{main}_sub2", 1, middle, size=1)
        near = self.activated(near, f"{main}_sub2", 2, middle, size=3)
        far = self.activated(x, f"{main}_sub1", 1, middle, size=1)
        far = self.activated(far, f"{main}_sub1", 2, middle, size=3)
        far = self.activated(far, f"{main}_sub1", 3, middle, size=3)
        y = self.concatenated([far, near], f"{main}_concat")
        y = self.convolution(y, f"{main}_conv_linear", 2 * middle * self._unit)
        y = self.normalized(y, f"{main}_linear_batch")
        return self._with_skip(x, y, name, 2 * middle)

    def _with_skip(self, x: Tensor, y: Tensor, name: str, out: int) -> Tensor:
        skip = self.convolution(x, f"{name}_branch2_conv", out * self._unit)
        return self.added([y, skip], name)


def _doubled(x: Tensor, axis: int) -> Tensor:
    """Taps 1/4, 3/4, 3/4, 1/4 along one axis, by shifts: no convolution is faster."""
    size = x.shape[axis]
    zero = tf.zeros_like(tf.gather(x, [0], axis=axis))
    inner = tf.split(x, [1, size - 1], axis=axis), tf.split(x, [size - 1, 1], axis=axis)
    before = tf.concat([zero, inner[1][0]], axis=axis)
    after = tf.concat([inner[0][1], zero], axis=axis)
    near = 0.75 * x
    both = tf.stack([near + 0.25 * before, near + 0.25 * after], axis=axis + 1)
    shape = list(x.shape)
    shape[axis] = 2 * size
    return tf.reshape(both, [-1, *shape[1:]])
