"""A Pose2Sim project as it stands: detections, calibration and Config.toml.

    <trial>/Config.toml  pose/<view>_json/*.json  pose-sync/  pose-associated/  videos/
    <session>/calibration/

What a trial's Config.toml does not say stands in those of the two folders above it,
where the calibration may lie, too, if there is one. Detections that Pose2Sim associated
come before those that it synchronised, and these before others. Read of the settings:
`project.frame_rate` and `frame_range` (its end not included), `pose.pose_model`.
Pose2Sim takes cameras for folders by their order; here they are matched by name. See
github.com/perfanalytics/pose2sim, version 0.10.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from absl import logging

from human_pose.exchange import formats, openpose, table
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording
from human_pose.exchange.sources import folders_in, read_toml
from human_pose.exchange.videos import frame_rate
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import by_name
from human_pose.geometry.skeleton import Skeleton

_CONFIG: Final = "Config.toml"
_CALIBRATION: Final = "calib"  # in the name of its folder
_VIDEOS: Final = "videos"
_DETECTIONS: Final = ("pose-associated", "pose-sync", "pose")
_LEVELS: Final = 3  # a trial, its participant, its session
# What Pose2Sim takes where there are pictures instead of videos.
_FALLBACK_FPS: Final = 60.0

# Pose2Sim's words for skeletons whose joints are written in a known order.
_MODELS: Final[Mapping[str, str]] = {
    "BODY": "coco_17", "COCO_17": "coco_17", "COCO": "coco_18", "BODY_25": "body_25",
    "BODY_25B": "body_25b", "BODY_WITH_FEET": "halpe_26", "LOWER_BODY": "halpe_26",
    "HALPE_26": "halpe_26", "HALPE_136": "halpe_26", "WHOLE_BODY": "coco_133",
    "COCO_133": "coco_133", "WHOLE_BODY_WRIST": "coco_133",
    "COCO_133_WRIST": "coco_133", "BLAZEPOSE": "blazepose_33",
}  # fmt: skip


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a folder has detections where a project has them."""
    return _detections(Path(path)) is not None


def read(
    path: str | os.PathLike[str],
    *,
    skeleton: Skeleton | None = None,
    fps: float | None = None,
    units: str | None = None,
    frames: slice | None = None,
    cameras: Any = None,
) -> Recording:
    """Reads a trial with its cameras, if a calibration is there.

    Args:
      path: the trial's folder.
      skeleton: of the joints; default: the project's `pose_model`.
      fps: frames a second; default: the project's.
      units: of the calibration.
      frames: numbers of the frames; default: the project's `frame_range`.
      cameras: those that the caller takes instead; the project's are not read then.

    Raises:
      InputError: naming the file or folder, and what is wrong with it.
    """
    path = Path(path)
    detections = _detections(path)
    if detections is None:
        raise InputError(f"{path}: must hold {' or '.join(_DETECTIONS)} with frames")
    config = _config(path)
    recording = openpose.read(
        detections,
        skeleton=skeleton or _model(path, config),
        fps=fps or _fps(path, config),
    )
    recording = formats.of_range(recording, frames or _range(path, config))
    place = None if cameras is not None else calibration(path)
    if place is None:
        return recording
    found = formats.read_cameras(place, units)
    return recording.with_cameras(found, str(place))


def _detections(path: Path) -> Path | None:
    folders = (path / name for name in _DETECTIONS)
    return next((folder for folder in folders if openpose.recognises(folder)), None)


def _levels(path: Path) -> list[Path]:
    """The folder and those above it, up to the last one with settings of a project."""
    path = path.resolve()
    levels = [path, *path.parents][:_LEVELS]
    while len(levels) > 1 and not (levels[-1] / _CONFIG).is_file():
        levels.pop()
    return levels


def _configs(path: Path) -> list[Path]:
    """The settings that count, the trial's own first."""
    found = (folder / _CONFIG for folder in _levels(path))
    return [config for config in found if config.is_file()]


def _config(path: Path) -> dict[str, dict[str, Any]]:
    """The settings by section, each of the nearest folder that has it."""
    merged: dict[str, dict[str, Any]] = {}
    for config in reversed(_configs(path)):
        for section, settings in read_toml(config).items():
            if isinstance(settings, dict):
                merged[section] = merged.get(section, {}) | settings
    return merged


def _model(path: Path, config: Mapping[str, Mapping[str, Any]]) -> Skeleton | None:
    """The skeleton of the project's model; None if it names none."""
    model = config.get("pose", {}).get("pose_model")
    if model is None:
        return None
    name = _MODELS.get(str(model).upper())
    if name is None:
        raise InputError(
            f"{path}: pose_model must be one of {', '.join(_MODELS)}, or `skeleton` be "
            f"given; received {model!r}"
        )
    return by_name(name)


def _fps(path: Path, config: Mapping[str, Mapping[str, Any]]) -> float:
    rate = config.get("project", {}).get("frame_rate", "auto")
    if isinstance(rate, int | float):
        return float(rate)
    if rate != "auto":
        raise InputError(f"{path}: frame_rate must be a number or 'auto'", None, rate)
    found = frame_rate(path / _VIDEOS)
    if found is None:
        logging.warning(
            "%s: no frame rate is given, nor found in %s/ (which needs PyAV); "
            "taken to be %g frames a second",
            *(path, _VIDEOS, _FALLBACK_FPS),
        )
    return found or _FALLBACK_FPS


def _range(path: Path, config: Mapping[str, Mapping[str, Any]]) -> slice | None:
    given = config.get("project", {}).get("frame_range", "auto")
    if given in ("auto", "all", []):
        return None
    if not (isinstance(given, list) and len(given) == 2):
        raise InputError(
            f"{path}: frame_range must be 'auto', 'all' or two numbers", None, given
        )
    with refusing(path, "has a frame_range that is none"):
        return slice(int(given[0]), int(given[1]))


def videos_folder(path: str | os.PathLike[str]) -> Path:
    """Where a project has its videos."""
    return Path(path) / _VIDEOS


def frame_range(path: str | os.PathLike[str]) -> slice | None:
    """The numbers of a project's frames; None for all.

    Raises:
      InputError: if its settings cannot be read.
    """
    path = Path(path)
    return _range(path, _config(path))


def calibration(path: str | os.PathLike[str]) -> Path | None:
    """The nearest calibration: a file, or a folder of files that belong together.

    Raises:
      InputError: if there are several.
    """
    for level in _levels(Path(path)):
        for folder in folders_in(level):
            if _CALIBRATION not in folder.name.lower():
                continue
            if found := table.calibration_in(folder):
                return found
            logging.warning("%s: holds no calibration that is known", folder)
    return None


FORMAT: Final = Format(
    "pose2sim",
    "recording",
    "a Pose2Sim project",
    (),
    recognises,
    read,
    options=("skeleton", "fps", "units", "frames", "cameras"),
)
