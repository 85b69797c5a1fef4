"""HDF5 files: read with every rule checked, written at once or not at all."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from human_pose.files.errors import InputError, one_line
from human_pose.files.paths import atomic, check_is_file

# A dimension is a number, or a letter that must stand for one size within a file.
Shape = tuple[int | str, ...]

# How every dataset of one or more dimensions is stored.
COMPRESSION: Final[Mapping[str, Any]] = {"compression": "gzip", "shuffle": True}


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
            f"{path}: is not a readable HDF5 file ({one_line(error)})"
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
