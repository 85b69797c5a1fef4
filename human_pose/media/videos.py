"""Videos as numbered, upright frames with the times at which they were taken.

Read by PyAV. Frames are known by their time stamps, so that one that cannot be decoded
is missing and moves no other; variable rates are as the file has them. What the file
says of how the camera was held is followed.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from absl import logging

from human_pose.files.errors import InputError
from human_pose.files.paths import composed
from human_pose.media.decoding import (
    MOST_MOVED,
    decoded,
    first_frame,
    opened,
    stream_of,
)
from human_pose.media.rates import rate_of

VIDEO_SUFFIXES: Final = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mts")
_QUARTER_DEG: Final = 90
Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Video:
    """What a video file holds.

    Attributes:
      path: the file.
      width_px: of the upright frames.
      height_px: of the upright frames.
      times_s: float64 `[F]`, from the first frame on, ascending.
      rotation_deg: by which stored frames are turned anticlockwise to be upright.
      stamps: int64 `[F]`, the file's own time stamps of the frames.
      moved: whether decoded frames bear those of the order in which they are stored.
    """

    path: Path
    width_px: int
    height_px: int
    times_s: np.ndarray
    rotation_deg: int
    stamps: np.ndarray
    moved: bool = False

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def name(self) -> str:
        """The view's: that of the file without its ending."""
        return composed(self.path.stem)

    @property
    def fps(self) -> float | None:
        """Frames a second, missing ones counted; of a single frame None."""
        return rate_of(self.times_s)


def probe(path: str | os.PathLike[str]) -> Video:
    """What a video holds, found without decoding more than its first frame.

    Raises:
      InputError: naming the file, if it cannot be read, or is no video.
    """
    path = Path(path)
    with opened(path) as container:
        stream = stream_of(path, container)
        there, found = 0, []
        for packet in container.demux(stream):
            there += bool(packet.size)
            # Parts that were cut off by the camera's own editor are not shown.
            if packet.size and not packet.is_discard and packet.pts is not None:
                found.append(packet.pts)
        stored = np.array(found, np.int64)
        base, declared = stream.time_base, int(stream.frames or 0)
        mixed = bool(stream.codec_context.has_b_frames)
    stamps = np.unique(stored)
    first = first_frame(path)
    if first is None or not len(stamps):
        raise InputError(f"{path}: holds no frame with a time stamp")
    if declared > there:
        logging.warning(
            "%s: is cut off; of %d frames %d are there", path, declared, there
        )
    if len(stored) > len(stamps):
        logging.warning(
            "%s: %d frames have the time of another one and are left out, as where "
            "more than 1000 a second have stamps in milliseconds",
            *(path, len(stored) - len(stamps)),
        )
    _check_order(path, stored)
    turned = _rotation(path, first)
    sides = (first.width, first.height)
    width, height = sides[::-1] if turned % 180 else sides
    times = (stamps - stamps[0]) * float(base)
    # Stored in another order than shown, they would not ascend if they were true.
    moved = mixed and bool((np.diff(stored) > 0).all())
    return Video(path, width, height, times, turned, stamps, moved)


def declared_fps(path: str | os.PathLike[str]) -> float | None:
    """Frames a second as a video says of itself, without reading its frames.

    Raises:
      InputError: naming the file, if it cannot be read, or is no video.
    """
    path = Path(path)
    with opened(path) as container:
        rate = stream_of(path, container).average_rate
    return float(rate) if rate else None


def declared_frames(path: str | os.PathLike[str]) -> int:
    """How many frames a video says that it has; those of one that is cut off, too.

    Raises:
      InputError: naming the file, if it cannot be read, or is no video.
    """
    path = Path(path)
    with opened(path) as container:
        declared = int(stream_of(path, container).frames or 0)
    # Not all containers say it.
    return declared or len(probe(path))


