"""Files and folders of detections: told apart by what they hold, one for each view."""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from human_pose.files.arrays import MOST_BYTES, refusing
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.files.paths import MOST_TEXT_BYTES, read_text

# Enough to see how a file begins; files of all detections may have gigabytes.
_HEAD_BYTES: Final = 1 << 16
# What may part a table's cells; spreadsheets of half the world write the second.
_PARTINGS: Final = ",;\t"
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
# Python 3.10 has it as a package.
_TOML: Final = "tomllib" if sys.version_info >= (3, 11) else "tomli"


def head(path: str | os.PathLike[str]) -> str:
    """How a file begins, as text; nothing if it is no file, or cannot be read."""
    path = Path(path)
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            text = file.read(_HEAD_BYTES).decode("utf-8", "replace")
            return text.lstrip("\ufeff \t\r\n")
    except OSError:
        return ""


def table_rows(lines: Sequence[str]) -> list[list[str]]:
    """The cells of a table's rows, parted as in its first one; no spaces around them.

    Where these are not parted by commas, numbers may have them in the place of points.

    Args:
      lines: of the file.
    """
    first = lines[0] if lines else ""
    parting = next((mark for mark in _PARTINGS if mark in first), _PARTINGS[0])
    rows = csv.reader(lines, delimiter=parting, skipinitialspace=True)
    clean = str.strip if parting == _PARTINGS[0] else _with_point
    return [list(map(clean, row)) for row in rows]


def first_row(path: str | os.PathLike[str]) -> list[str]:
    """The cells of a table's first row; none of what is no table."""
    try:
        return next(iter(table_rows(head(path).splitlines()[:1])), [])
    except csv.Error:
        return []


def _with_point(cell: str) -> str:
    cell = cell.strip()
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a JSON file holds.

    Raises:
      InputError: if it is missing, too large or no JSON.
    """
    with refusing(path, "is no readable JSON file"):
        return json.loads(read_text(path, MOST_BYTES))


def read_toml(
    path: str | os.PathLike[str], most_bytes: int = MOST_TEXT_BYTES
) -> dict[str, Any]:
    """What a TOML file holds.

    Args:
      path: the file.
      most_bytes: how large it may be.

    Raises:
      InputError: if it is missing, too large or no TOML, or nothing reads that here.
    """
    text = read_text(path, most_bytes)
    toml = needed(_TOML, str(path))
    with refusing(path, "is no readable TOML file"):
        return dict(toml.loads(text))


def files_in(folder: str | os.PathLike[str], *suffixes: str) -> list[Path]:
    """The files of a folder with these endings, in order; not those of macOS's copies.

    What is no folder, or cannot be read, has none.
    """
    folder = Path(folder)
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        return []
    return [
        path
        for path in found
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
        if path.is_file()
    ]


def folders_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The folders in a folder, in order, but for hidden ones."""
    folder = Path(folder)
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:
        return []
    return [p for p in found if p.is_dir() and not p.name.startswith(".")]


def one_per_view(
    path: str | os.PathLike[str],
    suffix: str,
    recognises: Callable[[Path], bool],
    view_name: Callable[[Path], str] = lambda path: path.stem,
) -> dict[str, Path]:
    """The files of a recording with one file for each view, by the views' names.

    Args:
      path: the file of a single view, a folder of one for each, or a folder of folders
        with one file each, as tools leave them that give all files one name.
      suffix: of such files.
      recognises: whether a file is such a one.
      view_name: what its view is called; in a folder of its own as the folder.

    Raises:
      InputError: if there are none, one is of another format, two are of one view, or a
        view's folder holds several.
    """
    path = Path(path)
    paths = _candidates(path, suffix)
    if not paths:
        raise InputError(f"{path}: must hold a {suffix} file for each view")
    if paths[0].parent not in (path, path.parent):
        _check_alone(path, suffix, recognises)
    views: dict[str, Path] = {}
    for each in paths:
        if path.is_dir() and not recognises(each):
            raise InputError(
                f"{each}: must be of the same format as {paths[0].name}; each {suffix} "
                "file in a folder is a view"
            )
        name = (
            view_name(each) if each.parent in (path, path.parent) else each.parent.name
        )
        if name in views:
            raise InputError(
                f"{path}: {views[name].name} and {each.name} are both of view {name}"
            )
        views[name] = each
    return views


def any_recognised(
    path: str | os.PathLike[str], suffix: str, recognises: Callable[[Path], bool]
) -> bool:
    """Whether `one_per_view` would find a file of the format first."""
    return any(map(recognises, _candidates(Path(path), suffix)[:1]))


def _check_alone(path: Path, suffix: str, recognises: Callable[[Path], bool]) -> None:
    """Refuses a folder of folders of which one would be left out without a word."""
    for folder in folders_in(path):
        files = files_in(folder, suffix)
        if len(files) > 1 and any(map(recognises, files)):
            listed = ", ".join(file.name for file in files)
            raise InputError(
                f"{folder}: must hold one {suffix} file, as the other folders do; it "
                f"has {listed}"
            )


def _candidates(path: Path, suffix: str) -> list[Path]:
    """A file itself, those of a folder, or those that are alone in a folder of it."""
    if not path.is_dir():
        return [path]
    below = (files_in(folder, suffix) for folder in folders_in(path))
    return files_in(path, suffix) or [files[0] for files in below if len(files) == 1]
