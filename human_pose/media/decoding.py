"""Decoded frames of a video from any one of them on, under their own time stamps.

What files say of where a frame can be decoded from is not always so: seeking in a
transport stream ends anywhere, frames that lead a key frame need those before it, and
key frames of an intra refresh show a part of the picture. And AVI has no times of
presentation: its stamps are of the order in which frames are stored.
"""

import heapq
import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from human_pose.files.errors import InputError, one_line
from human_pose.files.extras import needed
from human_pose.files.paths import check_is_file

# Frames: none is stored further from its place in time (H.264 and H.265, A.4.1 `dpb`).
MOST_MOVED: Final = 16
# Where frames are looked for that far before the one that is wanted, and how much
# farther in the next try.
_RUN_UP: Final = 2 * MOST_MOVED
_FARTHER: Final = 4
# A key frame that is not among so many decoded ones is damaged.
_SOON: Final = 64
# FFmpeg's types of pictures (`AVPictureType`): one that is not said, I, SI.
_BY_ITSELF: Final = (0, 1, 5)


class Stamped(NamedTuple):
    """A decoded frame, of PyAV, and its time stamp."""

    stamp: int
    frame: Any


class _Late(Exception):
    """What is decoded begins after the frame that is wanted."""


def decoded(
    path: str | os.PathLike[str],
    stamps: np.ndarray,
    first: int = 0,
    *,
    moved: bool = False,
) -> Iterator[Stamped]:
    """The frames that can be decoded, in the order of their stamps.

    Args:
      path: of the video.
      stamps: int64 `[F]`, of its frames, ascending.
      first: number of the frame to begin with; some before it may come, too.
      moved: whether stamps are of the order in which frames are stored.

    Raises:
      InputError: naming the file, if it cannot be read.
    """
    frames = _begun(Path(path), stamps, first, _RUN_UP if moved else 0)
    if moved:
        yield from _in_place(frames)
    else:
        yield from (Stamped(frame.pts, frame) for frame in frames)


def first_frame(path: str | os.PathLike[str]) -> Any | None:
    """The first frame that can be decoded; None if there is none.

    Raises:
      InputError: naming the file, if it cannot be read, or is no video.
    """
    return next(_from(Path(path), None), None)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """A file as a container; PyAV's errors become one line."""
    check_is_file(path)
    av = needed("av", str(path), "video")
    try:
        with av.open(str(path)) as container:
            yield container
    except (av.FFmpegError, UnicodeError) as error:
        raise InputError(
            f"{path}: is no video that can be read; {one_line(error)}"
        ) from error


def stream_of(path: str | os.PathLike[str], container: Any) -> Any:
    """The first stream of pictures that is no cover of an album, or a thumbnail.

    Raises:
      InputError: naming the file, if there is none, or it cannot be decoded.
    """
    av = needed("av", str(path), "video")
    cover = av.stream.Disposition.attached_pic
    moving = (each for each in container.streams.video if not each.disposition & cover)
    stream = next(moving, None)
    if stream is None:
        raise InputError(f"{path}: holds no video, only sound, text or stills")
    if stream.codec_context is None:
        raise InputError(f"{path}: holds pictures of a codec that nothing here decodes")
    return stream


def _begun(path: Path, stamps: np.ndarray, first: int, run_up: int) -> Iterator[Any]:
    """Frames from one on or before the wanted one; those before may be damaged."""
    while (begin := first - run_up) > 0:
        frames = _from(path, int(stamps[begin]))
        try:
            head = next(frames)
        except _Late:
            run_up = max(_FARTHER * run_up, _RUN_UP)
            continue
        yield head
        yield from frames
        return
    yield from _from(path, None)


def _from(path: Path, stamp: int | None) -> Iterator[Any]:
    """Frames from the key frame on that is last before a stamp; None: from the first.

    Raises:
      _Late: before any frame, if not all can be decoded from there on.
    """
    with opened(path) as container:
        stream = stream_of(path, container)
        stream.thread_type = "AUTO"
        if stamp is not None:
            container.seek(stamp, stream=stream)
        packets = container.demux(stream)
        # Without a key frame decoders show what was not there.
        skipped = []
        for packet in packets:
            if packet.is_keyframe and packet.pts is not None:
                break
            skipped.append(packet if stamp is None else None)
        else:
            if stamp is not None:
                raise _Late
            # A file that marks none.
            yield from _frames(path, skipped)
            return
        if stamp is not None and packet.pts > stamp:
            raise _Late
        frames = _frames(path, itertools.chain([packet], packets))
        if stamp is not None:
            frames = _after(frames, packet.pts)
        yield from frames


def _after(frames: Iterator[Any], key: int) -> Iterator[Any]:
    """Frames from a key frame on.

    Raises:
      _Late: before any frame, if it does not come, or is none by itself.
    """
    for frame in itertools.islice(frames, _SOON):
        if frame.pts == key:
            if int(frame.pict_type) not in _BY_ITSELF:
                break
            return itertools.chain([frame], frames)
    raise _Late


def _frames(path: Path, packets: Iterable[Any]) -> Iterator[Any]:
    """What packets show, as far as it has a time stamp."""
    errors = needed("av", str(path), "video").FFmpegError
    for packet in packets:
        try:
            found = packet.decode()
        except errors:
            # What follows the damage can often be decoded.
            continue
        yield from (frame for frame in found if frame.pts is not None)


def _in_place(frames: Iterator[Any]) -> Iterator[Stamped]:
    """Frames, which are decoded in order, with their stamps put in order."""
    stamps: list[int] = []
    waiting: deque[Any] = deque()
    for frame in frames:
        heapq.heappush(stamps, frame.pts)
        waiting.append(frame)
        if len(waiting) > MOST_MOVED:
            yield Stamped(heapq.heappop(stamps), waiting.popleft())
    while waiting:
        yield Stamped(heapq.heappop(stamps), waiting.popleft())
