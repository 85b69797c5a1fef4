"""MMPose's JSON files of detections, in its three shapes.

  demo: `{"meta_info": ..., "instance_info": [{"frame_id": 1, "instances": [...]}]}`,
    frames from 1; they become numbers from 0, as the inferencer's are.
  inferencer of a video: `[{"frame_id": 0, "instances": [...]}]`.
  inferencer of pictures: a list of instances for each, in a folder as OpenPose's.

An instance is `{"keypoints": [[x, y], ...], "keypoint_scores": [...]}` in pixels. See
mmpose 1.3, demo/topdown_demo_with_mmdet.py and apis/inferencers.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.exchange.detections import Person, View, gathered, join
from human_pose.exchange.format import Format
from human_pose.exchange.frame_folders import holds, read_views
from human_pose.exchange.recording import Recording
from human_pose.exchange.sources import any_recognised, head, one_per_view, read_json
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import by_count
from human_pose.geometry.skeleton import Skeleton

_SUFFIX: Final = ".json"
# A list of instances, which stands in one line or in many.
_PICTURE: Final = re.compile(r'\[\s*\{\s*"keypoints"\s*:', re.DOTALL)
_VIDEO: Final = re.compile(r'(\[\s*\{\s*"frame_id"|\{\s*"(meta_info|instance_info)")')
_HUMAN36M: Final = "h36m"
# Peaks of SimCC's networks are no probabilities.
_FULL_CONFIDENCE: Final = 10.0


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a file, or the first one in a folder, is of one of the three shapes."""
    if any_recognised(path, _SUFFIX, _is_video):
        return True
    return holds(path, _PICTURE) if Path(path).is_dir() else _is_picture(Path(path))


def read(
    path: str | os.PathLike[str],
    *,
    skeleton: Skeleton | None = None,
    fps: float | None = None,
) -> Recording:
    """Reads a file or a folder.

    Args:
      path: the file of a view; a folder with one for each; or for pictures a folder of
        their files, or one of such folders.
      skeleton: of the joints; default: as the file says, or the detectors' of so many.
      fps: frames a second, which the files do not say.

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    if Path(path).is_dir() and not any_recognised(path, _SUFFIX, _is_video):
        views = read_views(path, _people)
    else:
        files = one_per_view(path, _SUFFIX, lambda p: _is_video(p) or _is_picture(p))
        contents = {name: read_json(each) for name, each in files.items()}
        views = {name: _view(files[name], held) for name, held in contents.items()}
        skeleton = skeleton or _declared(contents)
    return join(str(path), views, skeleton, fps=fps, full_confidence=_FULL_CONFIDENCE)


def _is_video(path: Path) -> bool:
    return bool(_VIDEO.match(head(path)))


def _is_picture(path: Path) -> bool:
    return bool(_PICTURE.match(head(path)))


def _view(path: Path, content: Any) -> View:
    frames: dict[int, list[Person]] = {}
    with refusing(path, "is no file of MMPose's detections"):
        demo = isinstance(content, dict)
        entries = content["instance_info"] if demo else content
        if entries and "frame_id" not in entries[0]:
            entries = [{"frame_id": int(demo), "instances": entries}]
        for entry in entries:
            number = int(entry["frame_id"]) - demo
            if number in frames:
                raise InputError(f"{path}: frame {entry['frame_id']} is there twice")
            frames[number] = list(_people(entry["instances"]))
    return gathered(str(path), frames)


def _people(instances: Any) -> Iterator[Person]:
    for instance in instances:
        if not instance.get("keypoints"):  # a box alone
            continue
        joints = np.array(instance["keypoints"], np.float64)
        if joints.ndim != 2 or joints.shape[1] != 2:
            raise ValueError(
                f"keypoints must be [J, 2], points of the image: {list(joints.shape)}"
            )
        scores = np.array(instance["keypoint_scores"], np.float64)
        values = np.concatenate([joints, scores.reshape(-1, 1)], axis=1)
        yield Person(values, int(instance.get("track_id", -1)))


def _declared(contents: dict[str, Any]) -> Skeleton | None:
    """The skeleton of files that name Human3.6M's joints; others go by their number."""
    for content in contents.values():
        about = content.get("meta_info", {}) if isinstance(content, dict) else {}
        if isinstance(about, dict) and _HUMAN36M in str(about.get("dataset_name")):
            return by_count(17, "human36m")
    return None


FORMAT: Final = Format(
    "mmpose",
    "recording",
    "MMPose's JSON files",
    (),
    recognises,
    read,
    options=("skeleton", "fps"),
)
