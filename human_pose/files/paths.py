"""Finding files, and replacing them at once or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
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
      InputError: if it exists nowhere; the message lists every place tried.
    """
    path = Path(path).expanduser()
    paths = [path, *(Path(folder).expanduser() / path for folder in also_under)]
    # An absolute path is one place.
    places = dict.fromkeys(
        base / each for each in paths for base in (Path.cwd(), PROJECT_ROOT)
    )
    for place in places:
        if place.exists():
            return place
    raise InputError(f"{path} not found; looked for {', '.join(map(str, places))}")


def output_path(path: str | os.PathLike[str]) -> Path:
    """The absolute path of what is to be written; relative to the current folder."""
    return Path(path).expanduser().absolute()


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`, renamed to it when the block succeeds.

    On any error the temporary file is removed and `path` stays as it was.

    Raises:
      InputError: if the folder cannot be made or the file written, for example because
        the disk is full.
    """
    path = Path(path)
    try:
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
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)  # gone already if all went well


def leftovers(folder: Path) -> Iterator[Path]:
    """The temporary files in a folder of processes that were killed while writing.

    Those of living ones are among them: only for a folder that nobody writes to.
    """
    # Eight letters are what `tempfile` draws.
    return folder.glob(f".*.????????{_PART}*")


def check_is_file(path: Path) -> None:
    """Refuses what is no file.

    Raises:
      InputError: naming it, if it is a folder or does not exist.
    """
    if path.is_dir():
        raise InputError(f"{path}: must be a file; it is a folder")
    if not path.is_file():
        raise InputError(f"{path}: no such file")


def _unwritable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or one_line(error)
    return InputError(f"{path}: cannot be written: {reason}")
