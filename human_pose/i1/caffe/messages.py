"""Messages of Caffe's `NetParameter`: the blobs of its layers."""

import math
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import numpy as np

from human_pose.files.errors import InputError
from human_pose.i1.caffe import protobuf
from human_pose.i1.caffe.protobuf import (
    BYTES,
    FIXED_32,
    FIXED_64,
    VARINT,
    Reader,
    WireError,
)

# Field numbers of caffe.proto: of a layer in each generation (its name, its blobs), of
# a blob, and of what only a solver's state has.
LAYER_FIELDS: Final = {100: (1, 7), 2: (4, 6)}
_BLOB_SIZES: Final = (1, 2, 3, 4)
_BLOB_DATA: Final = 5
_BLOB_SHAPE: Final = 7
_BLOB_DOUBLES: Final = 8
_SHAPE_SIZE: Final = 1
# Of NVIDIA's Caffe, from 0.16 on; forks before it had half floats in the same place.
_BLOB_RAW_TYPE: Final = 10
_BLOB_RAW: Final = 12
_STATE_ITERATION: Final = 1
_STATE_NET: Final = 2
_RAW_TYPES: Final = {0: "<f8", 1: "<f4", 2: "<f2"}

# Caffe's own limits of a blob.
_MOST_AXES: Final = 32
_MOST_NUMBERS: Final = 2**31 - 1


def layers(
    path: str | os.PathLike[str], message: memoryview
) -> dict[str, list[np.ndarray]]:
    """The blobs of every layer that has any.

    Args:
      path: of the file, for the error.
      message: its bytes.

    Raises:
      InputError: if it is a solver's state.
      WireError: if it is no such message.
    """
    blobs: dict[str, list[np.ndarray]] = {}
    reader = Reader()
    for number, kind, value in reader.fields(message):
        if number == _STATE_ITERATION and kind == VARINT:
            _refuse_state(path, reader, message)
        if number in LAYER_FIELDS and isinstance(value, memoryview):
            name, arrays = _layer(reader, value, *LAYER_FIELDS[number])
            if arrays:
                blobs[name] = arrays
    return blobs


def _refuse_state(
    path: str | os.PathLike[str], reader: Reader, message: memoryview
) -> None:
    net = ""
    for number, kind, value in reader.fields(message):
        if number == _STATE_NET and kind == BYTES:
            net = f", {bytes(value).decode(errors='replace')}"
    raise InputError(
        f"{path}: is a solver's state; the history of Caffe's optimiser is not used. "
        f"Give the model saved with it{net}"
    )


def _layer(
    reader: Reader, message: memoryview, name_field: int, blobs_field: int
) -> tuple[str, list[np.ndarray]]:
    name, arrays = "", []
    for number, kind, value in reader.fields(message):
        if kind != BYTES or not isinstance(value, memoryview):
            continue
        if number == name_field:
            name = bytes(value).decode()
        elif number == blobs_field:
            arrays.append(_blob(reader, value))
    return name, arrays


def _blob(reader: Reader, message: memoryview) -> np.ndarray:
    shape: list[int] | None = None
    legacy = dict.fromkeys(_BLOB_SIZES, 1)
    parts: list[np.ndarray] = []
    raw: memoryview | None = None
    raw_type = -1
    for number, kind, value in reader.fields(message):
        if isinstance(value, int):
            if number in legacy:
                legacy[number] = value
            elif number == _BLOB_RAW_TYPE:
                raw_type = value
        elif number == _BLOB_RAW_TYPE:
            raise WireError("a fork of Caffe's, with half_data, which is not read")
        elif number == _BLOB_RAW:
            raw = value
        elif number == _BLOB_SHAPE:
            shape = list(islice(_sizes(reader, value), _MOST_AXES + 1))
        elif number in (_BLOB_DATA, _BLOB_DOUBLES):
            kinds = {BYTES: number == _BLOB_DOUBLES, FIXED_32: False, FIXED_64: True}
            width = 8 if kinds[kind] else 4
            if len(value) % width:
                raise WireError(f"{len(value)} bytes of numbers of {width} bytes each")
            # A copy, for the file is closed afterwards. Doubles too large become
            # infinite, and are refused as such.
            with np.errstate(over="ignore"):
                parts.append(np.frombuffer(value, f"<f{width}").astype(np.float32))
    if raw is not None:
        parts.append(_raw(raw, raw_type))
    data = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    sizes = list(legacy.values()) if shape is None else shape
    if len(sizes) > _MOST_AXES:
        raise WireError(f"a blob has more axes than Caffe's, which have {_MOST_AXES}")
    extent = math.prod(filter(None, sizes))  # NumPy's own limit, too, is of this
    if extent > _MOST_NUMBERS or math.prod(sizes) != data.size:
        raise WireError(f"a blob of shape {sizes} has {data.size} numbers")
    return data.reshape(sizes)


def _raw(content: memoryview, kind: int) -> np.ndarray:
    """The numbers of NVIDIA's `raw_data`."""
    if kind not in _RAW_TYPES:
        raise WireError(f"raw_data of type {kind}; read are double, float and half")
    dtype = np.dtype(_RAW_TYPES[kind])
    if len(content) % dtype.itemsize:
        raise WireError(f"{len(content)} bytes of numbers of {dtype.itemsize} each")
    with np.errstate(over="ignore"):
        return np.frombuffer(content, dtype).astype(np.float32)


def _sizes(reader: Reader, message: memoryview) -> Iterator[int]:
    for number, _, value in reader.fields(message):
        if number == _SHAPE_SIZE:
            if isinstance(value, int):
                yield value
            else:
                yield from protobuf.varints(value)


def encoded(array: np.ndarray) -> bytes:
    """A blob of single precision."""
    sizes = b"".join(map(protobuf.varint, array.shape))
    shape: Any = protobuf.field(_BLOB_SHAPE, protobuf.field(_SHAPE_SIZE, sizes))
    return bytes(shape) + protobuf.field(_BLOB_DATA, array.astype("<f4").tobytes())
