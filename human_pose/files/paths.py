"""Finding files, and replacing them at once or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from human_pose.files.errors import InputError, one_line

_ABOVE_PACKAGE: Final = Path(__file__).resolve().parents[2]

# The checkout; for a package installed without one, the current folder.
PROJECT_ROOT: Final = (
    _ABOVE_PACKAGE if (_ABOVE_PACKAGE / "set.sh").exists() else Path.cwd()
)

# In the name of every temporary file, before the ending that some libraries ask for.
_PART: Final = ".part"


def locate(path: str | os.PathLike[str], *, also_under: Iterable[Path] = ()) -> Path:
    """Finds an existing file or folder.

    Args:
      path: absolute, or relative to the current folder, the project's root or one of
        `also_under`, tried in that order.
      also_under: further folders to look in.

    Raises:
      InputError: if it exists nowhere; the message lists every place tried.
    """
    path = Path(path).expanduser()
    places = [Path.cwd() / path, PROJECT_ROOT / path]
    places += [Path(folder) / path for folder in also_under]
    places = list(dict.fromkeys(places))  # an absolute path is one place
    for place in places:
        if place.exists():
            return place
    raise InputError(f"{path} not found; looked for {', '.join(map(str, places))}")


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
