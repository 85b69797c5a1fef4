"""Flags of what files of recordings do not say, the same in every command.

Part of `flags.py`, for which it imports no NumPy.
"""

import re
from typing import Final

from absl import flags

from human_pose.commands import shell
from human_pose.files.errors import InputError
from human_pose.geometry.axes import UP_AXES

_RANGE: Final = re.compile(r"(\d*):(\d*)")


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines `--cameras`, `--fps`, `--units`, `--frames` and `--skeleton`."""
    own = {"flag_values": flag_values}
    flags.DEFINE_string(
        "cameras",
        None,
        "Calibration whose cameras bear the names of the views of detections.",
        **own,
    )
    flags.DEFINE_float("fps", None, "Frames a second, of files that do not say.", **own)
    flags.DEFINE_string(
        "units", None, "Units of lengths in files: mm, cm, m or inch.", **own
    )
    flags.DEFINE_string(
        "frames", None, "A:B, numbers of frames, B not among them.", **own
    )
    flags.DEFINE_string(
        "skeleton",
        None,
        "What joints without names are, such as coco_17 or body_25 (docs/formats.md).",
        **own,
    )
    shell.refuse_empty(flag_values, "cameras", "units", "skeleton")
    shell.show_in_help(flag_values, __name__)


def define_up(flag_values: flags.FlagValues) -> None:
    """Defines `--up`, of commands that read a world's axes."""
    flags.DEFINE_enum(
        "up",
        None,
        [*UP_AXES],
        "Axis that points upwards: of a calibration's world (default: z), or in BVH, "
        "TRC, C3D and CSV files of motion (default: their formats').",
        flag_values=flag_values,
    )


def frame_range(word: str | None) -> slice | None:
    """The numbers of `A:B`, either of which may be left out; None for all.

    Raises:
      InputError: if the word is no such range.
    """
    if word is None:
        return None
    found = _RANGE.fullmatch(word)
    if found is None or word == ":":
        raise InputError("frames", "must be A:B, two numbers of frames", word)
    first, stop = (int(part) if part else None for part in found.groups())
    return slice(first, stop)
