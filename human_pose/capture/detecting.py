"""Detects in several videos at once, and goes on where an earlier run ended."""

import contextlib
import os
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

from absl import logging
from tqdm import tqdm

from human_pose.capture.detections import (
    Part,
    detect_part,
    parts,
    read_parts,
)
from human_pose.capture.detectors.protocol import Detector
from human_pose.capture.views import View
from human_pose.files.paths import leftovers
from human_pose.media.videos import Video

# Since it was last written to, after which nobody writes a part.
_LEFT_S: Final = 60.0


def detect_videos(
    videos: Sequence[Video],
    detector: Detector,
    *,
    chosen: slice | None = None,
    redo: bool = False,
    spare: str | os.PathLike[str],
) -> list[View]:
    """The detections of videos, kept beside each of them.

    Args:
      videos: of different names.
      detector: that is asked where there are none of its own yet.
      chosen: numbers of frames, in each video; default: all.
      redo: whether those that are there are made again.
      spare: the folder for detections of videos whose own cannot be written to, unless
        they are all there.

    Raises:
      InputError: naming the file, if a video cannot be read or a part not be written;
        parts that are done stay.
    """
    whole = [_parts(video, detector, chosen, redo, Path(spare)) for video in videos]
    missing = [part for of in whole for part in of if redo or not part.is_made]
    if missing:
        _make(missing, detector)
    for folder in {part.path.parent for of in whole for part in of}:
        _sweep(folder)
    return [read_parts(of, chosen) for of in whole]


def _sweep(folder: Path) -> None:
    """Removes what killed runs have left of parts in a folder.

    Runs that live write one in seconds; theirs stay.
    """
    for path in leftovers(folder):
        # Another run may sweep, too, or end what it writes; one may be read-only.
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT_S:
                path.unlink()


def _parts(
    video: Video, detector: Detector, chosen: slice | None, redo: bool, spare: Path
) -> list[Part]:
    """Parts beside the video, or in the spare folder where they cannot be made."""
    folder = video.path.parent
    beside = parts(video, detector, chosen, folder)
    if os.access(folder, os.W_OK):
        return beside
    if not redo and all(part.is_made for part in beside):
        return beside
    logging.warning("%s: cannot be written to; detections go to %s", folder, spare)
    return parts(video, detector, chosen, spare)


def _make(missing: Sequence[Part], detector: Detector) -> None:
    """Makes parts, as many at once as the detector can."""
    left: queue.SimpleQueue[Part] = queue.SimpleQueue()
    for part in missing:
        left.put(part)
    stop = threading.Event()
    total = sum(len(part.frames) for part in missing)
    # In the terminal alone; a log would have a line for each change.
    with tqdm(total=total, unit=" frames", desc="detecting", disable=None) as bar:

        def seen() -> None:
            if stop.is_set():
                raise _Stopped
            bar.update()

        def work() -> None:
            with detector.started() as detect:
                while not stop.is_set():
                    try:
                        part = left.get_nowait()
                    except queue.Empty:
                        return
                    detect_part(part, detector, detect, seen)

        count = min(detector.parallel, len(missing))
        with ThreadPoolExecutor(count) as pool:
            _finish([pool.submit(work) for _ in range(count)], stop)


class _Stopped(Exception):
    """Another video's detection failed, or the user ended the run."""


def _finish(running: Sequence[Future[None]], stop: threading.Event) -> None:
    """Waits for all; the first failure ends the others."""
    try:
        done, _ = wait(running, return_when=FIRST_EXCEPTION)
        for each in done:
            each.result()
    finally:
        stop.set()
