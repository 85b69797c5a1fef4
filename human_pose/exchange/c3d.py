"""Motion in C3D, the binary files of motion capture, through ezc3d.

Points are floats, which keep a ten-thousandth of a millimetre (whole numbers of 16 bits
would cut them to one); NaN stays NaN. z is up, unless the reader is told otherwise.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.exchange.extras import EXTRA, needed
from human_pose.exchange.format import Format
from human_pose.exchange.named import named_motion, needed_fps
from human_pose.exchange.recording import Motion
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file

# The second byte of every C3D file.
_MARK: Final = 0x50
_BLOCK_BYTES: Final = 512


def read_c3d(
    path: str | os.PathLike[str], units: str | None = None, up: str = "z"
) -> Motion:
    """Reads the points of a C3D file.

    Args:
      path: the file.
      units: of its lengths; default: those it says.
      up: its axis that points upwards, "x", "y" or "z".

    Returns:
      The motion in a world whose z points upwards.

    Raises:
      InputError: naming the file and the rule, if it is no such file.
    """
    path = Path(path)
    check_is_file(path)
    _check_header(path)
    library = needed("ezc3d", str(path))
    with refusing(path, "is no readable C3D file"):
        content = library.c3d(str(path))
        group = content["parameters"]["POINT"]
        points = np.array(content["data"]["points"], np.float64)[:3]
        labels = [str(label) for label in group["LABELS"]["value"]]
        rate = float(group["RATE"]["value"][0])
        unit = [str(word) for word in group.get("UNITS", {"value": []})["value"]]
        first = int(content["header"]["points"]["first_frame"])
    count = points.shape[1]
    return named_motion(
        path,
        _names(labels, count),
        points.transpose(2, 1, 0),
        fps=rate or None,
        frames=first + np.arange(points.shape[2]),
        units=units,
        declared=unit[0] if unit and unit[0].strip() else None,
        up=up,
    )


def write_c3d(path: str | os.PathLike[str], motion: Motion) -> None:
    """Writes a C3D file of floats in millimetres, z up.

    Raises:
      InputError: if the frame rate is not known, or the file cannot be written.
    """
    path = Path(path)
    fps = needed_fps(path, motion)
    motion = motion.z_up
    content = needed("ezc3d", str(path)).c3d()
    content["parameters"]["POINT"]["RATE"]["value"] = [fps]
    content["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    content["parameters"]["POINT"]["LABELS"]["value"] = list(motion.skeleton.names)
    points = np.ones((4, len(motion.skeleton), len(motion)))
    points[:3] = motion.joints_3d_mm.transpose(2, 1, 0)
    content["data"]["points"] = points
    with atomic(path) as temporary, refusing(path, "cannot be written as C3D"):
        content.write(str(temporary))


def is_c3d(path: Path) -> bool:
    """Whether a file is a C3D file."""
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError:
        return False
    return len(head) == 2 and head[0] > 0 and head[1] == _MARK


def _check_header(path: Path) -> None:
    """Refuses what declares more than it holds: the library would make room for it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_BLOCK_BYTES)
    if len(header) < _BLOCK_BYTES or header[1] != _MARK:
        raise InputError(f"{path}: must begin with the header of a C3D file")
    if (header[0] - 1) * _BLOCK_BYTES >= size or header[0] == 0:
        raise InputError(f"{path}: must hold the parameters where its header says")


def _names(labels: Sequence[Any], count: int) -> list[str]:
    """A name for every point; a subject's, which all have before a colon, is left out.

    Points beyond the labels, and those that a system found but did not know, are
    numbered.
    """
    words = [label.strip() for label in labels[:count]]
    prefixes = {word.rpartition(":")[0] for word in words}
    if len(prefixes) == 1:
        words = [word.rpartition(":")[2] for word in words]
    words += [""] * (count - len(words))
    return [word or f"point_{number + 1}" for number, word in enumerate(words)]


FORMATS: Final = (
    Format(
        "c3d",
        "motion",
        "C3D of floats, millimetres",
        (".c3d",),
        is_c3d,
        read_c3d,
        write_c3d,
        EXTRA,
    ),
)
