"""Reads and writes recordings, cameras and motion of any format of the `table`."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from human_pose.exchange.named import tell_doubtful
from human_pose.exchange.numbering import numbered
from human_pose.exchange.recording import Motion, Recording, check_fps
from human_pose.exchange.table import (
    CAMERAS,
    MOTION,
    RECORDING,
    StrPath,
    calibration_in,
    kind_of,
    recognise,
    writer,
)
from human_pose.files.errors import InputError
from human_pose.geometry.axes import UP_AXES, upright
from human_pose.geometry.cameras import Camera
from human_pose.geometry.known_skeletons import by_name
from human_pose.geometry.skeleton import Skeleton


def read_recording(
    path: StrPath,
    *,
    cameras: StrPath | Sequence[Camera] | None = None,
    fps: float | None = None,
    units: str | None = None,
    frames: slice | None = None,
    skeleton: str | Skeleton | None = None,
    up: str | None = None,
) -> Recording:
    """Reads 2D detections of any format.

    Args:
      path: a file or folder.
      cameras: a calibration, or cameras; each view's is found by its name. Default:
        those of the recording itself, if it has any.
      fps: frames a second; default: what the recording says.
      units: of the calibration's lengths; default: what it says or implies.
      frames: the numbers of the first frame and the one after the last, None for no
        limit; default: all, or those that a project says.
      skeleton: of joints that have no names in the file, or a known one's name.
      up: the axis of the calibration's world that points upwards, of `axes.UP_AXES`;
        default: "z".

    Raises:
      InputError: naming the file or the argument, the rule and what was received.
    """
    check_fps("recording", fps)
    chosen = recognise(path, RECORDING)
    if isinstance(skeleton, str):
        skeleton = _named(skeleton)
    given = {
        "skeleton": skeleton,
        "fps": fps,
        "units": units,
        "frames": frames,
        "cameras": cameras,
    }
    if skeleton is not None and "skeleton" not in chosen.options:
        raise InputError(
            "skeleton",
            f"has no effect: {path} ({chosen.title}) says what its joints are",
        )
    of_file = isinstance(cameras, str | os.PathLike)
    if units is not None and cameras is not None and not of_file:
        raise InputError("units", "have no effect: cameras have millimetres")
    assert chosen.read is not None
    recording: Recording = chosen.read(
        Path(path), **{name: given[name] for name in chosen.options}
    )
    if fps is not None:
        recording = recording.replace(fps=fps)
    if units is not None and cameras is None and not recording.cameras:
        raise InputError("units", "are a calibration's, and none is given")
    if "frames" not in chosen.options:
        recording = of_range(recording, frames)
    if not recording.seen.any():
        raise InputError(f"{path}: must hold a joint that was found; there is none")
    recording = numbered(recording)
    tell_doubtful(recording.source, recording.skeleton)
    if cameras is not None:
        _tell_several_subjects(recording)
    if isinstance(cameras, str | os.PathLike):
        held = read_cameras(cameras, units)
        recording = recording.with_cameras(held, str(cameras))
    elif cameras is not None:
        recording = recording.with_cameras(cameras)
    if up is None:
        return recording
    if not recording.cameras:
        raise InputError("up", "is of a calibration's world, and none is given")
    return recording.replace(cameras=_upright(recording.cameras, up))


def _tell_several_subjects(recording: Recording) -> None:
    """Warns of takes of several subjects, whom one calibration cannot serve."""
    present = np.unique(recording.sequence) if recording.take_names else ()
    takes = [recording.take_names[take].split(" ")[0] for take in present]
    if len(subjects := sorted({*takes})) > 1:
        logging.warning(
            "%s: has takes of %s; data sets of this form have other cameras for each "
            "subject, and those given are taken for all",
            *(recording.source, ", ".join(subjects)),
        )


def read_cameras(
    path: StrPath, units: str | None = None, up: str | None = None
) -> tuple[Camera, ...]:
    """Reads a calibration of any format.

    Args:
      path: a file, or a folder that is one or holds one.
      units: of its lengths; default: what it says or implies.
      up: the axis of its world that points upwards, of `axes.UP_AXES`, which becomes
        z; default: "z".

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    if os.path.isdir(path):
        path = calibration_in(path) or path
    chosen = recognise(path, CAMERAS)
    assert chosen.read is not None
    return _upright(chosen.read(Path(path), units=units), up)


def read_motion(
    path: StrPath,
    units: str | None = None,
    up: str | None = None,
    fps: float | None = None,
) -> Motion:
    """Reads 3D joints over time of any format.

    Args:
      path: a file or folder.
      units: of its lengths; default: what it says or implies.
      up: the axis that points upwards in the file, of `axes.UP_AXES`; default: its
        format's.
      fps: frames a second, where the file does not say.

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    chosen = recognise(path, MOTION)
    if up is not None and "up" not in chosen.options:
        raise InputError(
            "up", f"has no effect: in {path} ({chosen.title}) it is always the same"
        )
    check_fps("motion", fps)
    assert chosen.read is not None
    given = {"up": up, "fps": fps}
    further = {
        name: value
        for name, value in given.items()
        if value is not None and name in chosen.options
    }
    motion: Motion = chosen.read(Path(path), units=units, **further)
    return motion if motion.fps else dataclasses.replace(motion, fps=fps)


def write(
    path: StrPath,
    value: Recording | Motion | Sequence[Camera],
    to: str | None = None,
) -> None:
    """Writes a recording, motion or cameras.

    Args:
      path: the file or folder.
      value: what to write.
      to: the name of the format; default: by the ending.

    Raises:
      InputError: if there is no such format, or it cannot hold the value.
    """
    chosen = writer(path, kind_of(value), to)
    assert chosen.write is not None
    chosen.write(path, value)


def of_range(value: Any, frames: slice | None) -> Any:
    """A recording or motion of the frames whose numbers are in a range.

    Args:
      value: the recording or motion.
      frames: the first number and the one after the last; None for all.

    Raises:
      InputError: if it is of no frame, or takes steps.
    """
    if frames is None:
        return value
    if frames.step not in (None, 1):
        raise InputError("frames", "must be a range without steps", frames.step)
    numbers = value.frames
    lowest, highest = (numbers.min(), numbers.max()) if len(numbers) else (0, 0)
    first = lowest if frames.start is None else frames.start
    stop = highest + 1 if frames.stop is None else frames.stop
    chosen = (numbers >= first) & (numbers < stop)
    if not chosen.any():
        raise InputError(
            "frames",
            f"must be of those of {value.source}, {lowest} to {highest}",
            f"{first}:{stop}",
        )
    if isinstance(value, Recording):
        return value.of_frames(chosen)
    return dataclasses.replace(
        value,
        joints_3d_mm=value.joints_3d_mm[chosen],
        frames=value.frames[chosen],
        sequence=value.sequence[chosen],
    )


def _upright(cameras: Sequence[Camera], up: str | None) -> tuple[Camera, ...]:
    """Cameras in the same world with z upwards."""
    if up not in (None, *UP_AXES):
        raise InputError("up", f"must be one of {', '.join(UP_AXES)}", up)
    turned = [upright(camera.rotation, up or "z") for camera in cameras]
    pairs = zip(cameras, turned, strict=True)
    return tuple(dataclasses.replace(c, rotation=r) for c, r in pairs)


def _named(word: str) -> Skeleton:
    try:
        return by_name(word)
    except ValueError as error:
        raise InputError(str(error)) from error
