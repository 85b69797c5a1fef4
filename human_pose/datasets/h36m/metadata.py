"""Human3.6M's `metadata.xml`: what takes are called, and how cameras stood.

`mapping` is a table: a row for each action and take, a column for each subject. `w0`
holds 300 numbers: six of place for each of four cameras and eleven subjects (three
angles, the centre in mm), then nine of lens for each camera (f, c, k1 k2 k3, p1 p2).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np

from human_pose.datasets.protocol import IMAGE_ACTIONS
from human_pose.files.errors import InputError
from human_pose.files.paths import read_text
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeletons import VIEW_NAMES, VIEWS

FILE: Final = "metadata.xml"

_SUBJECTS: Final = 11
_PLACE, _LENS = 6, 9
_NUMBERS: Final = VIEWS * (_SUBJECTS * _PLACE + _LENS)
# Actions are numbered from 1, which is the empty room.
_FIRST_ACTION: Final = 2


@dataclass(frozen=True)
class Metadata:
    """What the file says.

    Attributes:
      takes: what the files of a subject's take are called, without their ending, by
        subject, position in `protocol.IMAGE_ACTIONS`, and take from 1.
      numbers: float64 `[300]`, `w0`.
    """

    takes: Mapping[tuple[int, int, int], str]
    numbers: np.ndarray

    def camera(self, subject: int, view: int) -> Camera:
        """The camera of a view, a position in `skeletons.VIEW_NAMES`."""
        place = _PLACE * (view * _SUBJECTS + subject - 1)
        lens = VIEWS * _SUBJECTS * _PLACE + _LENS * view
        x, y, z, *centre = self.numbers[place : place + _PLACE]
        f, c, k, p = np.split(self.numbers[lens : lens + _LENS], [2, 4, 7])
        return Camera.at(
            centre,
            _about(0, x) @ _about(1, y) @ _about(2, z),
            focal_px=f,
            centre_px=c,
            radial=k.tolist(),
            tangential=p.tolist(),
            name=VIEW_NAMES[view],
        )


def read_metadata(path: str | os.PathLike[str]) -> Metadata:
    """Reads the file.

    Raises:
      InputError: naming it and the rule, if it is missing or another.
    """
    path = Path(path)
    try:
        root = ElementTree.fromstring(read_text(path))
        head, *rows = [
            [cell.text or "" for cell in row] for row in root.find("mapping") or ()
        ]
        numbers = np.array((root.findtext("w0") or "").strip(" \n[]").split(), float)
        takes = _takes(head, rows)
    except (ElementTree.ParseError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is no {FILE} of Human3.6M") from error
    if numbers.shape != (_NUMBERS,) or not np.isfinite(numbers).all():
        raise InputError(
            f"{path}: w0", f"must be {_NUMBERS} finite numbers", len(numbers)
        )
    return Metadata(takes, numbers)


def _takes(head: list[str], rows: list[list[str]]) -> dict[tuple[int, int, int], str]:
    subjects = [int(name.removeprefix("S")) for name in head[2:]]
    takes = {}
    for action, take, *names in rows:
        # Rows of the whole recordings, and of sizes, are no takes.
        if not (action.isdecimal() and take.isdecimal()):
            continue
        number = int(action) - _FIRST_ACTION
        if 0 <= number < len(IMAGE_ACTIONS):
            for subject, name in zip(subjects, names, strict=True):
                takes[subject, number, int(take)] = name
    return takes


def _about(axis: int, angle_rad: float) -> Any:
    """A rotation about an axis, `[3, 3]`, anticlockwise as it points to the viewer."""
    turned, one = np.eye(3), (axis + 1) % 3
    other = (axis + 2) % 3
    turned[one, one] = turned[other, other] = np.cos(angle_rad)
    turned[other, one], turned[one, other] = np.sin(angle_rad), -np.sin(angle_rad)
    return turned
