"""What stands beside each shard, and says that it is whole.

`images-train.tfrecord-00003-of-00040.json` is written last: a shard without it does
not count. It holds what a reader needs to find any record without reading the others.
"""

import json
import os
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.files.errors import InputError
from human_pose.files.paths import read_text

# Of the files: raise it when what they hold changes.
VERSION: Final = 2
# Had no checksum of its own; all else is alike.
_UNSUMMED: Final = 1
# Of a record beside its content: its length, and checksums of the length and of both.
RECORD_FRAME_BYTES: Final = 16
_SUFFIX: Final = ".json"
_CHECKSUM: Final = "checksum"
_CHUNK_BYTES: Final = 1 << 22
_MOST_BYTES: Final = 1 << 28
# What parsing another JSON value than a sidecar's ends with.
_DAMAGES: Final = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError
)  # fmt: skip


@dataclass(frozen=True)
class Sidecar:
    """One shard.

    Attributes:
      source: tells what it was made of; another source makes the shard anew.
      schema: tells what a record holds (`schema_name`).
      indices: of the samples, in the order of the records.
      lengths: of the records' contents, bytes.
      bytes: of the file.
      crc32: of the file, eight hexadecimal digits.
      skipped: index and reason of every sample that was left out.
      version: of this file.
    """

    source: str
    schema: str
    indices: Sequence[int]
    lengths: Sequence[int]
    bytes: int
    crc32: str
    skipped: tuple[tuple[int, str], ...] = ()
    version: int = VERSION

    def __post_init__(self) -> None:
        # A set may have millions: 8 bytes each, not the 40 of Python's own numbers.
        for name in ("indices", "lengths"):
            object.__setattr__(self, name, array("q", getattr(self, name)))

    def __len__(self) -> int:
        """Records in the shard."""
        return len(self.indices)

    @property
    def offsets(self) -> np.ndarray:
        """Where each record begins in the file, int64 `[N]`."""
        sizes = np.array(self.lengths, np.int64) + RECORD_FRAME_BYTES
        return np.cumsum(sizes) - sizes


def sidecar_path(shard: str | os.PathLike[str]) -> Path:
    """Where what is known of a shard stands."""
    shard = Path(shard)
    return shard.with_name(shard.name + _SUFFIX)


def read_sidecar(shard: str | os.PathLike[str]) -> Sidecar:
    """What is known of a shard; the file's size is compared, its content not.

    Raises:
      InputError: naming the file, if it is missing or damaged, or the shard is not of
        the size that it says.
    """
    path = sidecar_path(shard)
    sidecar = _parsed(path)
    try:
        size = os.path.getsize(shard)
    except OSError as error:
        raise InputError(f"{shard}: cannot be read: {error.strerror}") from error
    if size != sidecar.bytes:
        raise InputError(
            f"{shard}: must have {sidecar.bytes} bytes, as {path.name} says; it has "
            f"{size}: prepare the data set again, which makes this shard anew"
        )
    return sidecar


def check_content(shard: str | os.PathLike[str]) -> None:
    """Compares a shard's whole content with its checksum.

    Raises:
      InputError: naming the file, if it is another, or see `read_sidecar`.
    """
    wanted = read_sidecar(shard).crc32
    found = crc32_of(shard)
    if found != wanted:
        raise InputError(
            f"{shard}: must have the checksum {wanted}, as its sidecar says; it has "
            f"{found}: prepare the data set again, which makes this shard anew"
        )


def crc32_of(path: str | os.PathLike[str]) -> str:
    """The CRC-32 of a file, eight hexadecimal digits."""
    checksum = 0
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                checksum = zlib.crc32(chunk, checksum)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return f"{checksum:08x}"


def text_of(sidecar: Sidecar) -> str:
    """The content of a sidecar's file, with a checksum of itself."""
    content = vars(sidecar) | {
        "indices": list(sidecar.indices),
        "lengths": list(sidecar.lengths),
        "version": VERSION,
    }
    return _canonical(content | {_CHECKSUM: _sum_of(content)}) + "\n"


def _sum_of(content: dict[str, Any]) -> str:
    """The CRC-32 of all entries, for a wrong index would be no fault to be seen."""
    return f"{zlib.crc32(_canonical(content).encode()):08x}"


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)


def _parsed(path: Path) -> Sidecar:
    text = read_text(path, _MOST_BYTES)
    try:
        content: dict[str, Any] = json.loads(text)
        wanted = content.pop(_CHECKSUM, None)
        sidecar = Sidecar(
            source=str(content["source"]),
            schema=str(content["schema"]),
            indices=content["indices"],
            lengths=content["lengths"],
            bytes=int(content["bytes"]),
            crc32=str(content["crc32"]),
            skipped=tuple((int(i), str(why)) for i, why in content["skipped"]),
            version=int(content["version"]),
        )
    except _DAMAGES as error:
        raise InputError(f"{path}: is no sidecar of a shard") from error
    whole = sum(sidecar.lengths) + RECORD_FRAME_BYTES * len(sidecar)
    if len(sidecar.lengths) != len(sidecar) or min(sidecar.lengths, default=0) < 0:
        raise InputError(f"{path}: its counts and lengths contradict each other")
    if whole != sidecar.bytes:
        raise InputError(f"{path}: its lengths and bytes contradict each other")
    if sidecar.version not in (VERSION, _UNSUMMED):
        raise InputError(f"{path}", f"must be of version {VERSION}", sidecar.version)
    # No single bit makes the one version of the other.
    unsummed = wanted is None and sidecar.version == _UNSUMMED
    if not unsummed and wanted != _sum_of(content):
        raise InputError(
            f"{path}: is damaged, for its checksum is another: prepare the data set "
            "again, which makes this shard anew"
        )
    return sidecar
