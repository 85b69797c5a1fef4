"""Options as arguments of a `tf.function`: equal ones share a trace."""

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf


class TracedByValue:
    """Base of frozen dataclasses, which are no reason to trace a function again.

    TensorFlow knows other Python objects by identity. So does this base what cannot be
    compared: objects with tensors, arrays or lists for fields, or with attributes that
    are no fields.
    """

    def __tf_tracing_type__(self, context: Any) -> tf.types.experimental.TraceType:
        """What TensorFlow asks an argument of a function for."""
        del context
        return _Equal(self) if _is_plain(self) else _Same(self)


def _is_plain(value: Any) -> bool:
    """Whether equality says all of an object."""
    if not dataclasses.is_dataclass(value):
        return False
    # A subclass may keep more than the fields, by which alone it is compared.
    if vars(value).keys() != {field.name for field in dataclasses.fields(value)}:
        return False
    try:
        hash(value)
    except TypeError:
        return False
    return True


class _ByKey(tf.types.experimental.TraceType):
    """An object as a constant of a trace; `key` tells it from others."""

    key: Any
    read: Callable[[], Any]

    def is_subtype_of(self, other: tf.types.experimental.TraceType) -> bool:
        """Whether a trace with the other may be used."""
        return self == other

    def most_specific_common_supertype(
        self, others: Any
    ) -> tf.types.experimental.TraceType | None:
        """There is none but itself."""
        return self if all(self == other for other in others) else None

    def placeholder_value(self, placeholder_context: Any) -> Any:
        """The object itself."""
        del placeholder_context
        return self.read()

    def cast(self, value: Any, cast_context: Any) -> Any:
        """The object, which needs none."""
        del cast_context
        return value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)


class _Equal(_ByKey):
    """An object that stands for all that are equal to it."""

    def __init__(self, value: Any):
        self.key = value
        self.read = lambda: value


class _Same(_ByKey):
    """An object that stands for itself, and is not kept alive."""

    def __init__(self, value: Any):
        self.key = id(value)
        self.read = weakref.ref(value)

    def __eq__(self, other: object) -> bool:
        # Another object may have come to the place of one that is gone.
        if not isinstance(other, _Same) or self.key != other.key:
            return False
        return self.read() is other.read() is not None

    __hash__ = _ByKey.__hash__
