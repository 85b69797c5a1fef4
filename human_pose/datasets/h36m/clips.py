"""The videos of Human3.6M's archives, in the order of the original's indices.

Unpacked, the archives hold `S1/Videos/Directions 1.54138969.mp4` and, in
`S1/MyPoseFeatures`, `D2_Positions/Directions 1.54138969.cdf` and 3D joints in the
camera's frame (`D3_Positions_mono`) or the world's (`D3_Positions/Directions 1.cdf`).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, product
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.h36m.cdf import read_cdf
from human_pose.datasets.h36m.metadata import FILE, Metadata
from human_pose.datasets.images.index_range import IndexRange
from human_pose.datasets.protocol import IMAGE_ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeletons import VIEW_NAMES, VIEWS
from human_pose.media.videos import declared_frames

_FEATURES: Final = "MyPoseFeatures"
_PIXELS: Final = "D2_Positions"
IN_CAMERA: Final = "D3_Positions_mono"
_IN_WORLD: Final = "D3_Positions"
# Of one skeleton for all subjects: better than nothing.
_UNIVERSAL: Final = "D3_Positions_mono_universal"
# Both takes of an action, as metadata.xml numbers them.
_TAKES: Final = (1, 2)
# Reading heads of files waits for the disk more than for Python.
_READERS: Final = 8


@dataclass(frozen=True)
class Clip:
    """One take of a subject, as one camera recorded it.

    Attributes:
      subject: 1, 5, 6, 7, 8, 9 or 11.
      action: a position in `protocol.IMAGE_ACTIONS`.
      take: what its files are called.
      view: a position in `skeletons.VIEW_NAMES`.
      camera: that took it.
      first: index of its first frame.
      frames: how many it has; where video and joints differ, the fewer.
    """

    subject: int
    action: int
    take: str
    view: int
    camera: Camera
    first: int = 0
    frames: int = 0

    @property
    def video_name(self) -> str:
        """As the text layout has it: `S1 Directions 1.54138969`."""
        return f"S{self.subject} {self.take}.{VIEW_NAMES[self.view]}"

    def video(self, root: str | os.PathLike[str]) -> Path:
        """Its video's file."""
        name = f"{self.take}.{VIEW_NAMES[self.view]}.mp4"
        return Path(root) / f"S{self.subject}" / "Videos" / name

    def files(self, root: str | os.PathLike[str]) -> Iterator[Path]:
        """All that may be read of it; not all of them need be there."""
        yield self.video(root)
        yield self._of_world(root)
        for folder in (_PIXELS, IN_CAMERA, _UNIVERSAL):
            yield self._of_view(root, folder)

    def joints_2d_px(self, root: str | os.PathLike[str]) -> np.ndarray:
        """Its joints `[F, 32, 2]`, px of the frame."""
        return read_cdf(self._of_view(root, _PIXELS), 2)

    def joints_3d_mm(self, root: str | os.PathLike[str]) -> np.ndarray:
        """Its joints `[F, 32, 3]`, camera frame."""
        kind = self.kind_of_joints_3d(root)
        if kind == _IN_WORLD:
            return self.camera.to_camera(read_cdf(self._of_world(root), 3))
        return read_cdf(self._of_view(root, kind), 3)

    def kind_of_joints_3d(self, root: str | os.PathLike[str]) -> str:
        """The folder of the file that its 3D joints are read from: the best."""
        if self._of_view(root, IN_CAMERA).exists():
            return IN_CAMERA
        return _IN_WORLD if self._of_world(root).exists() else _UNIVERSAL

    def _of_world(self, root: str | os.PathLike[str]) -> Path:
        return self._features(root) / _IN_WORLD / f"{self.take}.cdf"

    def _of_view(self, root: str | os.PathLike[str], folder: str) -> Path:
        name = f"{self.take}.{VIEW_NAMES[self.view]}.cdf"
        return self._features(root) / folder / name

    def _features(self, root: str | os.PathLike[str]) -> Path:
        return Path(root) / f"S{self.subject}" / _FEATURES


def subjects_in(root: str | os.PathLike[str]) -> set[int]:
    """The subjects whose videos are there."""
    subjects = (*TRAIN_SUBJECTS, *TEST_SUBJECTS)
    return {n for n in subjects if (Path(root) / f"S{n}" / "Videos").is_dir()}


def clips_in(
    root: str | os.PathLike[str],
    metadata: Metadata,
    subjects: set[int],
    looked: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Clip, ...]:
    """All clips of some subjects, numbered through.

    Args:
      root: the folder of the unpacked archives.
      metadata: of the same release.
      subjects: whose.
      looked: called with the clips looked at, of all; each takes some hundredths of a
        second.

    Raises:
      InputError: naming the take or file, if `metadata` does not know it, or neither
        its video nor its joints can be read, so that nobody knows how long it is.
    """
    root = Path(root)
    unnumbered = [*_named(metadata, subjects)]
    clips, first = [], 0
    with ThreadPoolExecutor(_READERS) as pool:
        lengths = pool.map(lambda clip: _frames(clip, root), unnumbered)
        for clip, frames in zip(unnumbered, lengths, strict=True):
            clips.append(replace(clip, first=first, frames=frames))
            first += frames
            looked(len(clips), len(unnumbered))
    return tuple(clips)


def ranges_of(clips: Sequence[Clip]) -> tuple[IndexRange, ...]:
    """The index ranges of clips, as the text layout has them."""
    ranges = []
    for (subject, action), group in groupby(clips, lambda c: (c.subject, c.action)):
        held = [*group]
        last = held[-1].first + held[-1].frames - 1
        ranges.append(IndexRange(subject, IMAGE_ACTIONS[action], held[0].first, last))
    return tuple(item for item in ranges if item.first <= item.last)


def _named(metadata: Metadata, subjects: set[int]) -> Iterator[Clip]:
    known = (n for n in (*TRAIN_SUBJECTS, *TEST_SUBJECTS) if n in subjects)
    for subject, action, take in product(known, range(len(IMAGE_ACTIONS)), _TAKES):
        name = metadata.takes.get((subject, action, take))
        if not name:
            raise InputError(
                f"{FILE}: must name take {take} of S{subject} {IMAGE_ACTIONS[action]}; "
                "it does not"
            )
        for view in range(VIEWS):
            yield Clip(subject, action, name, view, metadata.camera(subject, view))


def _frames(clip: Clip, root: Path) -> int:
    """How many frames a clip has, as far as its files can be read."""
    lengths, errors = [], []
    for length in (
        lambda: declared_frames(clip.video(root)),
        lambda: len(clip.joints_2d_px(root)),
        lambda: len(clip.joints_3d_mm(root)),
    ):
        try:
            lengths.append(length())
        except InputError as error:
            errors.append(error)
    if not lengths:
        raise errors[0]
    return min(lengths)
