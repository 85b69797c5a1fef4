"""Finding files, and replacing them at once or not at all."""

import os
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from human_pose.files.errors import InputError, one_line

_PACKAGE: Final = Path(__file__).resolve().parents[1]

# Whether the package is used from a checkout, where it is not installed or editable.
IN_CHECKOUT: Final = (_PACKAGE.parent / "set.sh").is_file()

# What relative paths fall back to, for reading: the checkout, or the files that a wheel
# has of it (setup.py), which are laid out alike.
PROJECT_ROOT: Final = _PACKAGE.parent if IN_CHECKOUT else _PACKAGE / "embedded"

# In the name of every temporary file, before the ending that some libraries ask for.
_PART: Final = ".part"

_UMASK: Final = Lock()

# Text files here have a line or a page; a megabyte is a book.
MOST_TEXT_BYTES: Final = 1 << 20


def composed(name: str) -> str:
    """A name whose letters have their accents within, as macOS's files have not."""
    return unicodedata.normalize("NFC", name)


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path from home where it begins with `~`, or with `~` and a user that there is.

    Pathlib's raises for one that there is not.
    """
    return Path(os.path.expanduser(path))


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file or folder, of whatever kind.

    None has a name that no file can have, or is in a folder that may not be looked
    into, for which pathlib raises.
    """
    return os.path.exists(path)


def locate(
    path: str | os.PathLike[str], *, also_under: Iterable[str | os.PathLike[str]] = ()
) -> Path:
    """Finds an existing file or folder, to be read.

    Args:
      path: absolute, or relative to the current folder, else to `PROJECT_ROOT`; then
        the same in each folder of `also_under`.
      also_under: further folders to look in, absolute or relative as `path`.

    Returns:
      An absolute path.

    Raises:
      InputError: if it exists nowhere, the message lists every place tried; or if the
        system does not tell, as of a name that is too long.
    """
    path, here = expanded(path), _current_folder()
    paths = [path, *(expanded(folder) / path for folder in also_under)]
    # An absolute path is one place.
    places = dict.fromkeys(
        base / each for each in paths for base in (here, PROJECT_ROOT)
    )
    for place in places:
        try:
            if place.exists():
                return place
        except OSError as error:
            raise _unreadable(place, error) from error
    raise InputError(f"{path} not found; looked for {', '.join(map(str, places))}")


def output_path(path: str | os.PathLike[str]) -> Path:
    """The place of what is to be written: absolute, or relative to the current folder.

    Raises:
      InputError: if the system does not tell what is there, as where the name is too
        long, or a folder on the way may not be looked into.
    """
    whole = _whole(path)
    try:
        whole.exists()
    except OSError as error:
        raise _unwritable(whole, error) from error
    return whole


def _whole(path: str | os.PathLike[str]) -> Path:
    """The absolute path of what is to be written; relative to the current folder."""
    path = expanded(path)
    return path if path.is_absolute() else _current_folder() / path


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`, renamed to it when the block succeeds.

    On any error the temporary file is removed and `path` stays as it was. Of a link the
    link is replaced, never what it leads to.

    Raises:
      InputError: if the folder cannot be made or the file written, for example because
        the disk is full; or if what is there is no file.
    """
    path = Path(path)
    try:
        if path.exists():
            check_is_file(path)  # a device would become a file
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=f"{_PART}{path.suffix}"
        )
    except OSError as error:
        raise _unwritable(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; results are for everyone the umask allows.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)  # gone already if all went well


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary folder beside `path`, renamed to it when the block succeeds.

    On any error the temporary folder is removed.

    Raises:
      InputError: if something is there already that is no empty folder, or it cannot be
        written.
    """
    path = Path(path)
    if is_there(path) and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path}: must be a new or an empty folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=path.parent, prefix=f".{path.name}.", suffix=_PART
        ) as temporary:
            made = Path(temporary) / path.name
            made.mkdir()
            yield made
            made.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def leftovers(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """The temporary files in a folder of processes that were killed while writing.

    Those of living ones are among them: only for a folder that nobody writes to.
    """
    # Eight letters are what `tempfile` draws.
    return Path(folder).glob(f".*.????????{_PART}*")


def check_is_file(path: str | os.PathLike[str]) -> None:
    """Refuses what is no file, such as a pipe, whose reader would wait for ever.

    Raises:
      InputError: naming it, if it is something else or does not exist, or the system
        does not tell, as of a name that is too long.
    """
    path = Path(path)
    try:
        if path.is_file():
            return
        if path.is_dir():
            raise InputError(f"{path}: must be a file; it is a folder")
        if path.exists():
            raise InputError(f"{path}: must be a file; it is a device or a pipe")
    except OSError as error:
        raise _unreadable(path, error) from error
    raise InputError(f"{path}: no such file")


def read_bytes(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """The content of a small file.

    Args:
      path: the file.
      most_bytes: how large it may be.

    Raises:
      InputError: naming the file, if it is missing, unreadable or larger.
    """
    path = Path(path)
    check_is_file(path)
    try:
        with path.open("rb") as file:
            # Python takes as much memory as is asked for before it reads; what has no
            # size yet may be a file of the system's.
            size = os.fstat(file.fileno()).st_size or most_bytes
            content = file.read(min(size, most_bytes) + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(content) > most_bytes:
        raise InputError(f"{path}: must have at most {most_bytes} bytes; it has more")
    return content


def read_text(path: str | os.PathLike[str], most_bytes: int = MOST_TEXT_BYTES) -> str:
    """The text of a small file in UTF-8, without the byte-order mark of some editors.

    Args:
      path: the file.
      most_bytes: how large it may be.

    Raises:
      InputError: naming the file, if it is missing, unreadable, larger or not text.
    """
    content = read_bytes(path, most_bytes)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from error


def _umask() -> int:
    """What the process takes off new files' modes; it can only be read by setting it.

    By one thread at a time: another would read what this one has set, and leave that.
    """
    with _UMASK:
        mask = os.umask(0)
        os.umask(mask)
    return mask


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise InputError("the current folder does not exist any more") from None


def _unreadable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or one_line(error)
    return InputError(f"{path}: cannot be read: {reason}")


def _unwritable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or one_line(error)
    return InputError(f"{path}: cannot be written: {reason}")
