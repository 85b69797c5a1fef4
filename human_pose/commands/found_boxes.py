"""Boxes of the people that a detector finds in pictures and videos, for `Sample.py`.

They are the boxes in which a capture shows people to the same network. In pictures each
person is found by itself, whatever the others show; in a video people are followed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np

from human_pose.capture.config import DetectorConfig
from human_pose.capture.detectors import find_detector
from human_pose.capture.detectors.boxes import Boxed, boxed
from human_pose.capture.detectors.protocol import Detect, Detector
from human_pose.files.errors import InputError
from human_pose.media.ahead import in_order
from human_pose.media.boxes import Box
from human_pose.media.pictures import read_picture

_NOBODY: Final = "nobody was found in it"
# One picture is read while the detector has another.
_READERS: Final = 2
# Of full size, so hardly more than are needed to keep detector and network busy.
_MOST_AHEAD: Final = 4

# A picture's pixels, uint8 `[H, W, 3]`, with the person's box; or why there is none.
Found = tuple[np.ndarray, Box] | InputError


class Finder:
    """A detector that was started, and what it said.

    Attributes:
      said: its name and version.
      several: pictures in which it found several people.
      elsewhere: frames in which nobody is where the person was before.
    """

    def __init__(self, detector: Detector, detect: Detect) -> None:
        self.said = f"{detector.name} {detector.version}"
        self.several = 0
        self.elsewhere = 0
        self._detect = detect
        self._verb = "taken"
        self._turn = Lock()

    def in_pictures(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[Found]:
        """Finds the person in each of many files, a few of them ahead.

        Raises:
          InputError: if the detector fails, which is no picture's fault.
        """
        return in_order(self._in_picture, paths, workers=_READERS, waiting=_MOST_AHEAD)

    def in_video(self, frames: Iterable[np.ndarray]) -> Iterator[Found]:
        """Finds the person in each frame, uint8 `[H, W, 3]`, and follows them.

        Raises:
          InputError: if the detector fails.
        """
        self._verb = "followed"
        return map(self._chosen, boxed(self._detect, frames))

    def titled(self, picture: str) -> str:
        """The title of a picture's drawing."""
        return f"{picture}\nbox found by {self.said}"

    def told(self, box: Box | None = None) -> str:
        """What found the boxes, or the only one, and who was taken of several people.

        Returns:
          Lines.
        """
        what, where = "boxes    found", f" in {self.several} pictures"
        if box is not None:
            what, where = f"box      {','.join(map(str, box))}, found", ""
        lines = [f"{what} by {self.said}"]
        if self.several:
            who = f"the detector's first was {self._verb}"
            lines.append(f"people   several{where}; {who}")
        if self.elsewhere:
            lines.append(
                f"changes  {self.elsewhere}: nobody was where the person had been; the "
                "detector's first was taken"
            )
        return "\n".join(lines)

    def _in_picture(self, path: str | os.PathLike[str]) -> Found:
        try:
            pixels = read_picture(path)
        except InputError as error:
            return error
        with self._turn:
            # A video of its own, so that nobody is looked for where another one was.
            (found,) = boxed(self._detect, [pixels])
            return self._chosen(found, f"{os.fspath(path)}: ")

    def _chosen(self, found: Boxed, where: str = "") -> Found:
        if found.box is None:
            return InputError(f"{where}{_NOBODY}")
        self.several += found.people > 1
        self.elsewhere += found.elsewhere
        return found.picture, found.box


@contextmanager
def started(config: DetectorConfig) -> Iterator[Finder]:
    """Starts a detector; leaving the context ends it.

    Raises:
      InputError: if it cannot be started here, saying what is missing.
    """
    detector = find_detector(config)
    with detector.started() as detect:
        yield Finder(detector, detect)


def find_one(path: Path, config: DetectorConfig) -> tuple[Box, Finder]:
    """The box of the person in one picture, and what found it.

    Raises:
      InputError: naming the picture, if it cannot be read or shows nobody; or as
        `started`.
    """
    with started(config) as finder:
        (found,) = finder.in_pictures([path])
    if isinstance(found, InputError):
        raise found
    return found[1], finder
