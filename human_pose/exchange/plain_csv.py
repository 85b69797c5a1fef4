"""Plain tables of detections, `.csv`, long or wide; pixels.

  long: a row for each joint: `frame,view,joint,x,y,confidence`, and besides, if needed,
    `person` (a number within the frame and view, in no order) and `sequence`.
  wide: a row for each frame: `frame`, and for each view and joint `<view>/<joint>/x`,
    `<view>/<joint>/y` and, if known, `<view>/<joint>/confidence`.

`likelihood`, `score`, `visibility` and `conf` are other words for confidence. An empty
cell, NaN or (0, 0) is a joint that was not found; where there is no confidence it is 1.
Columns that are not read are told of. Views and joints have the order in which they
come first.
"""

import csv
import logging
import os
from collections.abc import Mapping
from typing import Final

import numpy as np

from human_pose.exchange.detections import pixels, unit_confidence
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording, integers
from human_pose.exchange.sources import first_row, table_rows
from human_pose.files.arrays import MOST_BYTES, refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, read_text
from human_pose.geometry.joint_words import from_names

_LONG: Final = ("frame", "view", "joint", "x", "y")
_CONFIDENCE: Final = "confidence"
_PARTS: Final = ("x", "y", _CONFIDENCE)
# Other detectors' words for it, in whatever case.
_SURE: Final = ("conf", "likelihood", "score", "visibility")
_FURTHER: Final = ("person", "sequence", _CONFIDENCE)
_SLASH: Final = "/"
# The table is dense: few rows may name many frames, views, people and joints.
_MOST_CELLS_A_ROW: Final = 1_000
_ALWAYS_CELLS: Final = 1_000_000

_Columns = Mapping[str, list[str]]


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins with the columns of such a table."""
    names = _header(first_row(path))
    return set(_LONG) <= set(names) or ("frame" in names and bool(_wide_names(names)))


def read(path: str | os.PathLike[str], *, fps: float | None = None) -> Recording:
    """Reads a table.

    Args:
      path: the file.
      fps: frames a second, which the file does not say.

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    with refusing(path, "is no table of detections"):
        names, *rows = table_rows(read_text(path, MOST_BYTES).splitlines())
        if not any(rows):
            raise InputError(f"{path}: must hold a row below its columns' names")
        cells = zip(*(row for row in rows if row), strict=True)
        header = _header(names)
        _check_columns(str(path), names, header)
        columns = dict(zip(header, map(list, cells), strict=True))
        _tell_unread(str(path), columns)
        if not set(_LONG) <= set(columns):
            columns = _lengthened(columns)
        return _from_long(str(path), columns, fps)


