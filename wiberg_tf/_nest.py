"""Nests of tensors as flat vectors, and names for their entries."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf


class Packing:
    """Turns a nest of tensors into vectors `[*batch, n]` and back.

    The solvers see one vector per problem; energies see the caller's nest.

    Args:
      nest: tensors of one floating dtype, each with the batch axes first.
      batch_dims: how many leading axes index independent problems.

    Raises:
      ValueError: for an empty nest or one without numbers, an entry of smaller rank
        than `batch_dims`, an unknown size after the batch axes, or dtypes other than
        one of float32 and float64 (half precision cannot tell a minimum from its
        surroundings).
    """

    def __init__(self, nest: Any, batch_dims: int):
        entries = tf.nest.flatten(nest)
        if not entries:
            raise ValueError("`initial` must hold at least one tensor; received none")
        dtypes = {entry.dtype for entry in entries}
        if len(dtypes) > 1 or not dtypes <= {tf.float32, tf.float64}:
            received = ", ".join(sorted(d.name for d in dtypes))
            raise ValueError(
                f"`initial` must be all float32 or all float64; received {received}"
            )
        for name, entry in zip(entry_names(nest, "initial"), entries, strict=True):
            if entry.shape.rank is None or entry.shape.rank < batch_dims:
                raise ValueError(
                    f"`{name}` must have at least batch_dims={batch_dims} axes; "
                    f"received shape {entry.shape}"
                )
            if not entry.shape[batch_dims:].is_fully_defined():
                raise ValueError(
                    f"`{name}` must have known sizes after its {batch_dims} batch "
                    f"axes; received shape {entry.shape}"
                )
        self._nest = nest
        self._cores = [entry.shape[batch_dims:] for entry in entries]
        self._sizes = [core.num_elements() for core in self._cores]
        self.batch_dims = batch_dims
        self.dtype = entries[0].dtype
        self.size = sum(self._sizes)
        if self.size == 0:
            raise ValueError("`initial` must hold at least one number per problem")

    def pack(self, nest: Any) -> tf.Tensor:
        """The nest as `[*batch, n]`."""
        entries = tf.nest.flatten(nest)
        flat = [
            tf.reshape(entry, tf.concat([self._batch_shape(entry), [size]], 0))
            for entry, size in zip(entries, self._sizes, strict=True)
        ]
        return tf.concat(flat, -1) if len(flat) > 1 else flat[0]

    def unpack(self, vector: tf.Tensor) -> Any:
        """`[*batch, n]` as the nest."""
        batch = self._batch_shape(vector)
        parts = tf.split(vector, self._sizes, -1) if self._sizes[1:] else [vector]
        entries = []
        for part, core in zip(parts, self._cores, strict=True):
            entry = tf.reshape(part, tf.concat([batch, core.as_list()], 0))
            # Not `tf.ensure_shape`, which has no forward mode in graphs.
            entry.set_shape(vector.shape[:-1] + core)
            entries.append(entry)
        return tf.nest.pack_sequence_as(self._nest, entries)

    def _batch_shape(self, tensor: tf.Tensor) -> tf.Tensor:
        return tf.shape(tensor)[: self.batch_dims]


def select(mask: tf.Tensor, yes: Any, no: Any) -> Any:
    """The nest `yes` for problems where the mask is true, `no` for the others.

    Args:
      mask: bool `[*batch]`, or with axes of size 1 after these.
      yes: a nest of tensors `[*batch, ...]`.
      no: a nest like it.
    """

    def choose(yes: tf.Tensor, no: tf.Tensor) -> tf.Tensor:
        missing = max(yes.shape.rank - mask.shape.rank, 0)
        return tf.where(mask[(..., *[tf.newaxis] * missing)], yes, no)

    return tf.nest.map_structure(choose, yes, no)


def as_tensors(nest: Any, root: str, dtype: tf.DType | None = None) -> Any:
    """The nest with tensors for entries; Python floats become `dtype`.

    Raises:
      TypeError: for an entry that is no tensor, such as None or a ragged tensor; it is
        named, beginning with `root`.
    """

    def convert(name: str, entry: Any) -> tf.Tensor:
        refused = tf.RaggedTensor | tf.SparseTensor | tf.IndexedSlices | None
        if isinstance(entry, refused):
            kind = type(entry).__name__
            raise TypeError(f"`{name}` must be a dense tensor; received {kind}")
        # TensorFlow takes a Python float for float32, whatever it meets.
        wanted = dtype if isinstance(entry, float) else None
        try:
            return tf.convert_to_tensor(entry, wanted)
        except (TypeError, ValueError):
            raise TypeError(
                f"`{name}` must be a tensor, or what TensorFlow makes one of; received "
                f"{type(entry).__name__}"
            ) from None

    names = entry_names(nest, root)
    entries = map(convert, names, tf.nest.flatten(nest))
    return tf.nest.pack_sequence_as(nest, list(entries))


class _Nothing(NamedTuple):
    """Stands for None in parameters: a nest without entries, which needs no care."""


def _without_none(nest: Any) -> Any:
    """The nest with a stand-in for each None, where `with_none` can put it back."""

    def replaced(entry: Any) -> Any:
        return _Nothing() if entry is None else entry

    # Containers of a kind that only TensorFlow knows keep their None, an error later.
    swapped = tf.nest.map_structure(replaced, nest)
    back = tf.nest.flatten(with_none(swapped))
    return swapped if len(back) == len(tf.nest.flatten(nest)) else nest


def with_none(nest: Any) -> Any:
    """The parameters as the caller wrote them: with None where it was given."""
    return _restored(nest) if _is_replaced(nest) else nest


def _is_replaced(nest: Any) -> bool:
    if isinstance(nest, _Nothing):
        return True
    if isinstance(nest, dict):
        return any(map(_is_replaced, nest.values()))
    return isinstance(nest, tuple | list) and any(map(_is_replaced, nest))


def _restored(nest: Any) -> Any:
    if isinstance(nest, _Nothing):
        return None
    if isinstance(nest, dict):
        # A copy of its own kind, such as a defaultdict.
        same = copy.copy(nest)
        same.update((key, _restored(entry)) for key, entry in nest.items())
        return same
    if hasattr(nest, "_fields"):
        return type(nest)(*map(_restored, nest))
    if isinstance(nest, tuple | list):
        # A list that TensorFlow tracks takes no iterator.
        return type(nest)([_restored(entry) for entry in nest])
    return nest


def as_parameters(parameters: Any, dtype: tf.DType) -> Any:
    """θ as a tuple, list or dict of tensors and nests of them.

    Energies must get it through `with_none`.

    Args:
      parameters: of the caller: one entry, or a tuple, list or dict.
      dtype: of Python floats.

    Raises:
      TypeError: for an entry that is no tensor.
    """
    if not isinstance(parameters, tuple | list | dict):
        parameters = (parameters,)
    return as_tensors(_without_none(parameters), "parameters", dtype)


def as_inputs(
    initial: Any, parameters: Any, batch_dims: int
) -> tuple[Any, Packing, Any]:
    """The start and the parameters θ of the caller as tensors.

    Returns:
      The nest x, how it is packed, and a tuple, list or dict θ.

    Raises:
      TypeError: for an entry that is no tensor.
      ValueError: for `batch_dims` that are none, or a nest that cannot be packed.
    """
    if not isinstance(batch_dims, int) or batch_dims < 0:
        raise ValueError(f"`batch_dims` must be an integer >= 0; received {batch_dims}")
    initial = as_tensors(initial, "initial")
    packing = Packing(initial, batch_dims)
    return initial, packing, as_parameters(parameters, packing.dtype)


def as_like(nest: Any, value: Any, function: str, names: Sequence[str]) -> Any:
    """What a function of the caller's returned, as tensors of a nest's dtypes.

    Args:
      nest: of tensors, of the structure that `value` has.
      value: a nest of what becomes tensors.
      function: whose value it is, for errors.
      names: of the nest's entries, for errors.

    Raises:
      ValueError: for an entry of another dtype or shape.
    """

    def convert(name: str, like: tf.Tensor, entry: Any) -> tf.Tensor:
        entry = tf.convert_to_tensor(entry, dtype_hint=like.dtype)
        if entry.dtype != like.dtype or not entry.shape.is_compatible_with(like.shape):
            raise ValueError(
                f"`{function}` must return values like `{name}`, {like.dtype.name} of "
                f"shape {like.shape}; received {entry.dtype.name} of shape "
                f"{entry.shape}"
            )
        return entry

    entries = map(convert, names, tf.nest.flatten(nest), tf.nest.flatten(value))
    return tf.nest.pack_sequence_as(nest, list(entries))


def entry_names(nest: Any, root: str) -> list[str]:
    """A readable name for each entry of a nest, in the order of `tf.nest.flatten`."""
    if isinstance(nest, dict):
        return [n for k in sorted(nest) for n in entry_names(nest[k], f"{root}[{k!r}]")]
    if hasattr(nest, "_fields"):
        return [
            n
            for k in nest._fields
            for n in entry_names(getattr(nest, k), f"{root}.{k}")
        ]
    if isinstance(nest, tuple | list):
        return [n for i, v in enumerate(nest) for n in entry_names(v, f"{root}[{i}]")]
    if hasattr(type(nest), "__attrs_attrs__"):
        return [
            n
            for k in (field.name for field in type(nest).__attrs_attrs__)
            for n in entry_names(getattr(nest, k), f"{root}.{k}")
        ]
    # Containers of other kinds that TensorFlow looks into.
    entries = tf.nest.flatten(nest) if tf.nest.is_nested(nest) else []
    return [f"{root}[{k}]" for k in range(len(entries))] if entries else [root]


def refuse_other_structure(nest: Any, value: Any, rule: str) -> None:
    """Refuses a value of another structure than a nest.

    Args:
      nest: of tensors.
      value: of the caller.
      rule: what the value must be, for the error.

    Raises:
      ValueError: for it, in one line.
    """
    try:
        tf.nest.assert_same_structure(nest, value)
    except (TypeError, ValueError):
        received = type(value).__name__
        if tf.nest.is_nested(value):
            received = tf.nest.map_structure(lambda _: ".", value)
        raise ValueError(f"{rule}; received {received}") from None
