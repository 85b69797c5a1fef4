"""The table of all formats: what reads a file is told by its content, never its name.

Writers are chosen by a file's ending or by the name of a format. A module's formats are
its `FORMATS`, or the one `FORMAT`; a module is imported when the table is first asked.
"""

import os
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

from human_pose.exchange.format import Format
from human_pose.exchange.recording import Motion, Recording
from human_pose.exchange.sources import head
from human_pose.files.errors import InputError
from human_pose.files.paths import check_is_file
from human_pose.geometry.cameras import Camera

StrPath = str | os.PathLike[str]

RECORDING: Final = "recording"
CAMERAS: Final = "cameras"
MOTION: Final = "motion"

# Those whose files others may take for theirs come first.
_MODULES: Final = (
    "pose2sim", "openpose", "coco", "mmpose", "plain", "plain_csv", "pose_file",
    "sleap", "deeplabcut", "videopose3d", "calibrations", "trc", "c3d", "bvh", "amc",
    "anipose", "poses",
)  # fmt: skip
_SHOWN: Final = 8  # names of what a folder holds
_BEGINNING: Final = 30  # letters of what a file holds


@cache
def all_formats() -> tuple[Format, ...]:
    """Every format, in the order in which a file is tried."""
    found: list[Format] = []
    for name in _MODULES:
        module = import_module(f"human_pose.exchange.{name}")
        found += getattr(module, "FORMATS", None) or (module.FORMAT,)
    return tuple(found)


def of_kind(kind: str) -> tuple[Format, ...]:
    """The formats of recordings, of cameras or of motion."""
    return tuple(each for each in all_formats() if each.kind == kind)


def recognise(path: StrPath, *kinds: str) -> Format:
    """The format of a file or folder.

    Args:
      path: to be read.
      kinds: of formats that are asked for, the first one first; default: all.

    Raises:
      InputError: if there is nothing, or nothing that is known; the message says what
        is there, and lists the formats.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_dir():
        check_is_file(path)
    wanted = [f for kind in kinds for f in of_kind(kind)] or [*all_formats()]
    for each in wanted:
        if each.read is not None and each.recognises(path):
            return each
    known = "; ".join(each.title for each in wanted if each.read)
    what = f"is of no known format: {_found(path)}; known are"
    for each in reversed(all_formats()):
        if each.recognises(path):
            what = f"holds {each.kind} ({each.title}), not"
    raise InputError(f"{path}: {what} {known}")


def calibration_in(folder: StrPath) -> Path | None:
    """The calibration in a folder: the folder itself if it is one, or a file of it.

    Of several files that with the ending .toml, if there is one of these.

    Raises:
      InputError: if there is no such folder, or several calibrations are in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: must be a folder")
    known = of_kind(CAMERAS)
    if any(each.recognises(folder) for each in known):
        return folder
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    found = [path for path in files if any(each.recognises(path) for each in known)]
    if len(found) > 1:
        found = [file for file in found if file.suffix == ".toml"] or found
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise InputError(f"{folder}: must hold one calibration; it has {names}")
    return found[0] if found else None


def writer(path: StrPath, kind: str, to: str | None = None) -> Format:
    """The format in which a file is written.

    Args:
      path: the file or folder.
      kind: what is to be written.
      to: the name of the format; default: by the ending.

    Raises:
      InputError: if there is none; the message lists the names and endings.
    """
    known = [each for each in of_kind(kind) if each.write is not None]
    suffix = Path(path).suffix.lower()
    for each in known:
        if each.name == to if to is not None else suffix in each.suffixes:
            return each
    listed = ", ".join(
        f"{each.name} ({' '.join(each.suffixes)})" if each.suffixes else each.name
        for each in known
    )
    raise InputError("to", f"must be, for {kind}, one of {listed}", to or suffix)


def kind_of(value: Recording | Motion | Sequence[Camera]) -> str:
    """What a value is, as formats call it."""
    if isinstance(value, Recording):
        return RECORDING
    return MOTION if isinstance(value, Motion) else CAMERAS


def _found(path: Path) -> str:
    """What a file or folder holds, in a few words."""
    if path.is_dir():
        names = sorted(each.name for each in path.iterdir())
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"a folder of {', '.join(names[:_SHOWN]) or 'nothing'}{more}"
    start = head(path)[:_BEGINNING]
    return f"a file that begins with {start!a}" if start else "an empty file"
