"""HDF5 files: read with every rule checked, written at once or not at all.

Before a dataset is read, its links, its shape, its type and how it is stored are looked
at: a file of two kilobytes can ask for terabytes, inflate for hours or lead out to
another file.
"""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from human_pose.files.arrays import (
    Declared,
    Shape,
    check_names,
    checked_values,
    refusing,
)
from human_pose.files.errors import InputError
from human_pose.files.h5_storage import check_stored, chunk_bytes, chunk_count
from human_pose.files.h5_texts import texts_of
from human_pose.files.paths import atomic, check_is_file

# How every dataset of one or more dimensions is stored, with a checksum of each chunk.
COMPRESSION: Final[Mapping[str, Any]] = {
    "compression": "gzip", "shuffle": True, "fletcher32": True, "track_times": False
}  # fmt: skip

# The file format: from 1.10 on, HDF5 keeps checksums of what says where data is.
_VERSION: Final = h5py.h5f.LIBVER_V110

_OWN: Final = h5py.HardLink  # what lies in the file itself


def read_h5(
    path: str | os.PathLike[str],
    shapes: Mapping[str, Shape],
    *,
    texts: Sequence[str] = (),
    finite: bool = True,
) -> dict[str, Any]:
    """Reads named arrays from an HDF5 file and checks them.

    Args:
      path: the file.
      shapes: for each dataset of numbers its shape; a letter stands for any size, the
        same wherever the letter returns.
      texts: datasets of a list of texts.
      finite: whether NaN is refused, too.

    Returns:
      The arrays, float64 (integers stay integers), and lists of texts.

    Raises:
      InputError: naming the file, the dataset and the rule, if the file is missing,
        truncated, damaged or not HDF5, or larger than it may be (`files.arrays`), a
        dataset is missing, not numeric, of another shape, not wholly in the file
        itself, or holds NaN or infinity.
    """
    path = Path(path)
    check_is_file(path)
    with refusing(path, "is not a readable HDF5 file"), h5py.File(path, "r") as file:
        datasets = _datasets(path, file, [*shapes, *texts])
        declared = Declared(path)
        for name in shapes:
            dataset = datasets[name]
            declared.check(
                name,
                dataset.shape,
                dataset.dtype,
                shapes[name],
                stored_bytes=chunk_bytes(dataset) * chunk_count(dataset),
            )
            check_stored(f"{path}: {name}", dataset)
        arrays: dict[str, Any] = {
            name: np.asarray(datasets[name][()]) for name in shapes
        }
        lists = {name: texts_of(path, datasets[name]) for name in texts}
    for name, array in arrays.items():
        array = checked_values(f"{path}: {name}", array, finite)
        whole = np.issubdtype(array.dtype, np.integer)
        arrays[name] = array if whole else array.astype(np.float64)
    return arrays | lists


def read_h5_table(
    path: str | os.PathLike[str], name: str
) -> tuple[dict[str, np.ndarray], dict[str, bytes]]:
    """Reads a table of an HDF5 file, as PyTables writes them.

    Args:
      path: the file.
      name: of the table.

    Returns:
      Its columns by name, each with as many rows, NaN for what is not there; and those
      of its attributes that are bytes.

    Raises:
      InputError: as `read_h5`, but for NaN.
    """
    path = Path(path)
    check_is_file(path)
    with refusing(path, "is not a readable HDF5 file"), h5py.File(path, "r") as file:
        dataset = _datasets(path, file, [name])[name]
        if dataset.dtype.names is None or dataset.ndim != 1:
            raise InputError(f"{path}: {name} must be a table; it is {dataset.dtype}")
        declared = Declared(path)
        for column in dataset.dtype.names:
            base, shape = dataset.dtype[column].base, dataset.dtype[column].shape
            full = (*dataset.shape, *shape)
            declared.check(column, full, base, ("rows", *map(str, range(len(shape)))))
        check_stored(f"{path}: {name}", dataset)
        rows = dataset[()]
        attributes = {
            key: bytes(dataset.attrs[key])
            for key in dataset.attrs
            if dataset.attrs.get_id(key).dtype.kind == "S"
            and dataset.attrs.get_id(key).shape == ()
        }
    return {
        column: checked_values(f"{path}: {column}", rows[column], finite=False)
        for column in rows.dtype.names
    }, attributes


