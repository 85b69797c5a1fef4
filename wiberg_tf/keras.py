"""A Keras layer whose output is a minimiser. The only module that needs Keras."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import wiberg_tf as wt
from wiberg_tf._as_written import as_written


@keras.saving.register_keras_serializable("wiberg_tf")
class ArgMin(keras.layers.Layer):
    """Minimises an energy for each example, and passes gradients through.

    Minimising is done in `solver_dtype`, whatever the model's: float32 cannot tell a
    minimum from its surroundings well. Inputs are cast to it, the output to the
    layer's own dtype.

    Args:
      energy: `energy(x, inputs, **weights)` -> `[batch]`, with x `[batch, *shape]`. To
        save the model, register it with `keras.saving.register_keras_serializable`.
      shape: the shape of one example's unknowns x.
      weights: initial values of the energy's trainable parameters, by name: numbers,
        nested lists or arrays.
      initial: where x starts: a number, a nested list or an array that broadcasts to
        `shape`.
      bounds: (lower, upper) for x, each like `initial`, or None; see `argmin`.
      equality: (A, b), arrays of numbers, for A x = b, or None; see `argmin`. Then
        `shape` must be `(n,)`.
      solver: a `wt.Solver`; `wt.Newton()` if left out.
      derivative: a `wt.Derivative`; `wt.TrustRegion(0.1)` if left out, as a network in
        training must survive flat minima.
      solver_dtype: "float64" or "float32".
      **kwargs: of `keras.layers.Layer`.

    Call arguments:
      inputs: a tensor `[batch, ...]` or a nest of them. Gradients flow to the floating
        ones.

    Raises:
      TypeError: for `weights` that are no dict.
      ValueError: for inputs without a batch axis, or of different batch sizes (in
        graphs of unknown sizes `tf.errors.InvalidArgumentError` when they run); for
        `bounds` or an `equality` that are no pair.
    """

    def __init__(
        self,
        energy: Callable[..., tf.Tensor],
        shape: tuple[int, ...],
        *,
        weights: dict[str, Any] | None = None,
        initial: Any = 0.0,
        bounds: tuple[Any, Any] | None = None,
        equality: tuple[Any, Any] | None = None,
        solver: wt.Solver | None = None,
        derivative: wt.Derivative | None = None,
        solver_dtype: str = "float64",
        **kwargs: Any,
    ):
        # Keras would cast inputs to the layer's dtype before the layer sees them.
        super().__init__(autocast=False, **kwargs)
        if not isinstance(weights, dict | None):
            raise TypeError(
                "`weights` must be a dict of initial values by name, or None; received "
                f"{weights!r}"
            )
        self.energy = energy
        self.shape = tuple(shape)
        self.initial_weights = {
            name: _plain(value) for name, value in (weights or {}).items()
        }
        self.initial = _plain(initial)
        self.bounds = _pair("bounds", "lower, upper", bounds)
        self.equality = _pair("equality", "A, b", equality)
        self.solver = wt.Newton() if solver is None else solver
        self.derivative = wt.TrustRegion(0.1) if derivative is None else derivative
        self.solver_dtype = solver_dtype
        self.energy_weights = {
            name: self.add_weight(
                shape=np.shape(value),
                initializer=lambda shape, dtype, value=value: tf.constant(value, dtype),
                name=name,
            )
            for name, value in self.initial_weights.items()
        }
        self.built = True

    def call(self, inputs: Any) -> tf.Tensor:
        """The minimisers, `[batch, *shape]`."""
        return tf.cast(self.solve(inputs).value, self.compute_dtype)

    def solve(self, inputs: Any) -> wt.Solution:
        """The whole solution, with the status of each example."""
        batch = _batch_size(tf.nest.flatten(inputs))
        start = tf.constant(self.initial, self.solver_dtype)
        weights = {
            name: self._cast(weight) for name, weight in self.energy_weights.items()
        }
        return wt.argmin(
            lambda x, inputs, weights: as_written(self.energy)(x, inputs, **weights),
            tf.broadcast_to(start, [batch, *self.shape]),
            (tf.nest.map_structure(self._cast, inputs), weights),
            solver=self.solver,
            derivative=self.derivative,
            batch_dims=1,
            bounds=self.bounds,
            equality=self.equality,
        )

    def _cast(self, entry: Any) -> tf.Tensor:
        entry = tf.convert_to_tensor(entry)
        floating = entry.dtype.is_floating
        return tf.cast(entry, self.solver_dtype) if floating else entry

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """`[batch, *shape]`."""
        shape = input_shape
        # Of a nest of shapes any says how large the batch is.
        while isinstance(shape, dict) or not isinstance(shape[0], int | None):
            shape = next(iter(shape.values())) if isinstance(shape, dict) else shape[0]
        return (shape[0], *self.shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            **super().get_config(),
            "energy": keras.saving.serialize_keras_object(self.energy),
            "shape": list(self.shape),
            "weights": self.initial_weights,
            "initial": self.initial,
            "bounds": self.bounds,
            "equality": self.equality,
            "solver": _describe(self.solver),
            "derivative": _describe(self.derivative),
            "solver_dtype": self.solver_dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ArgMin":
        """The layer of a config."""
        config = dict(config)
        energy = keras.saving.deserialize_keras_object(config.pop("energy"))
        solver, derivative = config.pop("solver"), config.pop("derivative")
        return cls(
            energy,
            solver=_restore(solver),
            derivative=_restore(derivative),
            **config,
        )


def _plain(value: Any) -> Any:
    """Numbers as a config can hold them: arrays as nested lists."""
    return np.asarray(value).tolist()


def _pair(name: str, entries: str, pair: Any) -> tuple[Any, Any] | None:
    if pair is None:
        return None
    # A list comes from a saved config.
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"`{name}` must be a tuple ({entries}); received {pair!r}")
    return _plain(pair[0]), _plain(pair[1])


def _batch_size(entries: list[Any]) -> tf.Tensor:
    """How many examples all inputs have."""
    tensors = [tf.convert_to_tensor(entry) for entry in entries]
    shapes = [tensor.shape for tensor in tensors]
    if any(shape.rank == 0 for shape in shapes):
        raise ValueError(f"`inputs` must have a batch axis; received shapes {shapes}")
    known = {shape[0] for shape in shapes if shape.rank} - {None}
    message = "`inputs` must be of one batch size"
    if len(known) > 1:
        raise ValueError(f"{message}; received shapes {shapes}")
    sizes = tf.stack([tf.shape(tensor)[0] for tensor in tensors])
    if len(known) == 1 and all(shape.rank and shape[0] for shape in shapes):
        return sizes[0]
    with tf.control_dependencies(
        [tf.debugging.assert_equal(sizes, sizes[0], f"{message}.")]
    ):
        return tf.identity(sizes[0])


def _describe(rule: Any) -> dict[str, Any]:
    """A solver or derivative of the library as plain data."""
    if not _is_ours(rule):
        raise ValueError(
            "to save the layer, `solver` and `derivative` must be the library's own; "
            f"received {rule!r}"
        )
    name, fields = type(rule).__name__, {}
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if _is_ours(value):  # Such as a linear solver.
            value = _describe(value)
        elif not isinstance(value, int | float | str | None):
            raise ValueError(
                f"to save the layer, `{field.name}` of {name} must be a number, a name "
                f"or the library's own; received {value!r}"
            )
        fields[field.name] = value
    return {"name": name, "fields": fields}


def _is_ours(value: Any) -> bool:
    named = getattr(wt, type(value).__name__, None) is type(value)
    return named and dataclasses.is_dataclass(value)


def _restore(described: dict[str, Any]) -> Any:
    fields = {
        name: _restore(value) if isinstance(value, dict) else value
        for name, value in described["fields"].items()
    }
    return getattr(wt, described["name"])(**fields)
