"""A system of equations with its derivatives in x, over flat vectors `[*batch, n]`."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wiberg_tf._nest import Packing, entry_names

Function = Callable[..., Any]


class Equations:
    """Independent systems F(x; θ) = 0, as many equations as unknowns.

    What `root` hands to the steps of a solver, as `Problem` is for `argmin`.

    Args:
      function: `function(x, *parameters)`, or with `**parameters` for a dict: a nest
        like x.
      packing: how x is packed into vectors.
      parameters: the nest θ.
      minus_x: whether F is `function` less x, whose roots are fixed points.
    """

    def __init__(
        self,
        function: Function,
        packing: Packing,
        parameters: Any,
        minus_x: bool = False,
    ):
        self.function = function
        self.packing = packing
        self.parameters = parameters
        self.minus_x = minus_x

    def residual(self, x: tf.Tensor) -> tf.Tensor:
        """F, `[*batch, n]`.

        Raises:
          ValueError: if the function returns anything else than the like of x.
        """
        unknowns = self.packing.unpack(x)
        packed = self.packing.pack(_like(unknowns, self.call(unknowns)))
        packed.set_shape(x.shape)
        return packed - x if self.minus_x else packed

    def call(self, x: Any) -> Any:
        """The function of a nest x, with its parameters filled in."""
        if isinstance(self.parameters, dict):
            return self.function(x, **self.parameters)
        return self.function(x, *self.parameters)

    def transposed_product(self, x: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x)ᵀ v, `[*batch, n]`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            residual = self.residual(x)
        return tape.gradient(residual, x, v, tf.UnconnectedGradients.ZERO)

    def product(self, x: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x) d, `[*batch, n]`: the derivative of the product above in its v.

        TensorFlow's own forward mode lacks some operations in graphs.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            v = tf.zeros_like(x)
            tape.watch(v)
            pulled = self.transposed_product(x, v)
        return tape.gradient(pulled, v, direction, tf.UnconnectedGradients.ZERO)

    def jacobian(self, x: tf.Tensor) -> tf.Tensor:
        """∂F/∂x, `[*batch, n, n]`, one transposed product per equation."""
        rows = tf.map_fn(
            lambda row: self.transposed_product(x, tf.broadcast_to(row, tf.shape(x))),
            tf.eye(self.packing.size, dtype=x.dtype),
        )
        return tf.transpose(
            rows, [*range(1, rows.shape.rank - 1), 0, rows.shape.rank - 1]
        )


class Linearised(Equations):
    """The equations at one point, recorded: what a derivative needs of them.

    Methods take no other x, and never call the function.

    Args:
      equations: whose parameters no tape reaches.
      tape: persistent, of the evaluation.
      value: F, `[*batch, n]`.
    """

    def __init__(self, equations: Equations, tape: tf.GradientTape, value: tf.Tensor):
        super().__init__(
            equations.function,
            equations.packing,
            equations.parameters,
            equations.minus_x,
        )
        self.value = value
        self._tape = tape

    def transposed_product(self, x: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x)ᵀ v, of what was recorded."""
        return self._tape.gradient(self.value, x, v, tf.UnconnectedGradients.ZERO)

    def pull_back(self, v: tf.Tensor) -> list[tf.Tensor]:
        """−(∂F/∂θ)ᵀ v, an entry for each parameter; 0 for one that is not floating.

        Raises:
          ValueError: for a parameter that the function does not use.
        """
        flat = tf.nest.flatten(self.parameters)
        floating = [entry for entry in flat if entry.dtype.is_floating]
        pulled = iter(self._tape.gradient(self.value, floating, -v))
        names = entry_names(self.parameters, "parameters")
        gradients = []
        for name, entry in zip(names, flat, strict=True):
            gradient = next(pulled) if entry.dtype.is_floating else tf.zeros_like(entry)
            if gradient is None:
                raise ValueError(
                    f"`function` does not use `{name}`, so the root has no derivative "
                    "with respect to it; leave it out of `parameters`"
                )
            # A gather in the function gives IndexedSlices.
            gradients.append(tf.convert_to_tensor(gradient))
        return gradients


def linearise(equations: Equations, x: tf.Tensor) -> Linearised:
    """The equations at x `[*batch, n]`; calls the function once.

    What it captures may change before the backward pass; tapes around record how the
    value depends on that.
    """
    flat = tf.nest.flatten(equations.parameters)
    # Not in a constructor, into which AutoGraph does not look.
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch([x, *[entry for entry in flat if entry.dtype.is_floating]])
        value = equations.residual(x)
    return Linearised(equations, tape, value)


def _like(unknowns: Any, value: Any) -> Any:
    """The function's value as tensors like x."""
    try:
        tf.nest.assert_same_structure(unknowns, value)
    except (TypeError, ValueError):
        raise ValueError(
            "`function` must return a nest like x; received "
            f"{tf.nest.map_structure(lambda _: '.', value)}"
        ) from None
    names = entry_names(unknowns, "x")

    def convert(name: str, like: tf.Tensor, entry: Any) -> tf.Tensor:
        entry = tf.convert_to_tensor(entry, dtype_hint=like.dtype)
        if entry.dtype != like.dtype or not entry.shape.is_compatible_with(like.shape):
            raise ValueError(
                f"`function` must return values like `{name}`, {like.dtype.name} of "
                f"shape {like.shape}; received {entry.dtype.name} of shape "
                f"{entry.shape}"
            )
        return entry

    entries = map(convert, names, tf.nest.flatten(unknowns), tf.nest.flatten(value))
    return tf.nest.pack_sequence_as(unknowns, list(entries))
