"""Which videos a capture has, and the cameras that took them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from human_pose.capture.config import CaptureConfig
from human_pose.exchange import formats, pose2sim
from human_pose.exchange.recording import cameras_of
from human_pose.exchange.sources import files_in
from human_pose.files.errors import InputError
from human_pose.files.paths import composed
from human_pose.geometry.cameras import Camera
from human_pose.media.videos import VIDEO_SUFFIXES, Video, probe

# Widths and heights may differ by it: encoders and calibrations round to 8 or 16 px.
_SAME_SIZE: Final = 0.02


def videos_in(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The videos of a folder, in the order of their names.

    Raises:
      InputError: if there are none.
    """
    found = tuple(files_in(folder, *VIDEO_SUFFIXES))
    if not found:
        rule = f"must hold videos: {', '.join(VIDEO_SUFFIXES)}"
        raise InputError(f"{folder}: {rule}")
    return found


def find_videos(config: CaptureConfig) -> list[Video]:
    """The videos of a capture, each looked into.

    Raises:
      InputError: if there are none, two have one name, or one cannot be read.
    """
    paths = config.videos or videos_in(pose2sim.videos_folder(_project(config)))
    names = [composed(path.stem) for path in paths]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"videos: must differ in their names; twice: {twice[0]}")
    return [probe(path) for path in paths]


def find_cameras(config: CaptureConfig, videos: Sequence[Video]) -> tuple[Camera, ...]:
    """The cameras of the videos, by their names.

    Raises:
      InputError: if there is no calibration, a video has no camera in it, or its
        pictures are of another size.
    """
    path = config.cameras
    if path is None and config.project is not None:
        path = pose2sim.calibration(config.project)
    if path is None:
        raise InputError(
            "cameras", "must name a calibration with a camera of each view"
        )
    names = [video.name for video in videos]
    held = formats.read_cameras(path, config.units, config.up)
    found = cameras_of(names, held, str(path))
    for video, camera in zip(videos, found, strict=True):
        _check_size(video, camera)
    return found


def _project(config: CaptureConfig) -> Path:
    if config.project is None:
        raise InputError("videos", "must name videos, one for each camera")
    return config.project


def _check_size(video: Video, camera: Camera) -> None:
    """Refuses pictures that are turned or scaled beside those of the calibration."""
    if camera.size_px is None:
        return
    here, there = (video.width_px, video.height_px), camera.size_px
    if any(abs(a - b) > _SAME_SIZE * b for a, b in zip(here, there, strict=True)):
        raise InputError(
            f"{video.path}: must be of the size of camera {camera.name}, "
            f"{there[0]:g} x {there[1]:g} px",
            None,
            f"{here[0]} x {here[1]}",
        )
