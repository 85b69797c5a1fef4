"""Detections of any format as a source of shards: one record a frame."""

import os
import pickle
import re
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.datasets.shards.plan import Piece, Source
from human_pose.datasets.shards.records import Field, Schema
from human_pose.datasets.shards.writing import Good
from human_pose.exchange.formats import read_recording
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera
from human_pose.geometry.lenses import FISHEYE

# Of OpenCV's longest lens: k1 k2 p1 p2 k3 k4 k5 k6.
LENS_NUMBERS: Final = 8
PART: Final = "recording"
# As TFDS has the names of configurations.
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def schema_of(
    views: int | None, people: int | None, joints: int | None
) -> Mapping[str, Field]:
    """What a record holds; None stands for as many as there are."""
    # Readers of shards know all shapes; TFDS's builder learns them as it goes.
    shape: Any = (views, people, joints)
    return {
        "index": Field(dtype="int64", unit="of the frame in the recording"),
        "frame": Field(dtype="int64", unit="number that the source gives it"),
        "sequence": Field(dtype="int64", unit="number of its take"),
        "joints_2d_px": Field((*shape, 2), "float64", "px, NaN where not found"),
        "confidence": Field(shape, "float64", "0 to 1, 0 where not found"),
        "rotations": Field((*shape[:1], 3, 3), "float64", "world to camera, or NaN"),
        "translations_mm": Field((*shape[:1], 3), "float64", "mm, camera frame"),
        "intrinsics_px": Field((*shape[:1], 4), "float64", "fx fy cx cy, px"),
        "distortion": Field(
            (*shape[:1], LENS_NUMBERS),
            "float64",
            "OpenCV's k1 k2 p1 p2 k3 k4 k5 k6, or a fisheye's k1 k2 k3 k4, then 0",
        ),
        "fisheye": Field(shape[:1], "int64", "1 where the lens is a fisheye's"),
    }


def recording_source(
    path: str | os.PathLike[str],
    config: str = PART,
    reading: Mapping[str, Any] | None = None,
) -> Source:
    """The frames of a recording.

    Args:
      path: a file or folder that `exchange` reads.
      config: what to call it.
      reading: of `read_recording`, beside the path; values can be pickled.

    Raises:
      InputError: naming the file or argument and the rule.
    """
    if not _NAME.fullmatch(config):
        raise InputError("config", "must be small letters, digits and _", config)
    # Told by its bytes: neither ranges of frames nor lists of cameras can be hashed.
    told_by = pickle.dumps((Path(path), {**(reading or {})}))
    # Not one that this process has read before, for files change.
    _read.cache_clear()
    recording, checksum = _read(told_by)
    views, people, joints = recording.joints_2d_px.shape[1:4]
    schema: Schema = schema_of(views, people, joints)
    # A source of one line: what the files hold, not what they are called.
    told = f"{recording.view_names} {recording.skeleton.names} {checksum}"
    return Source(
        "recordings",
        config,
        schema,
        f"recording {told}",
        partial(_samples, told_by, checksum),
        {PART: (Piece(None, range(len(recording))),)},
        f"Detections of {people} people at most; views "
        f"{', '.join(recording.view_names)}; joints "
        f"{', '.join(recording.skeleton.names)}.",
    )


def samples_of(recording: Recording, indices: range) -> Iterator[Good]:
    """The samples of some frames."""
    cameras = _cameras(recording)
    for index in indices:
        yield Good(
            index,
            {
                "index": index,
                "frame": recording.frames[index],
                "sequence": recording.sequence[index],
                "joints_2d_px": recording.joints_2d_px[index],
                "confidence": recording.confidence[index],
                **cameras,
            },
        )


def _cameras(recording: Recording) -> dict[str, np.ndarray]:
    """What records say of cameras; NaN where nothing is known of them."""
    cameras: tuple[Camera | None, ...] = recording.cameras
    known = [*(cameras or (None,) * len(recording.view_names))]

    def all_of(name: str, *shape: int) -> np.ndarray:
        unknown = np.full(shape, np.nan)
        return np.stack([unknown if c is None else getattr(c, name) for c in known])

    lenses = np.zeros((len(known), LENS_NUMBERS))
    for row, camera in zip(lenses, known, strict=True):
        if camera is not None:
            row[: len(camera.distortion)] = camera.distortion
    fisheye = [camera is not None and camera.lens == FISHEYE for camera in known]
    return {
        "rotations": all_of("rotation", 3, 3),
        "translations_mm": all_of("translation_mm", 3),
        "intrinsics_px": all_of("intrinsics_px", 4),
        "distortion": lenses,
        "fisheye": np.array(fisheye, np.int64),
    }


def _checksum(recording: Recording) -> str:
    """Tells all apart that records hold: whoever adds a field to them adds it here."""
    per_frame = ("frames", "sequence", "joints_2d_px", "confidence")
    checksum = 0
    for array in (
        *(getattr(recording, name) for name in per_frame),
        *_cameras(recording).values(),
    ):
        checksum = zlib.crc32(np.ascontiguousarray(array).tobytes(), checksum)
    return f"{checksum:08x}"


def _samples(told_by: bytes, checksum: str, piece: Piece) -> Iterator[Good]:
    path, _ = pickle.loads(told_by)
    recording, found = _read(told_by)
    if found != checksum:
        # Shards of before and of after would bear one source's name.
        raise InputError(f"{path}: was changed while it was prepared; prepare it again")
    return samples_of(recording, piece.indices)


# Each process reads it once, whatever the number of its shards.
@lru_cache(maxsize=1)
def _read(told_by: bytes) -> tuple[Recording, str]:
    path, reading = pickle.loads(told_by)
    recording = read_recording(path, **reading)
    return recording, _checksum(recording)
