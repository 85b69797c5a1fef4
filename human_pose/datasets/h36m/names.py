"""Which recordings the Human3.6M archive holds, and what it calls their files.

Seven subjects perform fifteen actions twice. The archive numbers the takes as they were
recorded, failed ones included: usually `Eating` and `Eating 1`, but `Eating` and
`Eating 2` for S1, `Eating 1` and `Eating 2` for S6. Here the two takes are always
`Eating` and `Eating_1`, the names that the original's set-up script gives them by 254
renames; one rule and 21 exceptions say the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from human_pose.datasets.protocol import ACTIONS
from human_pose.geometry.skeletons import VIEW_NAMES

CAMERAS_FILE: Final = "cameras.h5"

# The published numbers of the two takes; "" is a file name without a number.
_USUAL_TAKES: Final = ("", "1")
_UNUSUAL_TAKES: Final = {
    (1, "Eating"): ("", "2"),
    (1, "Sitting"): ("1", "2"),
    (1, "SittingDown"): ("", "2"),
    (5, "Directions"): ("1", "2"),
    (5, "Discussion"): ("2", "3"),
    (5, "Greeting"): ("1", "2"),
    (5, "Photo"): ("", "2"),
    (5, "Waiting"): ("1", "2"),
    (6, "Eating"): ("1", "2"),
    (6, "Posing"): ("", "2"),
    (6, "Sitting"): ("1", "2"),
    (6, "Waiting"): ("", "3"),
    (7, "Phoning"): ("", "2"),
    (7, "Waiting"): ("1", "2"),
    (7, "Walking"): ("1", "2"),
    (8, "WalkTogether"): ("1", "2"),
    (9, "Discussion"): ("1", "2"),
    (11, "Discussion"): ("1", "2"),
    (11, "Greeting"): ("", "2"),
    (11, "Phoning"): ("2", "3"),
    (11, "Smoking"): ("", "2"),
}


@dataclass(frozen=True)
class RawFile:
    """A file of the archive, named relative to its top folder `h36m/`.

    Attributes:
      published: the name in the archive.
      uniform: the name here.
    """

    published: str
    uniform: str


@dataclass(frozen=True)
class Recording:
    """One take of one action by one subject.

    Attributes:
      subject: 1, 5, 6, 7, 8, 9 or 11.
      action: one of `ACTIONS`.
      take: 0 or 1.
    """

    subject: int
    action: str
    take: int

    @property
    def positions(self) -> RawFile:
        """The file of 3D joint positions."""
        # Only these files set the number off by a space.
        return self._file("MyPoses/3D_positions", " ", ".h5")

    @property
    def detections(self) -> tuple[RawFile, ...]:
        """The files of 2D detections, one per view in the order of `VIEW_NAMES`."""
        return tuple(
            self._file("StackedHourglass", "_", f".{view}.h5") for view in VIEW_NAMES
        )

    @property
    def files(self) -> tuple[RawFile, ...]:
        """All files of the recording."""
        return (self.positions, *self.detections)

    def _file(self, folder: str, separator: str, ending: str) -> RawFile:
        stem = f"S{self.subject}/{folder}/{self.action}"
        takes = _UNUSUAL_TAKES.get((self.subject, self.action), _USUAL_TAKES)
        number = takes[self.take]
        published = f"{stem}{separator}{number}" if number else stem
        uniform = f"{stem}_1" if self.take else stem
        return RawFile(published + ending, uniform + ending)


# A camera's video of it is damaged; the original leaves it out, and so do others.
_DAMAGED: Final = Recording(11, "Directions", 0)


def recordings(subjects: Iterable[int]) -> Iterator[Recording]:
    """Every usable recording, in the order of the whole-set pose files.

    First takes of all actions, then second takes; within an action by subject.
    """
    subjects = tuple(subjects)
    for take in (0, 1):
        for action in ACTIONS:
            for subject in subjects:
                recording = Recording(subject, action, take)
                if recording != _DAMAGED:
                    yield recording