def read_frames(
    video: Video, chosen: slice | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """The frames of a video, one after the other.

    Args:
      video: see `probe`.
      chosen: numbers of frames, without a step; default: all.

    Yields:
      The number of a frame, from 0, and its pixels, uint8 `[H, W, 3]`, red first.
      Frames that cannot be decoded are left out, and so is a second one of a time.

    Raises:
      InputError: naming the file, if it can no longer be read.
    """
    first, stop, _ = (chosen or slice(None)).indices(len(video))
    if first >= stop:
        return
    turns = video.rotation_deg // _QUARTER_DEG
    wanted = first
    for stamp, frame in decoded(video.path, video.stamps, first, moved=video.moved):
        number = int(np.searchsorted(video.stamps, stamp))
        if number >= stop:
            return
        if number >= wanted and video.stamps[number] == stamp:
            wanted = number + 1
            pixels = np.rot90(frame.to_ndarray(format="rgb24"), turns)
            yield number, np.ascontiguousarray(pixels)


def frames_of(video: Video, chosen: slice | None) -> range:
    """The numbers of chosen frames.

    Args:
      video: the video.
      chosen: numbers of frames, without a step; None for all.

    Raises:
      InputError: if the video has none of them.
    """
    frames = range(*(chosen or slice(None)).indices(len(video)))
    if not frames:
        first, stop = (chosen.start, chosen.stop) if chosen else (None, None)
        given = f"{'' if first is None else first}:{'' if stop is None else stop}"
        rule = f"must name some of the {len(video)} frames of {video.path}"
        raise InputError("frames", rule, given)
    return frames


def answers(
    ask: Callable[[Iterator[np.ndarray]], Iterable[Answer]],
    video: Video,
    frames: range,
) -> Iterator[tuple[int, Answer]]:
    """What is said of the frames of a video, with their numbers.

    Args:
      ask: takes pictures, and says something of each in their order.
      video: the video.
      frames: numbers of its frames; of those that cannot be decoded nothing is asked.

    Raises:
      InputError: naming the file, if it can no longer be read.
    """
    numbers: deque[int] = deque()

    def pictures() -> Iterator[np.ndarray]:
        for number, picture in read_frames(video, slice(frames.start, frames.stop)):
            numbers.append(number)
            yield picture

    for answer in ask(pictures()):
        yield numbers.popleft(), answer


def _check_order(path: Path, stored: np.ndarray) -> None:
    """Refuses times that begin anew: two frames would be of one number, or one time.

    Raises:
      InputError: naming the frame at which they do.
    """
    places = np.argsort(np.argsort(stored, kind="stable"), kind="stable")
    back = np.flatnonzero(np.maximum.accumulate(places) - places > MOST_MOVED)
    if len(back):
        raise InputError(
            f"{path}: time stamps must not go back, as they do at frame {back[0]} of "
            f"{len(stored)}; where recordings were put one behind the other, encode "
            "them anew"
        )


def _rotation(path: Path, frame: Any) -> int:
    """By how many degrees a frame is to be turned anticlockwise: 0, 90, 180 or 270.

    Raises:
      InputError: naming the file, if frames are to be turned otherwise, or mirrored.
    """
    if _is_mirrored(frame):
        raise InputError(
            f"{path}: must not be mirrored, as its file says that it is: left would be "
            "right; encode it as the camera saw it"
        )
    turned = float(frame.rotation)
    quarter = round(turned / _QUARTER_DEG) * _QUARTER_DEG
    if not math.isclose(turned, quarter, abs_tol=1.0):
        raise InputError(
            f"{path}: must be turned by quarters of a circle, not {turned:g} degrees"
        )
    return quarter % 360


def _is_mirrored(frame: Any) -> bool:
    """Whether a frame's display matrix (ISO/IEC 14496-12, 8.3.2) mirrors it."""
    matrices = [bytes(d) for d in frame.side_data if d.type.name == "DISPLAYMATRIX"]
    if not matrices:
        return False
    (a, b, _), (c, d, _), _ = np.frombuffer(matrices[0], "=i4").reshape(3, 3).tolist()
    return a * d - b * c < 0
