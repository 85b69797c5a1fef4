"""C3D files: the points and their parameters, read from the bytes.

The format is that of https://www.c3d.org: blocks of 512 bytes, a header, groups of
parameters, and frames of points with the analogue samples between them. ezc3d 1.7,
which writes them here, never returns from some damaged files and brings the process
down over others, so it reads none.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.files.arrays import MOST_BYTES
from human_pose.files.errors import InputError
from human_pose.files.paths import read_bytes

MARK: Final = 0x50  # the second byte of every file
BLOCK: Final = 512
# By the number of the processor that wrote it: the order of bytes, and whether floats
# are a VAX's.
_PROCESSORS: Final = {84: ("<", False), 85: ("<", True), 86: (">", False)}
_TYPES: Final = {-1: "S1", 1: "i1", 2: "i2", 4: "f4"}
_HEADER: Final = 4  # bytes before the first group
_WORD: Final = 1 << 16


@dataclass(frozen=True)
class C3d:
    """What a file holds of points.

    Attributes:
      points: `[F, N, 3]`, in the file's units; NaN where a point was not found.
      labels: of the points; there may be fewer.
      units: as the file says them, or "".
      rate: frames a second, or 0.
      first: the number of the first frame, from 0; files count from 1, but for some.
    """

    points: np.ndarray
    labels: Sequence[str]
    units: str
    rate: float
    first: int


def read_c3d_file(path: str | os.PathLike[str]) -> C3d:
    """Reads a file.

    Raises:
      InputError: naming the file and the rule, if it is none, or is damaged.
    """
    path = Path(path)
    content = read_bytes(path, MOST_BYTES)
    try:
        return _read(path, content)
    except (IndexError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is no readable C3D file ({error})") from error


def _read(path: Path, content: bytes) -> C3d:
    if len(content) < 2 * BLOCK or content[1] != MARK:
        raise InputError(f"{path}: must begin with the header of a C3D file")
    start = (content[0] - 1) * BLOCK
    processor = content[start + 3] if 0 < start < len(content) - _HEADER else 0
    if processor not in _PROCESSORS:
        raise InputError(f"{path}: must hold parameters where its header says")
    order, vax = _PROCESSORS[processor]
    groups = _groups(content, start + _HEADER, order, vax)
    header = np.frombuffer(content, f"{order}u2", 10)
    point = groups.get("POINT", {})
    first, count = _frames(groups, header)
    used = int(_one(point, "USED", header[1])) % _WORD
    floats = np.frombuffer(content, f"{order}f4", 1, 12)
    scale = float(_one(point, "SCALE", _float(floats, vax)[0]))
    data = (int(_one(point, "DATA_START", header[8])) % _WORD - 1) * BLOCK
    kind = "f4" if scale < 0 else "i2"
    columns = 4 * used + int(header[2])
    total = count * columns
    if used == 0 or count < 1 or not 0 < data <= len(content):
        raise InputError(f"{path}: must hold points in one frame or more")
    if total * np.dtype(kind).itemsize > len(content) - data:
        raise InputError(
            f"{path}: must hold the {count} frames of {used} points that it says; it "
            "ends before"
        )
    values = np.frombuffer(content, f"{order}{kind}", total, data)
    values = _float(values, vax) if kind == "f4" else values.astype(np.float64) * scale
    rows = values.reshape(count, columns)[:, : 4 * used].reshape(count, used, 4)
    lost = ~(rows[..., 3:] >= 0) | ~np.isfinite(rows[..., :3])
    return C3d(
        np.where(lost, np.nan, rows[..., :3]),
        _labels(point),
        "".join(_texts(point, "UNITS")[:1]),
        # A rate such as 29.97 is that number, and none of a float's further digits.
        float(str(np.float32(_one(point, "RATE", 0.0)))),
        max(first - 1, 0),
    )


def _groups(
    content: bytes, place: int, order: str, vax: bool
) -> dict[str, dict[str, np.ndarray]]:
    """The parameters of each group, by their names in capitals."""
    names: dict[int, str] = {}
    found: dict[int, dict[str, np.ndarray]] = {}
    while place + 4 <= len(content):
        length, number = np.frombuffer(content, "i1", 2, place).tolist()
        if length == 0:
            break
        after = place + 2 + abs(length)
        name = content[place + 2 : after].decode("latin1").upper()
        step = int(np.frombuffer(content, f"{order}i2", 1, after)[0])
        if number < 0:
            names[-number] = name
        else:
            value = _parameter(content, after + 2, order, vax)
            found.setdefault(number, {})[name] = value
        if step <= 0:
            break
        place = after + step
    return {names[number]: group for number, group in found.items() if number in names}


def _parameter(content: bytes, place: int, order: str, vax: bool) -> np.ndarray:
    """The values of one parameter, the first dimension last as in C."""
    kind, rank = np.frombuffer(content, "i1", 2, place).tolist()
    if kind not in _TYPES or not 0 <= rank <= 7:
        raise ValueError("a parameter of no known type")
    shape = tuple(content[place + 2 : place + 2 + rank])
    dtype = np.dtype(_TYPES[kind]).newbyteorder("<" if order == "<" else ">")
    count = int(np.prod(shape, dtype=np.int64))
    values = np.frombuffer(content, dtype, count, place + 2 + rank)
    if kind == 4:
        values = _float(values, vax)
    return values.reshape(shape[::-1])


def _float(values: np.ndarray, vax: bool) -> np.ndarray:
    """Floats as this machine has them; a VAX's have their halves exchanged, times 4."""
    if not vax:
        with np.errstate(invalid="ignore"):  # a signalling NaN is one, too
            return values.astype(np.float64)
    words = values.view("<u2").reshape(-1, 2)[:, ::-1]
    return np.ascontiguousarray(words).view("<f4").ravel().astype(np.float64) / 4


