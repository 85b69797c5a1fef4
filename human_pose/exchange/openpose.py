"""OpenPose's folders of JSON files, which Pose2Sim and EasyMocap read and write, too.

A file is a frame: `{"version": 1.3, "people": [{"person_id": [-1],
"pose_keypoints_2d": [x0, y0, c0, ...]}]}`, pixels; 0, 0, 0 is a joint that was not
found. Faces and hands are left out. See OpenPose, "Output format"
(github.com/CMU-Perceptual-Computing-Lab/openpose, doc/02_output.md).
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from human_pose.exchange.detections import Person, join
from human_pose.exchange.format import Format
from human_pose.exchange.frame_folders import holds, read_views
from human_pose.exchange.recording import Recording
from human_pose.exchange.writing import (
    check_file_names,
    in_detectors_order,
    people_values,
)
from human_pose.files.paths import atomic_folder
from human_pose.geometry.skeleton import Skeleton

_MARK: Final = re.compile(r'\{[^\[]*"people"\s*:', re.DOTALL)
_VERSION: Final = 1.3
# Networks whose peaks are no probabilities (SimCC's) may write more than 1.
_FULL_CONFIDENCE: Final = 10.0


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is one of OpenPose's frames, or of such folders."""
    return holds(path, _MARK)


def read(
    path: str | os.PathLike[str],
    *,
    skeleton: Skeleton | None = None,
    fps: float | None = None,
) -> Recording:
    """Reads the folder of a view, or a folder of such folders.

    Args:
      path: the folder.
      skeleton: of the joints; default: the detectors' of so many.
      fps: frames a second, which the files do not say.

    Raises:
      InputError: naming the file or folder, and what is wrong with it.
    """
    return join(
        str(path),
        read_views(path, _people),
        skeleton,
        fps=fps,
        full_confidence=_FULL_CONFIDENCE,
    )


def write(path: str | os.PathLike[str], recording: Recording) -> None:
    """Writes a folder `<view>_json` for each view, with Pose2Sim's names of files.

    What the joints' numbers do not say is lost: frame rate, cameras, sequences.

    Raises:
      InputError: if no detector's skeleton has all joints, frames have no numbers of
        their own, or the folder holds something.
    """
    check_file_names(recording)
    recording = in_detectors_order(recording)
    values = people_values(recording)
    with atomic_folder(path) as folder:
        for place, view in enumerate(recording.view_names):
            (folder / f"{view}_json").mkdir()
            for row, frame in enumerate(recording.frames):
                people = [
                    {
                        "person_id": [_track(recording, row, place, person)],
                        "pose_keypoints_2d": joints.ravel().tolist(),
                    }
                    for person, joints in enumerate(values[row, place])
                    if joints.any()
                ]
                file = folder / f"{view}_json" / f"{view}_{frame:06d}.json"
                file.write_text(json.dumps({"version": _VERSION, "people": people}))


def _track(recording: Recording, row: int, view: int, person: int) -> int:
    return -1 if recording.tracks is None else int(recording.tracks[row, view, person])


def _people(content: Any) -> Iterator[Person]:
    for person in content["people"]:
        track = person.get("person_id", -1)
        track = track[0] if isinstance(track, list) and track else track
        numbers = np.array(person["pose_keypoints_2d"], np.float64).reshape(-1, 3)
        yield Person(numbers, int(track) if isinstance(track, int) else -1)


FORMAT: Final = Format(
    "openpose",
    "recording",
    "OpenPose's folders of JSON files",
    (),
    recognises,
    read,
    write,
    options=("skeleton", "fps"),
)