def write(path: str | os.PathLike[str], recording: Recording) -> None:
    """Writes the long form; frame rate, cameras and tracks are lost.

    Raises:
      InputError: if the file cannot be written.
    """
    people = range(recording.joints_2d_px.shape[2])
    with (
        atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sequence", "frame", "view", "person", "joint", *_PARTS])
        for row, numbers in enumerate(
            zip(recording.sequence.tolist(), recording.frames.tolist(), strict=True)
        ):
            for place, view in enumerate(recording.view_names):
                for person in people:
                    x_y = recording.joints_2d_px[row, place, person].tolist()
                    seen = recording.confidence[row, place, person].tolist()
                    writer.writerows(
                        (*numbers, view, person, joint, x, y, confidence)
                        if confidence
                        else (*numbers, view, person, joint, "", "", 0)
                        for joint, (x, y), confidence in zip(
                            recording.skeleton.names, x_y, seen, strict=True
                        )
                    )


def _header(names: list[str]) -> list[str]:
    """The columns' names, with our word for confidence where it is not there itself."""
    split = [name.strip().rpartition(_SLASH) for name in names]
    said = {before for before, _, last in split if last.lower() == _CONFIDENCE}
    words = []
    for before, slash, last in split:
        known = last.lower() in (_CONFIDENCE, *(() if before in said else _SURE))
        words.append(f"{before}{slash}{_CONFIDENCE if known else last}")
    return words


def _check_columns(source: str, names: list[str], header: list[str]) -> None:
    """Refuses columns that mean the same, of which one would be lost.

    Raises:
      InputError: naming them.
    """
    for word in header:
        if header.count(word) > 1:
            same = [n for n, h in zip(names, header, strict=True) if h == word]
            raise InputError(
                f"{source}: columns must mean different things; {' and '.join(same)} "
                f"are all {word!r}"
            )


def _tell_unread(source: str, columns: _Columns) -> None:
    """Warns of columns that nothing is made of."""
    if set(_LONG) <= set(columns):
        read = {*_LONG, *_FURTHER}
    else:
        joints = _wide_names(list(columns))
        read = {"frame", *(_SLASH.join((*j, part)) for j in joints for part in _PARTS)}
    if unread := [name for name in columns if name not in read]:
        logging.warning("%s: columns that are not read: %s", source, ", ".join(unread))


def _wide_names(names: list[str]) -> list[tuple[str, str]]:
    """Views and joints of the columns that are x."""
    split = (name.rsplit(_SLASH, 2) for name in names)
    return [(s[0], s[1]) for s in split if len(s) == len(_PARTS) and s[2] == "x"]


def _lengthened(wide: _Columns) -> dict[str, list[str]]:
    """The long form of a wide table."""
    long: dict[str, list[str]] = {name: [] for name in (*_LONG, _CONFIDENCE)}
    rows = len(wide["frame"])
    for view, joint in _wide_names(list(wide)):
        long["frame"] += wide["frame"]
        long["view"] += [view] * rows
        long["joint"] += [joint] * rows
        for part in _PARTS:
            name = _SLASH.join((view, joint, part))
            missing = ["1"] * rows if part == _CONFIDENCE else None
            found = wide.get(name, missing)
            if found is None:
                raise ValueError(f"there is no column {name}")
            long[part] += found
    return long


def _from_long(source: str, columns: _Columns, fps: float | None) -> Recording:
    rows = len(columns["frame"])
    takes, numbered, people = (
        integers(f"{source}: {name}", _numbers(columns.get(name, ["0"] * rows)))
        for name in ("sequence", "frame", "person")
    )
    numbers = np.stack([takes, numbered], 1)
    frames, frame_of = np.unique(numbers, axis=0, return_inverse=True)
    views, view_of = _listed(columns["view"])
    joints, joint_of = _listed(columns["joint"])
    persons, person_of = np.unique(people, return_inverse=True)
    shape = (len(frames), len(views), len(persons), len(joints))
    if np.prod(shape, dtype=float) > max(_ALWAYS_CELLS, _MOST_CELLS_A_ROW * rows):
        raise ValueError(f"{rows} rows for {list(shape)} frames, views, people, joints")
    places = np.ravel_multi_index(
        (frame_of.reshape(-1), view_of, person_of, joint_of), shape
    )
    if len(np.unique(places)) < rows:
        raise InputError(f"{source}: each joint must have one row; some have two")
    values = np.full((np.prod(shape), len(_PARTS)), np.nan)
    for part, name in enumerate(_PARTS):
        values[places, part] = _numbers(columns.get(name, ["1"] * rows))
    values = values.reshape(*shape, len(_PARTS))
    return Recording(
        pixels(source, values[..., :2]),
        unit_confidence(source, values[..., 2], 1.0),
        from_names(joints),
        tuple(views),
        fps=fps,
        frames=frames[:, 1],
        sequence=frames[:, 0],
        source=source,
    )


def _listed(words: list[str]) -> tuple[list[str], np.ndarray]:
    """Each word once, as it comes first, and the place of each."""
    order = {word: place for place, word in enumerate(dict.fromkeys(words))}
    return list(order), np.array([order[word] for word in words], np.int64)


def _numbers(cells: list[str]) -> np.ndarray:
    return np.array([float(cell or "nan") for cell in cells])


FORMAT: Final = Format(
    "csv",
    "recording",
    "plain .csv of detections",
    (".csv",),
    recognises,
    read,
    write,
    options=("fps",),
)