def h5_ranks(path: str | os.PathLike[str]) -> dict[str, int]:
    """How many dimensions each dataset in an HDF5 file's first group has; 0: a group.

    Reads no dataset. What is no HDF5 file has none.
    """
    try:
        if not Path(path).is_file() or not h5py.is_hdf5(path):
            return {}
        with h5py.File(path, "r") as file:
            here = [n for n in file if isinstance(file.get(n, getlink=True), _OWN)]
            return {name: len(getattr(file[name], "shape", ())) for name in here}
    except Exception:  # h5py reports damage by errors of many kinds
        return {}


def write_h5(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Writes arrays as datasets of one HDF5 file, atomically.

    Equal arrays give equal bytes (no time stamps), so a file made from a seed can be
    compared with `cmp`. Checksums cover all of it.

    Raises:
      InputError: if the file cannot be written.
    """
    # Made in memory: HDF5 brings the process down when a disk is full.
    content = io.BytesIO()
    with new_h5(content) as file:
        for name, array in arrays.items():
            *groups, last = name.split("/")
            group = _group(file.id, groups)
            array = np.asarray(array)
            if array.ndim:
                h5py.Group(group).create_dataset(last, data=array, **COMPRESSION)
            else:
                _write_scalar(group, last, array)
    with atomic(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def new_h5(place: str | os.PathLike[str] | io.BytesIO) -> h5py.File:
    """A new file, on the disk or in memory, that checksums cover and without times."""
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)  # of its first group
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(_VERSION, _VERSION)
    if isinstance(place, io.BytesIO):
        access.set_fileobj_driver(h5py.h5fd.fileobj_driver, place)
        name = b"memory"
    else:
        name = os.fsencode(place)
    return h5py.File(h5py.h5f.create(name, h5py.h5f.ACC_TRUNC, creation, access))


def _group(file: h5py.h5f.FileID, names: Sequence[str]) -> h5py.h5g.GroupID:
    """A group of the file, made if it is not there."""
    group = h5py.h5g.open(file, b"/")
    properties = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    properties.set_obj_track_times(False)
    for name in map(str.encode, names):
        if group.links.exists(name):
            group = h5py.h5g.open(group, name)
        else:
            group = h5py.h5g.create(group, name, None, properties)
    return group


def _write_scalar(group: h5py.h5g.GroupID, name: str, value: np.ndarray) -> None:
    """Writes a number where the file's own checksums cover it: beside its name.

    Filters do not apply to scalars, and `create_dataset` has no other way.
    """
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    properties.set_obj_track_times(False)
    kind = h5py.h5t.py_create(value.dtype, logical=True)
    space = h5py.h5s.create(h5py.h5s.SCALAR)
    dataset = h5py.h5d.create(group, name.encode(), kind, space, properties)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, value)


def _datasets(
    path: Path, file: h5py.File, names: Sequence[str]
) -> dict[str, h5py.Dataset]:
    """The datasets of these names, none of which is read yet."""
    objects = {name: _object(path, file, name) for name in names}
    if any(found is None for found in objects.values()):
        there = [name for name, found in objects.items() if found is not None]
        check_names(path, names, [*dict.fromkeys([*file, *there])])
    for name, found in objects.items():
        if not isinstance(found, h5py.h5d.DatasetID):
            group = isinstance(found, h5py.h5g.GroupID)
            kind = "a group" if group else "none"
            raise InputError(f"{path}: {name} must be a dataset; it is {kind}")
    return {name: h5py.Dataset(found) for name, found in objects.items()}


def _object(path: Path, file: h5py.File, name: str) -> Any:
    """An object of the file, or None; no link to elsewhere is followed."""
    found = file.id
    for part in name.encode().split(b"/"):
        group = isinstance(found, h5py.h5g.GroupID | h5py.h5f.FileID)
        if not group or not found.links.exists(part):
            return None
        if found.links.get_info(part).type != h5py.h5l.TYPE_HARD:
            raise InputError(f"{path}: {name} must be in the file itself; it is a link")
        found = h5py.h5o.open(found, part)
    return found
