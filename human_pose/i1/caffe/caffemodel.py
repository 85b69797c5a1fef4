"""Caffe's weights, `.caffemodel` files, read and written without Caffe.

Both generations of the format are read: `NetParameter.layer` (field 100) and the
older `layers` (field 2), blobs with a `shape` or with the legacy four sizes, single
and double precision; and NVIDIA's Caffe, whose blobs are bytes of a named type
(`raw_data`), half precision among them.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import keras
import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file
from human_pose.i1.caffe import protobuf
from human_pose.i1.caffe.messages import LAYER_FIELDS, encoded, layers
from human_pose.i1.caffe.protobuf import WireError
from human_pose.i1.network.blocks import BilinearUpsampling
from human_pose.i1.network.normalization import ScaledBatchNormalization

Blobs = Mapping[str, Sequence[np.ndarray]]

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_MOST_BYTES: Final = 2**31 - 1  # protobuf's limit of a message

_LISTED: Final = 5  # names shown of each kind of mismatch


def read(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    """The blobs of every layer that has any, float32, in Caffe's own shapes.

    Args:
      path: a `.caffemodel`.

    Raises:
      InputError: naming the file, if it cannot be read, is no such file, or is a
        solver's state: that holds the history of an optimiser and no weights.
    """
    path = Path(path)
    check_is_file(path)
    try:
        # A read-only map of the file: 160 MB of which each byte is looked at once.
        size = path.stat().st_size
        if not size:
            raise InputError(f"{path}: is empty")
        if size > _MOST_BYTES:
            raise InputError(
                f"{path}: is no Caffe model (it has {size} bytes; messages have at "
                f"most {_MOST_BYTES})"
            )
        content = np.memmap(path, np.uint8, "r").data
        if bytes(content[: len(_HDF5)]) == _HDF5:
            raise InputError(
                f"{path}: is a snapshot in HDF5, which is not read; Caffe writes a "
                "binary one with `snapshot_format: BINARYPROTO`"
            )
        blobs = layers(path, content)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (WireError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no Caffe model ({error})") from error
    if not blobs:
        raise InputError(f"{path}: is no Caffe model, or has no weights")
    return blobs


def write(path: str | os.PathLike[str], blobs: Blobs) -> None:
    """Writes a `.caffemodel`, atomically.

    Args:
      path: the file.
      blobs: arrays by layer, in Caffe's shapes; stored as float32.

    Raises:
      InputError: if the file cannot be written.
    """
    name, parts = LAYER_FIELDS[100]
    with atomic(path) as temporary, temporary.open("wb") as file:
        for layer, arrays in blobs.items():
            content = protobuf.field(name, layer.encode())
            for array in arrays:
                content += protobuf.field(parts, encoded(np.asarray(array)))
            file.write(protobuf.field(100, content))


def assign(
    network: keras.Model, blobs: Blobs, *, partial: bool = False
) -> tuple[str, ...]:
    """Gives a network Caffe's weights, layer by layer of equal name.

    Kernels are transposed; mean and variance are divided by their scale factor. The
    fixed bilinear upsamplings have no weights here: theirs are checked.

    Args:
      network: made by `build_network`; changed only if all fits.
      blobs: see `read`.
      partial: layers that `blobs` has not keep their weights, and others it has are
        left out, as when Caffe starts from the model of another task.

    Returns:
      The names of the layers that keep their weights.

    Raises:
      InputError: listing what is missing, left over, of another shape or not finite.
    """
    problems: dict[str, list[str]] = {
        "missing": [], "of another shape": [], "not finite": []
    }  # fmt: skip
    assigned: list[tuple[keras.layers.Layer, list[np.ndarray]]] = []
    used: set[str] = set()
    for layer in network.layers:
        sources = _sources(layer)
        if not sources:
            continue
        if not all(source in blobs for source in sources):
            absent = [source for source in sources if source not in blobs]
            problems["missing"] += absent
            used |= set(sources) - set(absent)
            continue
        used |= set(sources)
        found, reason = _weights(layer, [blobs[source] for source in sources])
        if reason:
            problems["of another shape"].append(f"{layer.name} {reason}")
        elif not all(np.isfinite(weight).all() for weight in found):
            problems["not finite"].append(layer.name)
        else:
            assigned.append((layer, found))
    kept = tuple(problems["missing"])
    if partial:
        problems["missing"] = []
    else:
        problems["left over"] = sorted(set(blobs) - used)
    _refuse(network, problems)
    if not assigned:
        raise InputError(f"{network.name} and the Caffe model share no layer")
    for layer, found in assigned:
        layer.set_weights(found)
    return kept


def export(network: keras.Model) -> dict[str, list[np.ndarray]]:
    """The blobs that `assign` makes the network from, upsamplings included."""
    blobs: dict[str, list[np.ndarray]] = {}
    for layer in network.layers:
        sources = _sources(layer)
        weights = [np.asarray(weight) for weight in layer.weights]
        if isinstance(layer, keras.layers.Conv2D):
            kernel, bias = weights
            blobs[layer.name] = [kernel.transpose(3, 2, 0, 1), bias]
        elif isinstance(layer, ScaledBatchNormalization):
            gamma, beta, mean, variance, factor = weights
            # Caffe divides by its factor, which is 0 where nothing was gathered.
            scale = factor or np.float32(1)
            blobs[sources[0]] = [scale * mean, scale * variance, scale.reshape(1)]
            blobs[sources[1]] = [gamma, beta]
        elif isinstance(layer, BilinearUpsampling):
            channels = layer.output.shape[-1]
            blobs[layer.name] = [np.tile(_TAPS, (channels, 1, 1, 1))]
    return blobs


_TAPS: Final = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25]).astype(
    np.float32
)


def _sources(layer: keras.layers.Layer) -> tuple[str, ...]:
    """The Caffe layers that one of ours is made from."""
    if isinstance(layer, ScaledBatchNormalization):
        return layer.name, re.sub("bn|batch", "scale", layer.name)
    if isinstance(layer, keras.layers.Conv2D | BilinearUpsampling):
        return (layer.name,)
    return ()


def _weights(
    layer: keras.layers.Layer, parts: Sequence[Sequence[np.ndarray]]
) -> tuple[list[np.ndarray], str]:
    """What `set_weights` takes, or why it cannot be made."""
    shapes = [tuple(blob.shape) for blobs in parts for blob in blobs]
    if isinstance(layer, BilinearUpsampling):
        blob = parts[0][0] if len(parts[0]) == 1 else np.zeros(0)
        fits = blob.size > 0 and blob.shape[-2:] == _TAPS.shape
        if not fits or not np.allclose(blob, _TAPS, rtol=0, atol=1e-6):
            return [], "is not the fixed bilinear upsampling"
        return [], ""
    if isinstance(layer, keras.layers.Conv2D):
        kernel = layer.kernel.shape
        wanted = [(kernel[3], kernel[2], kernel[0], kernel[1]), (kernel[3],)]
    else:
        size = tuple(layer.gamma.shape)
        wanted = [size, size, (1,), size, size]
    flat = [blob for blobs in parts for blob in blobs]
    # Old files give a bias the shape (1, 1, 1, n).
    if len(flat) != len(wanted) or any(
        _trimmed(blob.shape) != _trimmed(shape)
        for blob, shape in zip(flat, wanted, strict=True)
    ):
        return [], f"has {_listed(shapes)} instead of {_listed(wanted)}"
    flat = [blob.reshape(shape) for blob, shape in zip(flat, wanted, strict=True)]
    if isinstance(layer, keras.layers.Conv2D):
        return [flat[0].transpose(2, 3, 1, 0), flat[1]], ""
    mean, variance, factor, gamma, beta = flat
    # Caffe: statistics that were never gathered have the factor 0.
    with np.errstate(over="ignore", invalid="ignore"):
        scale = 1 / factor[0] if factor[0] else 0.0
        return [gamma, beta, mean * scale, variance * scale, factor[0]], ""


def _trimmed(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without leading ones."""
    rest = list(shape)
    while len(rest) > 1 and rest[0] == 1:
        rest.pop(0)
    return tuple(rest)


def _listed(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes) or "nothing"


def _refuse(network: keras.Model, problems: Mapping[str, list[str]]) -> None:
    parts = []
    for kind, names in problems.items():
        if names:
            more = len(names) - _LISTED
            end = f" and {more} more" if more > 0 else ""
            parts.append(f"{len(names)} {kind}: {', '.join(names[:_LISTED])}{end}")
    if not parts:
        return
    found = re.search(r"conv_5_d(\d+)", " ".join(problems.get("left over", ())))
    hint = f" (the file is for {found[1]} depth bins)" if found else ""
    raise InputError(
        f"the Caffe model does not fit {network.name}{hint}; layers {'; '.join(parts)}"
    )
