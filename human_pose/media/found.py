"""The picture files that words name: files, folders and patterns."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from human_pose.files.errors import InputError, one_line
from human_pose.files.paths import expanded, is_there, locate
from human_pose.media.pictures import SUFFIXES


@dataclass
class Found:
    """What words name.

    Attributes:
      files: each once, as they are named; in a folder by their numbers and names.
      missing: what is not there, with the reason.
      passed_over: files in folders whose endings are no picture's.
    """

    files: list[Path] = field(default_factory=list)
    missing: list[tuple[str, InputError]] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)


def find_pictures(
    words: Iterable[str], *, results: str | os.PathLike[str] | None = None
) -> Found:
    """Finds the pictures that words name.

    Args:
      words: each a file, a folder, a pattern such as `cam?/*.jpg` (`**` stands for
        folders), or several of these with commas in between. Folders count with all
        below them, but for hidden ones.
      results: a folder to leave out, because pictures are written there.
    """
    found = Found()
    kept: dict[Path, None] = {}
    left_out = None if results is None else Path(results).resolve()
    for word in (part for several in words for part in _parts(several)):
        try:
            for path in _named(word):
                folder = path.is_dir()
                inside = _below(path, left_out, found) if folder else [path]
                kept.update(dict.fromkeys(inside))
        except InputError as error:
            found.missing.append((word, error))
    found.files = list(kept)
    return found


def _parts(word: str) -> list[str]:
    """A word, or those between its commas, which a file's name may have too."""
    if "," not in word or is_there(expanded(word)):
        return [word]
    return [part.strip() for part in word.split(",") if part.strip()]


def _named(word: str) -> list[Path]:
    """The files and folders of a word without commas.

    Raises:
      InputError: if there are none.
    """
    if not has_magic(word) or is_there(expanded(word)):
        return [locate(word)]
    pattern = str(expanded(word).absolute())
    matches = sorted(map(Path, glob(pattern, recursive=True)), key=_order)
    if not matches:
        raise InputError(f"{word}: no file's name is like this")
    return matches


def _below(folder: Path, left_out: Path | None, found: Found) -> Iterator[Path]:
    """The pictures in a folder and below.

    Raises:
      InputError: if there are none, or a folder cannot be looked into.
    """
    pictures = 0
    seen = {folder.resolve(), *folder.resolve().parents}  # a link to them is a circle
    if left_out is not None:
        seen.add(left_out)
    for here, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = _unseen(here, folders, seen)
        shown = (Path(here, name) for name in names if not name.startswith("."))
        for path in sorted(shown, key=_order):
            if path.suffix.lower() in SUFFIXES:
                pictures += 1
                yield path
            else:
                found.passed_over.append(path)
    if not pictures:
        raise InputError(f"{folder}: holds no pictures ({' '.join(sorted(SUFFIXES))})")


def _unseen(here: str, names: Iterable[str], seen: set[Path]) -> list[str]:
    """The folders to look into, in order, which count as seen from here on."""
    chosen = []
    for name in sorted(names):
        real = Path(here, name).resolve()
        if not name.startswith(".") and real not in seen:
            seen.add(real)
            chosen.append(name)
    return chosen


def _refuse(error: OSError) -> None:
    reason = error.strerror or one_line(error)
    raise InputError(f"{error.filename}: cannot be read: {reason}") from error


def _order(path: Path) -> list[tuple[bool, int, str]]:
    """By numbers in the name, so that 9.png comes before 10.png."""
    parts: list[Any] = re.split(r"([0-9]+)", str(path))
    return [(p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts]
