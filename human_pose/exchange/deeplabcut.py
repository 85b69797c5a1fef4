"""DeepLabCut's tables of one animal or several, h5 or csv, one file for each view.

Columns have the levels scorer, (individuals,) bodyparts and coords (x, y, likelihood),
rows are frames. In h5 files pandas and PyTables keep the columns' names as a pickle
beside the table `<key>/table`; it is read as `files.pickles` does, without either.
See github.com/DeepLabCut/DeepLabCut, "Output" of analyze_videos.
"""

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from human_pose.exchange.detections import View, join
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording, integers
from human_pose.exchange.sources import (
    any_recognised,
    first_row,
    one_per_view,
    table_rows,
)
from human_pose.files.arrays import MOST_BYTES, refusing
from human_pose.files.errors import InputError
from human_pose.files.h5 import h5_ranks, read_h5_table
from human_pose.files.paths import read_text
from human_pose.files.pickles import unpickle
from human_pose.geometry.joint_words import from_names

_LEVELS: Final = ("scorer", "individuals", "bodyparts", "coords")
_KEYS: Final = ("df_with_missing", "tracks")
_BLOCK: Final = "values_block_{}"
# Of a video's name the network's follows: cam1DLC_resnet50_...
_NETWORK: Final = re.compile(r"_?DLC_?[A-Za-z].*$")
_COORDS: Final = ("x", "y", "likelihood")


class _Table(NamedTuple):
    """Frames `[F]`, columns as their levels but the scorer, values `[F, columns]`."""

    frames: np.ndarray
    columns: Sequence[tuple[str, ...]]
    values: np.ndarray


def _read(
    path: str | os.PathLike[str],
    suffix: str,
    recognises: Callable[[Path], bool],
    read_table: Callable[[Path], _Table],
    *,
    fps: float | None = None,
) -> Recording:
    """Reads the file of a view, or a folder with one for each, called as the views.

    Args:
      path: the file or folder.
      suffix: of the files.
      recognises: whether a file is a table.
      read_table: reads one.
      fps: frames a second, which the files do not say.

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    files = one_per_view(path, suffix, recognises, _view_name)
    tables = {name: read_table(each) for name, each in files.items()}
    parts = _parts(next(iter(tables.values())))
    for name, table in tables.items():
        if set(_parts(table)) != set(parts):
            raise InputError(
                f"{files[name]}: must have the body parts of the other views, "
                f"{', '.join(parts)}; received {', '.join(_parts(table))}"
            )
    with refusing(path, "has no body parts of a skeleton"):
        skeleton = from_names(parts)
    views = {name: _view(files[name], t, parts) for name, t in tables.items()}
    return join(str(path), views, skeleton, fps=fps)


def _view_name(path: Path) -> str:
    return _NETWORK.sub("", path.stem) or path.stem


def _parts(table: _Table) -> list[str]:
    return list(dict.fromkeys(column[-2] for column in table.columns))


def _view(path: Path, table: _Table, parts: list[str]) -> View:
    people = list(dict.fromkeys(column[:-2] for column in table.columns))
    shape = (len(table.frames), len(people), len(parts), len(_COORDS))
    values = np.full(shape, np.nan)
    values[..., 2] = 1.0  # of labels, which have no likelihood
    for place, column in enumerate(table.columns):
        if column[-1] not in _COORDS:
            raise InputError(
                f"{path}: coords must be {', '.join(_COORDS)}; received {column[-1]!r}"
            )
        person, part = people.index(column[:-2]), parts.index(column[-2])
        values[:, person, part, _COORDS.index(column[-1])] = table.values[:, place]
    several = any(people)
    tracks = np.arange(len(people)) if several else np.full(len(people), -1)
    return View(table.frames, values, np.broadcast_to(tracks, shape[:2]))


def _key(path: Path) -> str | None:
    """The name of the table's group in an h5 file; None in others."""
    groups = h5_ranks(path)
    return next((key for key in _KEYS if groups.get(key) == 0), None)


def _is_h5(path: Path) -> bool:
    return _key(path) is not None


def _read_h5(path: Path) -> _Table:
    columns, attributes = read_h5_table(path, f"{_key(path)}/table")
    names: list[tuple[str, ...]] = []
    blocks: list[np.ndarray] = []
    with refusing(path, "is no table of DeepLabCut"):
        while (block := _BLOCK.format(len(blocks))) in columns:
            listed = unpickle(path, attributes[f"{block}_kind"])
            names += [tuple(map(str, column[1:])) for column in listed]
            blocks.append(columns[block])
        values = np.concatenate(blocks, axis=1)
        frames = integers(f"{path}: index", columns["index"])
        _check_columns(names, values)
    return _Table(frames, names, values)


def _is_csv(path: Path) -> bool:
    return first_row(path)[:1] == [_LEVELS[0]]


def _read_csv(path: Path) -> _Table:
    with refusing(path, "is no table of DeepLabCut"):
        rows = table_rows(read_text(path, MOST_BYTES).splitlines())
        heads = {row[0]: row[1:] for row in rows[: len(_LEVELS)] if row[0] in _LEVELS}
        levels = [heads[level] for level in _LEVELS[1:] if level in heads]
        names = list(zip(*levels, strict=True))
        body = [row for row in rows[len(heads) :] if row]
        frames = np.array([int(row[0]) for row in body], np.int64)
        values = np.array([[float(n or "nan") for n in row[1:]] for row in body])
        _check_columns(names, values)
    return _Table(frames, names, values)


def _check_columns(names: Sequence[tuple[str, ...]], values: np.ndarray) -> None:
    if values.shape[1:] != (len(names),) or len(set(names)) < len(names):
        raise ValueError(f"{len(names)} columns, values {list(values.shape)}")
    if {len(name) for name in names} - {2, 3}:
        raise ValueError("columns must have the levels bodyparts and coords")


def _format(
    name: str,
    title: str,
    suffix: str,
    is_table: Callable[[Path], bool],
    read_table: Callable[[Path], _Table],
) -> Format:
    return Format(
        name,
        "recording",
        title,
        (),
        partial(any_recognised, suffix=suffix, recognises=is_table),
        partial(_read, suffix=suffix, recognises=is_table, read_table=read_table),
        options=("fps",),
    )


FORMATS: Final = (
    _format("deeplabcut", "DeepLabCut h5", ".h5", _is_h5, _read_h5),
    _format("deeplabcut_csv", "DeepLabCut csv", ".csv", _is_csv, _read_csv),
)
