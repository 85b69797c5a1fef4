"""An energy with its derivatives in x, over flat vectors `[*batch, n]`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from wiberg_tf._box import Box
from wiberg_tf._nest import Packing

Energy = Callable[..., tf.Tensor]

# Of a Hessian, in graphs.
_ROWS_AT_ONCE = 32


def round_off(dtype: tf.DType) -> float:
    """The spacing of the numbers of `dtype` at 1."""
    return float(np.finfo(dtype.as_numpy_dtype).eps)


def call_energy(energy: Energy, x: Any, parameters: Any) -> tf.Tensor:
    """`energy(x, *parameters)`, or `energy(x, **parameters)` for a dict."""
    if isinstance(parameters, dict):
        return energy(x, **parameters)
    return energy(x, *parameters)


class Problem:
    """Independent problems min E(x; θ) that share one energy function.

    What `argmin` hands to the steps of a `Solver`: whatever nest the energy takes, x is
    here one vector per problem, `[*batch, n]`, float32 or float64; so are gradients.

    Args:
      energy: `energy(x, *parameters) -> [*batch]`.
      packing: how x is packed into vectors.
      parameters: the nest θ.
      box: bounds of x, if there are any.
    """

    def __init__(
        self,
        energy: Energy,
        packing: Packing,
        parameters: Any,
        box: Box | None = None,
    ):
        self.energy = energy
        self.packing = packing
        self.parameters = parameters
        self.box = box

    def value(self, x: tf.Tensor) -> tf.Tensor:
        """E, `[*batch]`."""
        energy = call_energy(self.energy, self.packing.unpack(x), self.parameters)
        if energy is None:
            raise ValueError("`energy` must return a tensor; received None")
        energy = tf.convert_to_tensor(energy, self.packing.dtype)
        if not energy.shape.is_compatible_with(x.shape[:-1]):
            raise ValueError(
                "`energy` must return one value per problem, shape "
                f"{x.shape[:-1]}; received shape {energy.shape}"
            )
        if energy.shape.is_fully_defined():
            return energy
        return tf.ensure_shape(energy, x.shape[:-1])

    def value_and_gradient(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """E `[*batch]` and ∂E/∂x `[*batch, n]`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = self.value(x)
        gradient = tape.gradient(value, x)
        if gradient is None:
            raise ValueError("`energy` does not depend on x: it has no gradient")
        return value, gradient

    def project(self, x: tf.Tensor) -> tf.Tensor:
        """The nearest x within the bounds."""
        return x if self.box is None else self.box.project(x)

    def free(self, vector: tf.Tensor) -> tf.Tensor:
        """The part of `[*batch, n]` along the unknowns that count: all of it."""
        return vector

    def value_and_free_gradient(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """E and ∂E/∂x, which is 0 for unknowns that a bound keeps from descending."""
        value, gradient = self.value_and_gradient(x)
        if self.box is None:
            return value, gradient
        held = self.box.held(x, gradient)
        return value, tf.where(held, tf.zeros_like(gradient), gradient)

    def hessian(self, x: tf.Tensor) -> tf.Tensor:
        """∂²E/∂x², `[*batch, n, n]`, symmetrised.

        One Hessian-vector product per unknown, so that batches of problems whose
        energies are written in any way (gathers, segment sums) are differentiated
        without mixing problems.
        """
        if self.packing.size == 1:
            return self.hessian_product(x, tf.ones_like(x))[..., None]
        # At once they are faster, but need their memory at once, and eagerly every
        # call would trace them anew.
        at_once = self.packing.size <= _ROWS_AT_ONCE and not tf.executing_eagerly()
        rows = (tf.vectorized_map if at_once else tf.map_fn)(
            lambda direction: self.hessian_product(
                x, tf.broadcast_to(direction, tf.shape(x))
            ),
            tf.eye(self.packing.size, dtype=x.dtype),
        )
        rank = x.shape.rank
        hessian = tf.transpose(rows, [*range(1, rank), 0, rank])
        return 0.5 * (hessian + tf.linalg.matrix_transpose(hessian))

    def hessian_product(self, x: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """(∂²E/∂x²) d for d `[*batch, n]`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            _, gradient = self.value_and_gradient(x)
        product = tape.gradient(gradient, x, output_gradients=direction)
        # An energy that is linear in x has no second derivative at all.
        return tf.zeros_like(x) if product is None else product
