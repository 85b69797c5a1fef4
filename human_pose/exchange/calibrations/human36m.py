"""Cameras of Human3.6M: the archive's `cameras.h5`, and matrices by view.

The archive holds for each subject and camera `R` (stored transposed), `T` (the optical
centre, mm), `f`, `c`, `k` (k1 k2 k3) and `p` (p1 p2), and `Name` as numbers of letters.
The other file holds `R` `[4, 3, 3]` (world to camera), `K`, `t` (mm) and `P`, in the
views' usual order.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.exchange.calibrations.rig import Found, assemble
from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.h5 import h5_ranks, read_h5
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeletons import VIEW_NAMES, VIEWS

_BY_VIEW: Final[dict[str, Shape]] = {
    "R": (VIEWS, 3, 3),
    "K": (VIEWS, 3, 3),
    "t": (VIEWS, 3),
}
_SIZES: Final = {"T": 3, "f": 2, "c": 2, "k": 3, "p": 2}
_SUBJECT: Final = "subject"


def read_human36m(
    path: str | os.PathLike[str], units: str | None = None, subject: int | None = None
) -> tuple[Camera, ...]:
    """Reads the four cameras; their names are those of `skeletons.VIEW_NAMES`.

    Args:
      path: the file.
      units: of lengths; default: millimetres.
      subject: whose, where the file holds those of several.

    Raises:
      InputError: naming the file and the rule, if it is no such calibration.
    """
    path = Path(path)
    subjects = sorted(
        int(name.removeprefix(_SUBJECT))
        for name in h5_ranks(path)
        if name.removeprefix(_SUBJECT).isdecimal() and name.startswith(_SUBJECT)
    )
    if subjects:
        found = _of_subject(path, _chosen(path, subjects, subject))
    else:
        arrays = read_h5(path, _BY_VIEW)
        found = [
            Found(name, arrays["K"][v], (), arrays["R"][v], arrays["t"][v])
            for v, name in enumerate(VIEW_NAMES)
        ]
    return assemble(path, found, units, declared="mm")


def is_human36m(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of the two."""
    held = h5_ranks(path)
    return set(_BY_VIEW) <= set(held) or any(n.startswith(_SUBJECT) for n in held)


def _chosen(path: Path, subjects: list[int], subject: int | None) -> int:
    if subject is None and len(subjects) == 1:
        return subjects[0]
    if subject not in subjects:
        raise InputError(
            "subject",
            f"must be one of {', '.join(map(str, subjects))}, whose cameras {path} "
            "holds",
            subject,
        )
    return subject


def _of_subject(path: Path, subject: int) -> list[Found]:
    return [
        _archived(path, f"{_SUBJECT}{subject}/camera{number + 1}", name)
        for number, name in enumerate(VIEW_NAMES)
    ]


def _archived(path: Path, group: str, name: str) -> Found:
    """One camera; vectors may be rows or columns."""
    shapes: dict[str, Shape] = {f"{group}/R": (3, 3)}
    shapes |= {f"{group}/{key}": (f"{key}1", f"{key}2") for key in _SIZES}
    arrays = read_h5(path, shapes)
    values = {}
    for key, size in _SIZES.items():
        values[key] = arrays[f"{group}/{key}"].ravel()
        if len(values[key]) != size:
            raise InputError(
                f"{path}: {group}/{key} must have {size} numbers; it has "
                f"{len(values[key])}"
            )
    rotation = arrays[f"{group}/R"].T  # the file holds it transposed
    (fx, fy), (cx, cy) = values["f"], values["c"]
    return Found(
        name,
        [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        np.concatenate([values["k"][:2], values["p"], values["k"][2:]]),
        rotation,
        -rotation @ values["T"],
    )
