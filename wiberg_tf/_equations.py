"""A system of equations with its derivatives in x, over flat vectors `[*batch, n]`."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wiberg_tf._linearised import filled, floating_of, refuse_unused, spread
from wiberg_tf._nest import Packing, as_like, entry_names
from wiberg_tf._operations import captured, count_operations
from wiberg_tf._problem import call_energy, like
from wiberg_tf._python_calls import refuse_python

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
        self._looked = False

    def residual(self, x: tf.Tensor) -> tf.Tensor:
        """F, `[*batch, n]`.

        Raises:
          ValueError: if the function returns anything else than the like of x.
        """
        before = count_operations()
        unknowns = self.packing.unpack(x)
        packed = self.packing.pack(_like(unknowns, self.call(unknowns)))
        packed.set_shape(x.shape)
        if not self._looked:
            self._looked = True
            sources = [x, *tf.nest.flatten(self.parameters)]
            refuse_python(before, sources, [packed], "function", order=1)
        return packed - x if self.minus_x else packed

    def call(self, x: Any) -> Any:
        """The function of a nest x, with its parameters filled in."""
        return call_energy(self.function, x, self.parameters)

    def transposed_product(self, x: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x)ᵀ v, `[*batch, n]`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            residual = self.residual(x)
        pulled = tape.gradient(residual, x, v, tf.UnconnectedGradients.ZERO)
        return like(x, pulled)

    def product(self, x: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x) d, `[*batch, n]`: the derivative of the product above in its v.

        TensorFlow's own forward mode lacks some operations in graphs.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            v = tf.zeros_like(x)
            tape.watch(v)
            pulled = self.transposed_product(x, v)
        pushed = tape.gradient(pulled, v, direction, tf.UnconnectedGradients.ZERO)
        return like(x, pushed)

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
      x: where, `[*batch, n]`.
      again: persistent, of the evaluation with `tape`; see
        `wiberg_tf._second_order.Beside`.
      tape: persistent, of the evaluation.
      value: F, `[*batch, n]`.
      elsewhere: tensors that the function captures; None if nobody knows.
    """

    def __init__(
        self,
        equations: Equations,
        x: tf.Tensor,
        again: tf.GradientTape,
        tape: tf.GradientTape,
        value: tf.Tensor,
        elsewhere: list[tf.Tensor] | None,
    ):
        super().__init__(
            equations.function,
            equations.packing,
            equations.parameters,
            equations.minus_x,
        )
        self.value = value
        self.elsewhere = elsewhere
        # Whether tapes may know F as a function of anything.
        self.captures = elsewhere is None or bool(elsewhere)
        self.point = x
        self.again = again
        self._tape = tape
        self.floating = floating_of(tf.nest.flatten(equations.parameters))

    @property
    def beside(self) -> "Linearised":
        """The record for what is differentiated once more."""
        return self

    def transposed_product(self, x: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x)ᵀ v, of what was recorded."""
        pulled = self._tape.gradient(self.value, x, v, tf.UnconnectedGradients.ZERO)
        return like(x, pulled)

    def adjoint_product(self, v: tf.Tensor) -> tf.Tensor:
        """(∂F/∂x)ᵀ v, `[*batch, n]`."""
        return self.transposed_product(self.point, v)

    def pull_floating(self, v: tf.Tensor) -> list[tf.Tensor]:
        """−(∂F/∂θ)ᵀ v, for each floating parameter.

        Raises:
          ValueError: for a parameter that the function does not use.
        """
        gradients = self._tape.gradient(self.value, self.floating, -v)
        if any(gradient is None for gradient in gradients):
            flat = tf.nest.flatten(self.parameters)
            refuse_unused(spread(gradients, flat), self.parameters, "function", "root")
        return filled(gradients, self.floating)


def linearise(equations: Equations, x: tf.Tensor) -> Linearised:
    """The equations at x `[*batch, n]`; calls the function once.

    What it captures may change before the backward pass; tapes around record how the
    value depends on that.
    """
    flat = tf.nest.flatten(equations.parameters)
    leaves = [x, *floating_of(flat)]
    before = count_operations()
    # Not in a constructor, into which AutoGraph does not look.
    with (
        tf.GradientTape(persistent=True, watch_accessed_variables=False) as again,
        tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape,
    ):
        again.watch(leaves)
        tape.watch(leaves)
        value = equations.residual(x)
    refuse_python(before, [x, *flat], [value], "function", order=2)
    elsewhere = captured(before, [x, *flat])
    return Linearised(equations, x, again, tape, value, elsewhere)


def _like(unknowns: Any, value: Any) -> Any:
    """The function's value as tensors like x."""
    try:
        tf.nest.assert_same_structure(unknowns, value)
    except (TypeError, ValueError):
        raise ValueError(
            "`function` must return a nest like x; received "
            f"{tf.nest.map_structure(lambda _: '.', value)}; for (value, aux) say "
            "has_aux=True"
        ) from None
    return as_like(unknowns, value, "function", entry_names(unknowns, "x"))
