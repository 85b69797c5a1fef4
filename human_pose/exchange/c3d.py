"""Motion in C3D, the binary files of motion capture; ezc3d writes them.

Points are floats, which keep a ten-thousandth of a millimetre (whole numbers of 16 bits
would cut them to one); those that are missing are zeros of residual -1, as the format
has them. z is up, unless the reader is told otherwise.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from absl import logging

from human_pose.exchange.c3d_file import BLOCK, MARK, read_c3d_file
from human_pose.exchange.format import Format
from human_pose.exchange.markers import joints_of, markers_of
from human_pose.exchange.named import named_motion, needed_fps, tell_gaps
from human_pose.exchange.recording import Motion
from human_pose.files.arrays import refusing
from human_pose.files.extras import needed
from human_pose.files.paths import atomic

# Frames beyond it need two words.
_WORD: Final = 1 << 16
_INTEGER: Final = 2  # the format's number for parameters of whole numbers
_LOST: Final = -1.0  # residual of points that are missing
_CAMERAS: Final = 7  # that the format has a bit for


def read_c3d(
    path: str | os.PathLike[str], units: str | None = None, up: str = "z"
) -> Motion:
    """Reads the points of a C3D file.

    Args:
      path: the file.
      units: of its lengths; default: those it says.
      up: its axis that points upwards, of `axes.UP_AXES`.

    Returns:
      The motion in a world whose z points upwards.

    Raises:
      InputError: naming the file and the rule, if it is no such file.
    """
    content = read_c3d_file(path)
    return named_motion(
        path,
        joints_of(_names(content.labels, content.points.shape[1])),
        content.points,
        fps=content.rate or None,
        frames=content.first + np.arange(len(content.points)),
        units=units,
        declared=content.units or None,
        up=up,
        zeros_missing=True,
    )


def write_c3d(path: str | os.PathLike[str], motion: Motion) -> None:
    """Writes a C3D file of floats in millimetres, z up.

    Points have Pose2Sim's names (`markers_of`).

    Raises:
      InputError: if the frame rate is not known, or the file cannot be written.
    """
    path = Path(path)
    fps = needed_fps(path, motion)
    tell_gaps(path, motion)
    motion = motion.z_up
    content = needed("ezc3d", str(path)).c3d()
    content["parameters"]["POINT"]["RATE"]["value"] = [fps]
    content["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    content["parameters"]["POINT"]["LABELS"]["value"] = markers_of(
        motion.skeleton.names
    )
    points = np.ones((4, len(motion.skeleton), len(motion)))
    points[:3] = motion.joints_3d_mm.transpose(2, 1, 0)
    lost = np.isnan(points[:3]).any(axis=0)
    points[:3, lost] = 0.0
    content["data"]["points"] = points
    content["data"]["meta_points"] = {
        "residuals": np.where(lost, _LOST, 0.0)[None],
        "camera_masks": np.zeros((_CAMERAS, *lost.shape), bool),
    }
    first = int(motion.frames[0]) if len(motion) else 0
    if first < 0:
        logging.warning("%s: C3D numbers frames from 0 on, not from %d", path, first)
        first = 0
    content["header"]["points"]["first_frame"] = first
    for end, number in (("START", first + 1), ("END", first + len(motion))):
        words = [number % _WORD, number // _WORD]
        field = f"ACTUAL_{end}_FIELD"
        content.add_parameter("TRIAL", field, words)
        # ezc3d takes them for floats, which others cannot read as two words.
        content["parameters"]["TRIAL"][field] |= {"type": _INTEGER, "value": words}
    if len(motion) >= _WORD:
        logging.warning(
            "%s: many programs read the first %d frames of a C3D file alone",
            path, _WORD - 1,
        )  # fmt: skip
    # ezc3d writes to another file where the ending is another, and to none where a
    # folder's name is not UTF-8.
    with (
        atomic(path) as temporary,
        TemporaryDirectory() as folder,
        refusing(path, "cannot be written as C3D"),
    ):
        made = Path(folder) / "made.c3d"
        content.write(str(made))
        temporary.write_bytes(made.read_bytes())


def is_c3d(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a C3D file."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(BLOCK)
    except OSError:
        return False
    # The mark is a P, too, which may be a text's second letter. Texts have no zeros;
    # headers have words of them, reserved for later.
    return head[1:2] == bytes([MARK]) and head[0] > 0 and 0 in head


def _names(labels: Sequence[str], count: int) -> list[str]:
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
        options=("up",),
    ),
)
