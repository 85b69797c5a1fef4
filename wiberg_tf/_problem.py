"""An energy with its derivatives in x, over flat vectors `[*batch, n]`."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._autodiff import refuse_without_tapes
from wiberg_tf._box import Box
from wiberg_tf._nest import Packing, with_none
from wiberg_tf._operations import count_operations, is_plain
from wiberg_tf._python_calls import refuse_python

Energy = Callable[..., tf.Tensor]

# Of a Hessian, in graphs.
_ROWS_AT_ONCE = 32
# Eagerly, from where on a trace pays within a few evaluations, often within one.
_TRACED_FROM = 24


def round_off(dtype: tf.DType) -> float:
    """The spacing of the numbers of `dtype` at 1."""
    return float(np.finfo(dtype.as_numpy_dtype).eps)


def refuse_nest(value: Any, name: str) -> None:
    """Refuses tuples and other nests, which TensorFlow might stack to a tensor.

    Raises:
      ValueError: for one.
    """
    if tf.nest.is_nested(value):
        raise ValueError(
            f"`{name}` must return a tensor; received a {type(value).__name__}; for "
            f"({name}, aux) say has_aux=True"
        )


def call_energy(energy: Energy, x: Any, parameters: Any) -> tf.Tensor:
    """`energy(x, *parameters)`, or `energy(x, **parameters)` for a dict."""
    parameters = with_none(parameters)
    energy = as_written(energy)
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
      unrolled: whether what is made of it is differentiated, Hessians too.
    """

    def __init__(
        self,
        energy: Energy,
        packing: Packing,
        parameters: Any,
        box: Box | None = None,
        unrolled: bool = False,
    ):
        self.energy = energy
        self.packing = packing
        self.parameters = parameters
        self.box = box
        self.unrolled = unrolled
        # Tensors that do not change from step to step.
        self.kept: dict[str, tf.Tensor] = {}
        self._traced: dict[str, Any] = {}
        # Orders of derivatives for which the energy has been looked at.
        self._looked = set[int]()

    def value(self, x: tf.Tensor) -> tf.Tensor:
        """E, `[*batch]`."""
        energy = call_energy(self.energy, self.packing.unpack(x), self.parameters)
        if energy is None:
            raise ValueError("`energy` must return a tensor; received None")
        refuse_nest(energy, "energy")
        dtype = self.packing.dtype
        energy = tf.convert_to_tensor(energy, dtype_hint=dtype)
        if energy.dtype != dtype:
            raise ValueError(
                f"`energy` must return {dtype.name}, as `initial` is; received "
                f"{energy.dtype.name}"
            )
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
        before = count_operations()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            value = self.value(x)
        gradient = tape.gradient(value, x)
        if gradient is None:
            refuse_without_tapes("energy")
            self._refuse_python(before, x, [value], 1)
            raise ValueError("`energy` does not depend on x: it has no gradient")
        self._refuse_python(before, x, [value], 1)
        return value, like(x, gradient)

    def project(self, x: tf.Tensor) -> tf.Tensor:
        """The nearest x within the bounds."""
        return x if self.box is None else self.box.project(x)

    def free(self, vector: tf.Tensor) -> tf.Tensor:
        """The part of `[*batch, n]` along the unknowns that count: all of it."""
        return vector

    def value_and_free_gradient(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """E and ∂E/∂x, which is 0 for unknowns that a bound keeps from descending."""
        value, gradient = self.value_and_gradient(x)
        return value, self.free_gradient(x, gradient)

    def free_gradient(self, x: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """The gradient, 0 for unknowns that a bound keeps from descending."""
        if self.box is None:
            return gradient
        held = self.box.held(x, gradient)
        return tf.where(held, tf.zeros_like(gradient), gradient)

    def hessian(self, x: tf.Tensor) -> tf.Tensor:
        """∂²E/∂x², `[*batch, n, n]`, symmetrised.

        One Hessian-vector product per unknown, so that batches of problems whose
        energies are written in any way (gathers, segment sums) are differentiated
        without mixing problems.
        """
        return self.traced("hessian", self._row_by_row, x)

    def traced(
        self, name: str, function: Callable[[tf.Tensor], Any], x: tf.Tensor
    ) -> Any:
        """`function(x)`, which eagerly is traced for many unknowns, once for all x.

        Eager operations cost much more than those of a graph, and a derivative by each
        unknown takes many. An energy that cannot be traced, as one that asks for
        numbers, is evaluated eagerly.

        Args:
          name: of the function.
          function: of x and this problem alone.
          x: `[*batch, n]`.
        """
        if not tf.executing_eagerly() or self.packing.size < _TRACED_FROM:
            return function(x)
        if name not in self._traced:
            self._traced[name] = tf.function(function, autograph=False)
        if self._traced[name] is not None:
            try:
                return self._traced[name](x)
            except Exception:
                # Whatever an energy raises in a graph; eagerly it says what is wrong.
                self._traced[name] = None
        return function(x)

    def _row_by_row(self, x: tf.Tensor) -> tf.Tensor:
        product, plain = self.record(x)
        if self.packing.size == 1:
            return product(tf.ones_like(x))[..., None]
        rows = each_direction(
            lambda direction: product(tf.broadcast_to(direction, tf.shape(x))), x, plain
        )
        rank = x.shape.rank
        hessian = tf.transpose(rows, [*range(1, rank), 0, rank])
        return 0.5 * (hessian + tf.linalg.matrix_transpose(hessian))

    def hessian_product(self, x: tf.Tensor, direction: tf.Tensor) -> tf.Tensor:
        """(∂²E/∂x²) d for d `[*batch, n]`."""
        product, _ = self.record(x)
        return product(direction)

    def record(self, x: tf.Tensor) -> tuple[Callable[[tf.Tensor], tf.Tensor], bool]:
        """Hessian-vector products at x, of one evaluation of the energy.

        Returns:
          `product(direction)`, and whether it is in a graph and has no control flow.
        """
        if self.unrolled:
            x = slightly_beside(x)
        before = count_operations()
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(x)
            value, gradient = self.value_and_gradient(x)
        self._refuse_python(before, x, [value, gradient], 2)
        return curvature(tape, gradient, x), is_plain(before)

    def _refuse_python(
        self, before: int, x: tf.Tensor, targets: list[tf.Tensor], order: int
    ) -> None:
        """Looks once for each order; see `refuse_python`."""
        if order not in self._looked:
            self._looked.add(order)
            sources = [x, *tf.nest.flatten(self.parameters)]
            refuse_python(before, sources, targets, "energy", order)


def slightly_beside(x: tf.Tensor) -> tf.Tensor:
    """X by some units in the last place away, for third derivatives of an energy.

    TensorFlow makes NaN of some where a residual is 0, as of that of `x ** 2`.
    Residuals may be differences of unknowns, so each goes another way; and sums with
    larger numbers than x, so that these units are those of 1, unless x is so much
    smaller that it would be another x.
    """
    still = tf.stop_gradient(x)
    size, epsilon = tf.abs(still), round_off(x.dtype)
    far = tf.cast(4.0, x.dtype)
    if x.shape[-1] > 1:
        far = tf.random.stateless_uniform(x.shape[-1:], [20, 19], 4, 20, x.dtype)
    largest = tf.reduce_max(size, -1, keepdims=True)
    small = epsilon ** (-1 / 3) * tf.where(size > 0, size, largest)
    unit = tf.where(small > 0, tf.minimum(small, 1), 1)
    return x + far * epsilon * (unit + size)


def each_direction(
    product: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, plain: bool
) -> tf.Tensor:
    """The products with each row of the identity, stacked.

    At once they are faster, but need their memory at once, and eagerly every call would
    trace them anew; nor can TensorFlow vectorise control flow.

    Args:
      product: of a vector `[n]`.
      x: `[*batch, n]`.
      plain: whether `product` is in a graph and has no control flow.
    """
    size = x.shape[-1]
    at_once = plain and size <= _ROWS_AT_ONCE
    eye = tf.eye(size, dtype=x.dtype)
    return (tf.vectorized_map if at_once else tf.map_fn)(product, eye)


def like(x: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """A derivative by x, which loops may carry: its shape is known to be that of x."""
    if not tf.executing_eagerly():
        # Gradients through a nest forget sizes; `tf.ensure_shape` has no forward mode.
        found.set_shape(x.shape)
    return found


def curvature(
    tape: tf.GradientTape, gradient: tf.Tensor, x: tf.Tensor
) -> Callable[[tf.Tensor], tf.Tensor]:
    """The products of the Hessian of which a persistent tape has the gradient."""

    def product(direction: tf.Tensor) -> tf.Tensor:
        found = tape.gradient(gradient, x, output_gradients=direction)
        # An energy that is linear in x has no second derivative at all.
        return tf.zeros_like(x) if found is None else like(x, found)

    return product
