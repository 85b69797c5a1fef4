"""Lists of texts in HDF5 files, of one length or of many.

Texts of many lengths lie in the file's global heap. HDF5's own code runs for ever on a
damaged one, so it is read here; see the "HDF5 File Format Specification", III.E.
"""

import os
import struct
import zlib
from typing import BinaryIO, Final

import h5py
import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.h5_storage import check_own, check_stored, chunk_bytes
from human_pose.files.paths import MOST_TEXT_BYTES

_MOST_TEXTS: Final = 10_000  # names of joints, or of people
_ADDRESS_BYTES: Final = (8, 8)  # of addresses and sizes, but in files of long ago
# What stands in place of a text: its length, and where it is in which collection.
_REFERENCE: Final = np.dtype([("size", "<u4"), ("address", "<u8"), ("index", "<u4")])
_COLLECTION: Final = struct.Struct("<4sB3xQ")  # signature, version, size
_OBJECT: Final = struct.Struct("<HH4xQ")  # index, count of references, size
_ALIGNED: Final = 8


def texts_of(path: str | os.PathLike[str], dataset: h5py.Dataset) -> list[str]:
    """The texts of a dataset `[N]`.

    Args:
      path: its file, for reading and for messages.
      dataset: of it.

    Raises:
      InputError: naming the file and the dataset, if it holds anything else, too much,
        or is not wholly in the file.
      ValueError: if it is damaged.
    """
    where = f"{path}: {dataset.name.lstrip('/')}"
    kind = h5py.check_string_dtype(dataset.dtype)
    if kind is None or dataset.ndim != 1:
        raise InputError(f"{where} must be a list of texts; received {dataset.dtype}")
    if dataset.size > _MOST_TEXTS or dataset.nbytes > MOST_TEXT_BYTES:
        raise InputError(
            f"{where} must be at most {_MOST_TEXTS} texts; received {dataset.size}"
        )
    check_own(where, dataset)
    if kind.length is not None:
        check_stored(where, dataset)
        return [text.decode("utf-8") for text in dataset[()].tolist()]
    if dataset.file.id.get_create_plist().get_sizes() != _ADDRESS_BYTES:
        raise ValueError("addresses are not of 8 bytes")
    with open(path, "rb") as file:
        references = np.frombuffer(_stored(file, dataset), _REFERENCE)[: dataset.size]
        base = dataset.file.userblock_size
        return [
            _text(file, base + int(address), int(index), int(size)) if size else ""
            for size, address, index in references
        ]


def _stored(file: BinaryIO, dataset: h5py.Dataset) -> bytes:
    """The references of a dataset as bytes."""
    wanted = dataset.size * _REFERENCE.itemsize
    if dataset.chunks is None:
        place = dataset.id.get_offset()
        if place is None:
            raise ValueError("references are not stored by themselves")
        file.seek(place)
        return _whole(file.read(wanted), wanted)
    content = b""
    for first in range(0, dataset.size, dataset.chunks[0]):
        content += _chunk(dataset, first)
    return _whole(content[:wanted], wanted)


def _chunk(dataset: h5py.Dataset, first: int) -> bytes:
    """One chunk, inflated if gzip is all that was done to it."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if filters not in ([], [h5py.h5z.FILTER_DEFLATE]):
        raise ValueError("texts are stored by other methods than gzip")
    mask, content = dataset.id.read_direct_chunk((first,))
    wanted = chunk_bytes(dataset) // dataset.dtype.itemsize * _REFERENCE.itemsize
    if filters and not mask:
        content = zlib.decompressobj().decompress(content, wanted + 1)
    return _whole(content, wanted)


def _whole(content: bytes, size: int) -> bytes:
    if len(content) != size:
        raise ValueError(f"{len(content)} of {size} bytes of texts are there")
    return content


def _text(file: BinaryIO, address: int, index: int, size: int) -> str:
    """A text of a collection of the heap."""
    file.seek(address)
    signature, version, length = _COLLECTION.unpack(
        _whole(file.read(_COLLECTION.size), _COLLECTION.size)
    )
    whole = _COLLECTION.size <= length <= MOST_TEXT_BYTES
    if (signature, version) != (b"GCOL", 1) or not whole:
        raise ValueError("texts are in no collection")
    objects = file.read(length - _COLLECTION.size)
    place = 0
    while place + _OBJECT.size <= len(objects):
        found, _, held = _OBJECT.unpack_from(objects, place)
        place += _OBJECT.size
        if found == index and size <= held:
            return _whole(objects[place : place + size], size).decode("utf-8")
        if found == 0:  # what follows is free
            break
        place += -(-held // _ALIGNED) * _ALIGNED
    raise ValueError("a text is not where it should be")
