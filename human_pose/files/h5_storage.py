"""How datasets are stored: wholly in their file, and in no more room than they need."""

import math
import zlib
from collections.abc import Sequence
from typing import Final

import h5py

from human_pose.files.errors import InputError

# Filters that every h5py brings along.
_LZF: Final = 32000
_FILTERS: Final = (
    h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, _LZF
)  # fmt: skip
_COMPRESSIONS: Final = {h5py.h5z.FILTER_DEFLATE, _LZF}
_CHECKSUM_BYTES: Final = 4  # of a chunk, at its end


def chunk_bytes(dataset: h5py.Dataset) -> int:
    """What a chunk of a dataset takes once it is inflated."""
    return math.prod(dataset.chunks or ()) * dataset.dtype.itemsize


def chunk_count(dataset: h5py.Dataset) -> int:
    """How many chunks a dataset has if none is missing."""
    sizes = zip(dataset.shape, dataset.chunks or dataset.shape, strict=True)
    return math.prod(-(-size // chunk) for size, chunk in sizes if size or chunk)


def check_own(where: str, dataset: h5py.Dataset) -> None:
    """Refuses what is not in the file itself.

    Raises:
      InputError: naming file and dataset.
    """
    if dataset.is_virtual or dataset.external:
        raise InputError(f"{where} must be in the file itself; it is in another one")


def check_stored(where: str, dataset: h5py.Dataset) -> None:
    """Refuses what is not wholly in the file, or takes more room than it should.

    Raises:
      InputError: naming file and dataset.
      ValueError: if a chunk inflates to another size.
    """
    check_own(where, dataset)
    if dataset.chunks is None:
        found, wanted = dataset.id.get_storage_size(), dataset.nbytes
        if found != wanted:
            raise InputError(f"{where} must have {wanted} bytes; {found} are there")
        return
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if not set(filters) <= set(_FILTERS):
        raise InputError(f"{where} is compressed by a method other than gzip or lzf")
    chunks: list[h5py.h5d.StoreInfo] = []
    dataset.id.chunk_iter(chunks.append)
    if len(chunks) != chunk_count(dataset):
        raise InputError(
            f"{where} must have {chunk_count(dataset)} chunks; {len(chunks)} are there"
        )
    if sum(each in _COMPRESSIONS for each in filters) > 1:
        raise InputError(f"{where} is compressed more than once")
    for chunk in chunks:
        _check_inflation(dataset, chunk, filters)


def _check_inflation(
    dataset: h5py.Dataset, chunk: h5py.h5d.StoreInfo, filters: Sequence[int]
) -> None:
    """Refuses a chunk that does not inflate to just what the dataset's chunks have.

    Of more HDF5 would inflate gigabytes, whatever the shape; where there is less it
    reads what lies behind in the memory.

    Raises:
      ValueError: if it has another size, or cannot be inflated.
    """
    wanted = chunk_bytes(dataset)
    # Bits of the mask are of filters that were left out.
    used = [f for i, f in enumerate(filters) if not chunk.filter_mask >> i & 1]
    size = chunk.size
    for number, each in reversed([*enumerate(used)]):
        if each == h5py.h5z.FILTER_FLETCHER32:
            size -= _CHECKSUM_BYTES
        elif each in _COMPRESSIONS:
            _, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
            most = wanted + _CHECKSUM_BYTES * used[:number].count(
                h5py.h5z.FILTER_FLETCHER32
            )
            inflated = _lzf_size if each == _LZF else _deflate_size
            size = inflated(packed[: max(size, 0)], most)
    if size != wanted:
        much = f"more than {wanted}" if size > wanted else f"{size} of {wanted}"
        raise ValueError(f"{dataset.name} has a chunk of {much} bytes")


def _deflate_size(packed: bytes, most: int) -> int:
    """How many bytes gzip's method inflates to, counted up to one above `most`."""
    return len(zlib.decompressobj().decompress(packed, most + 1))


def _lzf_size(packed: bytes, most: int) -> int:
    """The same of LZF: a row of letters, each before as many bytes, or a repetition.

    Raises:
      ValueError: if it ends within one of these.
    """
    size = place = 0
    while place < len(packed) and size <= most:
        run = packed[place] >> 5
        if run == 0:
            run = packed[place] + 1
            place += 1 + run
        else:
            if run == 7:  # the longest, to which the next byte adds
                run += packed[place + 1]
                place += 1
            run += 2
            place += 2
        size += run
    if size <= most and place != len(packed):
        raise ValueError("a chunk ends too early")
    return size
