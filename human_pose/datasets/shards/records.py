"""What a record holds: numbers, arrays and pictures by name, as TFDS stores them.

A record is a `tf.train.Example` with sorted names, so that equal samples are equal
bytes; `tfds.builder_from_directory` reads it by the features of the same schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from human_pose.files.errors import InputError

# What an Example keeps exactly; others are kept as their bytes.
_PLAIN: Final = {"int64": tf.int64, "float32": tf.float32}


@dataclass(frozen=True)
class Field:
    """One entry of a sample.

    Attributes:
      shape: of the array; `()` for a number, a picture or a text.
      dtype: of NumPy. "float64" and others that an Example does not know are kept as
        little-endian bytes, which loses nothing.
      unit: and frame of what it holds, in words, for readers.
      picture: whether it is an encoded picture, PNG or JPEG.
      text: whether it is a text.
    """

    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    unit: str = ""
    picture: bool = False
    text: bool = False

    @property
    def is_bytes(self) -> bool:
        """Whether a record holds it as bytes."""
        return self.picture or self.text or self.dtype not in _PLAIN


Schema = Mapping[str, Field]
Sample = Mapping[str, Any]


def encode(sample: Sample, schema: Schema) -> bytes:
    """A sample as a record.

    Args:
      sample: a value for each name of the schema: arrays, encoded pictures as bytes,
        texts.
      schema: what it must hold.

    Returns:
      Bytes that depend on the values alone.

    Raises:
      InputError: naming the entry, if one is missing, unknown or of another shape.
    """
    if sample.keys() != schema.keys():
        raise InputError(
            "sample", f"must hold {', '.join(sorted(schema))}", sorted(sample)
        )
    features = {
        name: _feature(name, sample[name], schema[name]) for name in sorted(schema)
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def parse(record: tf.Tensor, schema: Schema) -> dict[str, tf.Tensor]:
    """A record's entries; pictures stay encoded.

    Args:
      record: string `[]`.
      schema: what it holds.

    Returns:
      A tensor of its field's shape and dtype by name.
    """
    return _decoded(tf.io.parse_single_example(record, _specification(schema)), schema)


def parse_batch(records: tf.Tensor, schema: Schema) -> dict[str, tf.Tensor]:
    """The entries of records `[B]`, each `[B, ...]`; see `parse`."""
    return _decoded(tf.io.parse_example(records, _specification(schema)), schema)


def _specification(schema: Schema) -> dict[str, Any]:
    return {
        name: tf.io.FixedLenFeature([], tf.string)
        if field.is_bytes
        else tf.io.FixedLenFeature(field.shape, _PLAIN[field.dtype])
        for name, field in schema.items()
    }


def _decoded(parsed: Mapping[str, tf.Tensor], schema: Schema) -> dict[str, tf.Tensor]:
    return {name: _restored(value, schema[name]) for name, value in parsed.items()}


def _restored(value: tf.Tensor, field: Field) -> tf.Tensor:
    if not field.is_bytes or field.picture or field.text:
        return value
    numbers = tf.io.decode_raw(value, tf.as_dtype(field.dtype))
    shape = tf.concat([tf.shape(value), tf.constant(field.shape, tf.int32)], 0)
    return tf.ensure_shape(
        tf.reshape(numbers, shape), value.shape.concatenate(field.shape)
    )


def _feature(name: str, value: Any, field: Field) -> tf.train.Feature:
    if field.picture or field.text:
        content = value.encode() if isinstance(value, str) else bytes(value)
        return _bytes(content)
    array = np.asarray(value)
    if array.shape != field.shape:
        raise InputError(name, f"must have the shape {field.shape}", array.shape)
    if field.is_bytes:
        little = np.dtype(field.dtype).newbyteorder("<")
        return _bytes(np.ascontiguousarray(array, little).tobytes())
    values = array.astype(field.dtype).ravel().tolist()
    if field.dtype == "int64":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def _bytes(content: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
