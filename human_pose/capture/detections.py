"""What a detector found in a video, kept beside the video in parts.

A part has the detections of so many frames, and is there whole or not at all: a run
that was ended at any moment goes on with the parts that are missing, and ends with the
same bytes. A detector that follows people from frame to frame starts anew with each
part, so that a part does not depend on how many were made in one run.

The folder of `walk.mp4` is `walk.<detector>/`. Each of its files is a plain recording
(`exchange.plain`) of one view, so that every tool here reads it; besides it has
`covariance_px2` where the detector knows it, and `made_from`, which says of what video
and by which detector it is; those of another are made again.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.capture.detectors.protocol import Detect, Detector, Found
from human_pose.capture.views import View, with_places
from human_pose.exchange import plain
from human_pose.exchange.recording import Recording
from human_pose.files.npz import npz_ranks, read_npz
from human_pose.geometry.skeleton import Skeleton
from human_pose.media.videos import Video, answers, frames_of

PART_FRAMES: Final = 500
_MADE_FROM: Final = "made_from"
# How frames are numbered (`media.decoding`); what was numbered otherwise is made again.
_NUMBERED: Final = 2
# Of a video's beginning and end, to know it again.
_SAMPLE_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Part:
    """The detections of some frames of a video, as a file.

    Attributes:
      video: the video.
      frames: the numbers of its frames.
      path: of the file, whether it is there or not.
      made_from: what its detections are of, see `made_from`.
    """

    video: Video
    frames: range
    path: Path
    made_from: str

    @property
    def is_made(self) -> bool:
        """Whether the file is there, and is this detector's of this video."""
        if _MADE_FROM not in npz_ranks(self.path):
            return False
        held = read_npz(self.path, {}, {_MADE_FROM: ()})[_MADE_FROM]
        return str(held) == self.made_from

    def write(self, skeleton: Skeleton, found: dict[int, Found]) -> None:
        """Writes what was found, by the frames' numbers; the others show nobody.

        Args:
          skeleton: of the joints.
          found: in the frames, by their numbers.

        Raises:
          InputError: if the file cannot be written, as on a full disk.
        """
        recording = _recording(self, skeleton, found)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        plain.write(self.path, recording, {_MADE_FROM: np.array(self.made_from)})


def parts(
    video: Video,
    detector: Detector,
    chosen: slice | None,
    folder: str | os.PathLike[str],
) -> list[Part]:
    """The parts that have the chosen frames of a video.

    Args:
      video: the video.
      detector: whose detections.
      chosen: numbers of frames; default: all.
      folder: in which the video's own folder of detections is.

    Raises:
      InputError: if the video has none of the frames, or cannot be read.
    """
    wanted = frames_of(video, chosen)
    start = wanted.start - wanted.start % PART_FRAMES
    source = made_from(video, detector)
    return [
        Part(
            video,
            range(begin, min(begin + PART_FRAMES, len(video))),
            Path(folder) / f"{video.name}.{detector.name}" / f"{begin:07d}.npz",
            source,
        )
        for begin in range(start, wanted.stop, PART_FRAMES)
    ]


def detect_part(
    part: Part, detector: Detector, detect: Detect, seen: Callable[[], None]
) -> None:
    """Makes one part.

    Args:
      part: to be made.
      detector: that does it.
      detect: of the detector, started.
      seen: called with each frame.

    Raises:
      InputError: if the video cannot be read, or the part not be written.
    """
    found: dict[int, Found] = {}
    for number, each in answers(detect, part.video, part.frames):
        found[number] = each
        seen()
    part.write(detector.skeleton, found)


def read_parts(made: Sequence[Part], chosen: slice | None) -> View:
    """The detections of the chosen frames, from parts that are there.

    Raises:
      InputError: if a part cannot be read.
    """
    video = made[0].video
    recordings = [plain.read(part.path) for part in made]
    people = max(each.joints_2d_px.shape[2] for each in recordings)
    wanted, start = frames_of(video, chosen), made[0].frames.start
    rows = slice(wanted.start - start, wanted.stop - start)

    def joined(name: str, fill: float) -> np.ndarray:
        wide = [with_places(_array(r, name)[:, 0], people, fill) for r in recordings]
        return np.concatenate(wide)[rows]

    knows = any(each.covariance_px2 is not None for each in recordings)
    return View(
        video.name,
        joined("joints_2d_px", np.nan),
        joined("confidence", 0.0),
        video.times_s[wanted.start : wanted.stop],
        recordings[0].skeleton,
        covariance_px2=joined("covariance_px2", np.nan) if knows else None,
        first=wanted.start,
    )


def made_from(video: Video, detector: Detector) -> str:
    """What detections are of, as a text that another video or version changes."""
    size = video.path.stat().st_size
    with video.path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
        file.seek(max(0, size - _SAMPLE_BYTES))
        sample += file.read(_SAMPLE_BYTES)
    digest = hashlib.sha256(sample).hexdigest()[:16]
    # What a file says of itself can change in place, and beyond the sample.
    shown = (
        f"{len(video)} frames of {video.width_px} x {video.height_px} px, turned by "
        f"{video.rotation_deg}, numbered by rule {_NUMBERED}"
    )
    return f"{detector.name} {detector.version}; {size} bytes {digest}; {shown}"


def _array(part: Recording, name: str) -> np.ndarray:
    """An array of a part; NaN for covariances of a part that shows nobody."""
    values = getattr(part, name)
    if values is None:
        return np.full((*part.joints_2d_px.shape, 2), np.nan)
    return np.asarray(values)


def _recording(part: Part, skeleton: Skeleton, found: dict[int, Found]) -> Recording:
    """A part as a recording of one view."""
    people = max((len(each.confidence) for each in found.values()), default=0)
    shape = (len(part.frames), 1, max(people, 1), len(skeleton))
    joints, confidence = np.full((*shape, 2), np.nan), np.zeros(shape)
    covariance = np.full((*shape, 2, 2), np.nan)
    for number, each in found.items():
        row, count = number - part.frames.start, len(each.confidence)
        joints[row, 0, :count] = each.joints_2d_px
        confidence[row, 0, :count] = each.confidence
        if each.covariance_px2 is not None:
            covariance[row, 0, :count] = each.covariance_px2
    knows = any(each.covariance_px2 is not None for each in found.values())
    return Recording(
        joints,
        confidence,
        skeleton,
        (part.video.name,),
        fps=part.video.fps,
        frames=np.arange(part.frames.start, part.frames.stop),
        covariance_px2=covariance if knows else None,
        source=str(part.video.path),
    )
