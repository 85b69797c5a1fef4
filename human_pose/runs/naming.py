"""Pictures that are named after an input, where another input may have the same name.

Each tells in itself what it was made from. So a second one of an input replaces the
first, and never that of another input: `cam1/0001.png` and `cam2/0001.png`. What else
is written of an input has its picture's name, such as `0001.csv`.
"""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure
from PIL import Image

from human_pose.files.errors import InputError
from human_pose.runs import drawing

_NOTE: Final = "Input"
_LONGEST: Final = 40  # letters of an input's name within a result's
# Bytes of a name that is taken whole: of 255, less what temporary files have besides.
_LONGEST_WHOLE: Final = 200


def save(
    figure: Figure, path: str | os.PathLike[str], source: str | os.PathLike[str]
) -> Path:
    """Saves the picture of an input, at once or not at all.

    Args:
      figure: the picture.
      path: where to, a PNG file, unless another input's picture, or another file of
        that name whatever its ending, is there.
      source: the input.

    Returns:
      Where it is: `path`, or beside it `<name>_<folder>_<input>_<number>.png` with the
      names of the input and its folder, and a number that follows from its whole path.

    Raises:
      InputError: if it cannot be written.
    """
    path, source = Path(path), whole(source)
    unique = _beside(path, source)
    draw(figure, unique, source)
    if _is_of(path, source):
        unique.replace(path)
    elif not _moved_to_new(unique, path):
        return unique
    return path


class Names:
    """The names of many inputs' results in a folder, of which some may be there.

    Args:
      folder: of the results; need not exist.
      owners: whose the results of a name are, by whole paths, where that is known.
    """

    def __init__(
        self, folder: str | os.PathLike[str], owners: Mapping[str, str]
    ) -> None:
        self._folder = Path(folder)
        self._owners = dict(owners)
        there = self._folder.iterdir() if self._folder.is_dir() else ()
        self._taken = {path.stem for path in there}

    def of(self, source: str | os.PathLike[str]) -> str:
        """The name of an input's results, without ending: its own, or as `save` says.

        A result that is there is another input's unless it is known to be this one's.
        """
        source = whole(source)
        name = source.stem
        if not self._is_free(name, source):
            name = _beside(self._folder / f"{name}.png", source).stem
        self._taken.add(name)
        self._owners[name] = str(source)
        return name

    def _is_free(self, name: str, source: Path) -> bool:
        if len(os.fsencode(name)) > _LONGEST_WHOLE:
            return False
        if name not in self._taken or self._owners.get(name) == str(source):
            return True
        drawn = self._folder / f"{name}.png"
        return name not in self._owners and _is_of(drawn, source)


def draw(
    figure: Figure, path: str | os.PathLike[str], source: str | os.PathLike[str]
) -> None:
    """Saves the picture of an input under a name that is its own.

    Raises:
      InputError: if it cannot be written.
    """
    drawing.save(figure, path, notes={_NOTE: whole(source).as_uri()})


def withdraw(path: str | os.PathLike[str], source: str | os.PathLike[str]) -> None:
    """Removes the picture of an input, where results are new and it is not drawn again.

    Args:
      path: where it may be; what is no picture of this input stays.
      source: the input.

    Raises:
      InputError: if it cannot be removed.
    """
    path = Path(path)
    if path.exists() and _is_of(path, whole(source)):
        try:
            path.unlink()
        except OSError as error:
            raise InputError(f"{path}: cannot be removed: {error.strerror}") from error


def whole(source: str | os.PathLike[str]) -> Path:
    """The whole path of an input, by which it is known.

    A link to a file is an input of its own name: what it leads to may bear a number
    that nobody chose, or be another input, too.
    """
    source = Path(source)
    return source.parent.resolve() / source.name


def _beside(path: Path, source: Path) -> Path:
    number = zlib.crc32(os.fsencode(source))
    names = "_".join(dict.fromkeys([path.stem, source.parent.name, source.stem]))
    return path.with_name(f"{names[:_LONGEST]}_{number:08x}{path.suffix}")


def _is_of(path: Path, source: Path) -> bool:
    """Whether a picture is there that was made here, of this input."""
    try:
        with Image.open(path) as picture:
            return picture.info.get(_NOTE) == source.as_uri()
    # Whatever it is that Pillow cannot read, it was not made here.
    except Exception:
        return False


def _moved_to_new(old: Path, new: Path) -> bool:
    """Moves a file to where none of that name is; says whether it did.

    A link is never made over a file, so of two processes one is the first.
    """
    # Of a picture that was moved away a table may be left.
    if any(other.stem == new.stem for other in new.parent.iterdir()):
        return False
    try:
        new.hardlink_to(old)
    # Beside a file being there: the name is too long, or the disk knows no links.
    except OSError:
        return False
    old.unlink()
    return True
