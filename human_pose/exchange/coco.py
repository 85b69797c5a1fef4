"""Results in COCO's form, one JSON file for each view; AlphaPose's are alike.

A list of people: `[{"image_id": 12, "category_id": 1, "keypoints": [x, y, s, ...],
"score": s}]`, see cocodataset.org, "Results format". AlphaPose (docs/output.md) names
the picture by its file, numbers people as `idx`, and documents confidences up to 6.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.exchange.detections import Person, View, gathered, join
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording
from human_pose.exchange.sources import any_recognised, head, one_per_view, read_json
from human_pose.exchange.writing import (
    check_file_names,
    in_detectors_order,
    people_values,
)
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, atomic_folder
from human_pose.geometry.skeleton import Skeleton

_SUFFIX: Final = ".json"
_KEYS: Final = ('"image_id"', '"keypoints"')
_FULL_CONFIDENCE: Final = 6.0  # AlphaPose's
_PERSON: Final = 1  # COCO's category
_DIGITS: Final = 4  # of a person's score


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds such a list, or the first one of a folder does."""
    return any_recognised(path, _SUFFIX, _is_results)


def read(
    path: str | os.PathLike[str],
    *,
    skeleton: Skeleton | None = None,
    fps: float | None = None,
) -> Recording:
    """Reads the file of a view, or a folder with one for each, called as the views.

    Args:
      path: the file or folder.
      skeleton: of the joints; default: the detectors' of so many.
      fps: frames a second, which the files do not say.

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    views = one_per_view(path, _SUFFIX, _is_results)
    return join(
        str(path),
        {name: _read_view(each) for name, each in views.items()},
        skeleton,
        fps=fps,
        full_confidence=_FULL_CONFIDENCE,
        all_frames=False,
    )


def write(path: str | os.PathLike[str], recording: Recording) -> None:
    """Writes a file, or for several views a folder with a file for each.

    What is lost: frames in which nobody is seen, frame rate, cameras, sequences.

    Raises:
      InputError: if no detector's skeleton has all joints, frames have no numbers of
        their own, or the folder holds something.
    """
    check_file_names(recording)
    recording = in_detectors_order(recording)
    if len(recording.view_names) == 1:
        with atomic(path) as file:
            file.write_text(_written(recording, 0))
        return
    with atomic_folder(path) as folder:
        for place, name in enumerate(recording.view_names):
            (folder / f"{name}{_SUFFIX}").write_text(_written(recording, place))


def _is_results(path: Path) -> bool:
    start = head(path)
    return start.startswith("[") and all(key in start for key in _KEYS)


def _read_view(path: Path) -> View:
    frames: dict[int, list[Person]] = {}
    images: dict[int, Any] = {}
    content = read_json(path)
    with refusing(path, "is no list of COCO's results"):
        for entry in content:
            image = entry["image_id"]
            number = _frame(path, image)
            if images.setdefault(number, image) != image:
                raise InputError(
                    f"{path}: each image_id must have a number of its own, the last in "
                    f"it; {images[number]} and {image} are both of frame {number}"
                )
            values = np.array(entry.get("keypoints", []), np.float64).reshape(-1, 3)
            frames.setdefault(number, []).append(Person(values, _track(entry)))
    return gathered(str(path), frames)


def _frame(path: Path, image: Any) -> int:
    """The number of a frame, or the last one in the name of its file."""
    if isinstance(image, int):
        return image
    numbers = re.findall(r"\d+", Path(image).stem)
    if not numbers:
        raise InputError(f"{path}: image_id must hold a frame's number", None, image)
    return int(numbers[-1])


def _track(entry: dict[str, Any]) -> int:
    track = entry.get("idx", -1)
    return track if isinstance(track, int) else -1


def _written(recording: Recording, view: int) -> str:
    values = people_values(recording)[:, view]
    entries = []
    for row, place in np.argwhere(values.any(axis=(-1, -2))):
        joints = values[row, place]
        entry = {
            "image_id": int(recording.frames[row]),
            "category_id": _PERSON,
            "keypoints": joints.ravel().tolist(),
            "score": round(float(joints[joints[:, 2] > 0, 2].mean()), _DIGITS),
        }
        if recording.tracks is not None and recording.tracks[row, view, place] >= 0:
            entry["idx"] = int(recording.tracks[row, view, place])
        entries.append(entry)
    return json.dumps(entries)


FORMAT: Final = Format(
    "coco",
    "recording",
    "COCO results, AlphaPose",
    (".json",),
    recognises,
    read,
    write,
    options=("skeleton", "fps"),
)