def _frames(
    groups: Mapping[str, Mapping[str, np.ndarray]], header: np.ndarray
) -> tuple[int, int]:
    """The first frame's number, and how many there are.

    The header counts to 65,535; two words of TRIAL go on, or a number of POINT's.
    """
    trial = groups.get("TRIAL", {})
    words = [
        np.ravel(trial.get(f"ACTUAL_{end}_FIELD", np.empty(0)))
        for end in ("START", "END")
    ]
    if all(len(w) == 2 and w.dtype != "S1" and np.isfinite(w).all() for w in words):
        first, last = (
            int(low) % _WORD + _WORD * (int(high) % _WORD) for low, high in words
        )
    else:
        first, last = int(header[3]), int(header[4])
        if last == _WORD - 1:
            point = groups.get("POINT", {})
            counts = (_one(point, name, 0.0) for name in ("FRAMES", "LONG_FRAMES"))
            last = max(last, *(first - 1 + int(count) for count in counts))
    return first, last - first + 1


def _one(group: Mapping[str, np.ndarray], name: str, default: Any) -> float:
    """A single number of a group."""
    values = np.ravel(group.get(name, np.empty(0)))
    given = values.size and values.dtype != "S1"
    number = float(values[0] if given else default)
    if not np.isfinite(number):
        raise ValueError(f"{name} is not finite")
    return number


def _texts(group: Mapping[str, np.ndarray], name: str) -> list[str]:
    letters = group.get(name)
    if letters is None or letters.dtype != "S1" or letters.size == 0:
        return []
    rows = np.atleast_1d(letters).reshape(-1, (letters.shape or (1,))[-1])
    return [b"".join(row.tolist()).decode("utf-8", "replace").strip() for row in rows]


def _labels(point: Mapping[str, np.ndarray]) -> list[str]:
    """All labels; a parameter holds 255 at most, and others go on after it."""
    labels, number = _texts(point, "LABELS"), 2
    while f"LABELS{number}" in point:
        labels += _texts(point, f"LABELS{number}")
        number += 1
    return labels
