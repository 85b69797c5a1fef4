"""Reading and writing files so that nothing is silently wrong or half-written."""

import io
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

_ABOVE_PACKAGE: Final = Path(__file__).resolve().parent.parent

# The checkout; for a package installed without one, the current folder.
PROJECT_ROOT: Final = (
    _ABOVE_PACKAGE if (_ABOVE_PACKAGE / "set.sh").exists() else Path.cwd()
)

# A dimension is a number, or a letter that must stand for one size within a file.
Shape = tuple[int | str, ...]

# How every dataset of one or more dimensions is stored.
COMPRESSION: Final[Mapping[str, Any]] = {"compression": "gzip", "shuffle": True}


class InputError(ValueError):
    """A mistake in what the user gave; the message is one line that names it."""


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
            dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix
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


def check_is_file(path: Path) -> None:
    """Refuses what is no file.

    Raises:
      InputError: naming it, if it is a folder or does not exist.
    """
    if path.is_dir():
        raise InputError(f"{path}: must be a file; it is a folder")
    if not path.is_file():
        raise InputError(f"{path}: no such file")


def read_h5(
    path: str | os.PathLike[str], shapes: Mapping[str, Shape]
) -> dict[str, np.ndarray]:
    """Reads named numeric arrays from an HDF5 file and checks them.

    Args:
      path: the file.
      shapes: for each dataset its shape; a letter stands for any size, the same
        wherever the letter returns.

    Returns:
      The arrays, float64 (integers stay integers).

    Raises:
      InputError: naming the file, the dataset and the rule, if the file is missing,
        truncated or not HDF5, a dataset is missing, not numeric, of another shape,
        or holds NaN or infinity.
    """
    path = Path(path)
    check_is_file(path)
    try:
        with h5py.File(path, "r") as file:
            missing = [name for name in shapes if name not in file]
            if missing:
                raise InputError(
                    f"{path}: must hold {', '.join(missing)}; "
                    f"it holds {', '.join(file) or 'nothing'}"
                )
            groups = [name for name in shapes if isinstance(file[name], h5py.Group)]
            if groups:
                raise InputError(
                    f"{path}: {groups[0]} must be a dataset; it is a group"
                )
            arrays: dict[str, Any] = {name: file[name][()] for name in shapes}
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"{path}: is not a readable HDF5 file ({_one_line(error)})"
        ) from error
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        arrays[name] = _checked(
            f"{path}: {name}", np.asarray(arrays[name]), shape, sizes
        )
    return arrays


def write_h5(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Writes arrays as datasets of one HDF5 file, atomically.

    Equal arrays give equal bytes (no time stamps), so a file made from a seed can be
    compared with `cmp`.

    Raises:
      InputError: if the file cannot be written.
    """
    # Made in memory: HDF5 brings the process down when a disk is full.
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, array in arrays.items():
            array = np.asarray(array)
            # Filters do not apply to scalars.
            options = COMPRESSION if array.ndim else {}
            file.create_dataset(name, data=array, track_times=False, **options)
    with atomic(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _checked(
    name: str, array: np.ndarray, shape: Shape, sizes: dict[str, int]
) -> np.ndarray:
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise InputError(f"{name} must be real numbers; received {array.dtype}")
    expected = [sizes.get(n, n) if isinstance(n, str) else n for n in shape]
    if array.ndim != len(shape) or any(
        isinstance(n, int) and n != size
        for n, size in zip(expected, array.shape, strict=True)
    ):
        wanted = ", ".join(map(str, expected))
        raise InputError(
            f"{name} must have shape [{wanted}]; received {list(array.shape)}"
        )
    for n, size in zip(shape, array.shape, strict=True):
        if isinstance(n, str):
            sizes[n] = size
    if np.issubdtype(array.dtype, np.integer):
        return array
    if not np.all(np.isfinite(array)):
        count = int(np.sum(~np.isfinite(array)))
        first = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise InputError(
            f"{name} must be finite; {count} values are not, the first at {first}"
        )
    return array.astype(np.float64)


def _unwritable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or _one_line(error)
    return InputError(f"{path}: cannot be written: {reason}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
