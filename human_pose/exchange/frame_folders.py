"""Folders with one JSON file for each frame: a view's, or one of views' folders.

OpenPose and MMPose write pictures' detections so. A view is called as its folder,
without Pose2Sim's `_json`; a frame has the last number in its file's name.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from human_pose.exchange.detections import Person, View, gathered
from human_pose.exchange.sources import files_in, folders_in, head, read_json
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError

_FOLDER_END: Final = "_json"
_JSON: Final = ".json"
_TRIED: Final = 3  # frames that tell the format; the first may be damaged
# `_keypoints` is OpenPose's own.
_NUMBER: Final = re.compile(r"(\d+)(?:_keypoints)?$")


def view_folders(path: str | os.PathLike[str]) -> dict[str, Path]:
    """The folders of frames by the names of their views.

    Raises:
      InputError: if there are none, two are of one view, or one is empty.
    """
    path = Path(path)
    if files_in(path, _JSON):
        # Not what a link leads to, which may be called as nobody's view.
        return {_view_name(Path(os.path.abspath(path))): path}
    views: dict[str, Path] = {}
    for folder in folders_in(path):
        name = _view_name(folder)
        if name in views:
            raise InputError(
                f"{path}: {views[name].name} and {folder.name} are both of view {name}"
            )
        if files_in(folder, _JSON):
            views[name] = folder
        elif folder.name.endswith(_FOLDER_END):
            raise InputError(f"{folder}: must hold the frames of a view; it is empty")
    if not views:
        raise InputError(f"{path}: must hold JSON files of frames, or folders of them")
    return views


def holds(path: str | os.PathLike[str], mark: re.Pattern[str]) -> bool:
    """Whether a folder's first frames, or those of a folder in it, begin as `mark`."""
    for folder in [Path(path), *folders_in(path)]:
        if files := files_in(folder, _JSON):
            return any(mark.match(head(file)) for file in files[:_TRIED])
    return False


def read_views(
    path: str | os.PathLike[str], people_of: Callable[[Any], Iterator[Person]]
) -> dict[str, View]:
    """The views of a folder.

    Args:
      path: a view's folder, or one of such folders.
      people_of: the people in what a frame's file holds.

    Raises:
      InputError: naming the file or folder, if one is damaged, or two are of one frame.
    """
    return {
        name: _read_view(folder, people_of)
        for name, folder in view_folders(path).items()
    }


def _view_name(folder: Path) -> str:
    return folder.name.removesuffix(_FOLDER_END)


def _read_view(folder: Path, people_of: Callable[[Any], Iterator[Person]]) -> View:
    frames: dict[int, list[Person]] = {}
    names: dict[int, str] = {}
    for path in files_in(folder, _JSON):
        found = _NUMBER.search(path.stem)
        if found is None:
            raise InputError(f"{path}: must end with the number of its frame")
        number = int(found[1])
        if number in names:
            raise InputError(
                f"{folder}: {names[number]} and {path.name} are both of frame {number}"
            )
        names[number] = path.name
        content = read_json(path)
        with refusing(path, "is no frame of detections"):
            frames[number] = list(people_of(content))
    return gathered(str(folder), frames)
