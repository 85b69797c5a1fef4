"""The views' videos with what was found drawn over them.

A joint's detection is a dot and limbs are thick lines, blue on the left side and orange
on the right; a detection that was not believed is hollow. The 3D joints' images are
thin white lines. A view whose limbs were found exchanged has an orange frame, and says
so.
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from human_pose.calibrated.evaluation.detections import images_px
from human_pose.calibrated.evaluation.matching import in_skeleton, matched
from human_pose.calibrated.evaluation.viewer import UNKNOWN_FPS, Film, side_of
from human_pose.calibrated.results import VIDEOS
from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.files.extras import needed
from human_pose.files.paths import atomic
from human_pose.geometry.skeleton import Skeleton
from human_pose.media.videos import Video, read_frames

# The longer side of a drawn video; more is slow to write and to play four of.
MOST_PX: Final = 960
# Every so many pictures one that stands by itself, to be found at once.
_KEYFRAMES: Final = 15
# Equal pictures give equal bytes: with several threads, and with macroblock trees of
# some widths, x264's differ from run to run.
_QUALITY: Final = {
    "crf": "23",
    "preset": "veryfast",
    "threads": "1",
    "x264-params": "mbtree=0:bframes=0",
}
# Red, green and blue; those of the viewer.
_SIDES: Final = {
    "left": (0, 114, 178),
    "right": (213, 94, 0),
    "middle": (210, 210, 210),
}
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)


@dataclass(frozen=True, eq=False)
class Shown:
    """A view's video beside the results.

    Attributes:
      video: the file.
      numbers: int `[F]`, its frame that shows each frame of the results; -1 for none.
    """

    video: Video
    numbers: np.ndarray


def write_overlays(
    folder: str | os.PathLike[str],
    poses: Poses,
    recording: Recording,
    shown: Sequence[Shown],
) -> list[Path]:
    """Writes a video for each view, with one picture for each frame of the results.

    Args:
      folder: of the results; the videos go to `videos/` in it.
      poses: the results.
      recording: what they were found from: one person, with cameras.
      shown: the views' videos, in the views' order.

    Returns:
      The files, in the views' order.

    Raises:
      InputError: if a video cannot be read, or one not be written.
    """
    folder = Path(folder) / VIDEOS
    folder.mkdir(parents=True, exist_ok=True)
    seen = in_skeleton(matched(poses, recording), poses.skeleton)
    images = images_px(poses, seen)
    count = len(poses) * len(shown)
    with (
        tqdm(total=count, unit=" frames", desc="drawing", disable=None) as bar,
        ThreadPoolExecutor(2) as pool,
    ):
        drawn = [
            pool.submit(
                _write,
                folder / f"{name}.mp4",
                shown[v],
                _Overlay(poses, seen.joints_2d_px[:, v, 0], images[:, v], v),
                bar.update,
            )
            for v, name in enumerate(poses.view_names)
        ]
        return [each.result() for each in drawn]


def film(view_name: str, video: Video) -> Film:
    """What `write_overlays` makes of a view's video, for the viewer."""
    return Film(f"{VIDEOS}/{view_name}.mp4", (video.width_px, video.height_px))


def _write(
    path: Path, shown: Shown, overlay: "_Overlay", drawn: Callable[[], object]
) -> Path:
    """Writes one view's video, a few pictures of it in memory at a time."""
    av = needed("av", path.name, "video")
    scale = min(1.0, MOST_PX / max(shown.video.width_px, shown.video.height_px))
    # The encoder asks for even numbers.
    width, height = (
        2 * math.ceil(side * scale / 2)
        for side in (shown.video.width_px, shown.video.height_px)
    )
    blank = np.zeros((height, width, 3), np.uint8)
    with atomic(path) as temporary, av.open(str(temporary), "w", format="mp4") as file:
        stream = file.add_stream(
            "libx264", rate=Fraction(overlay.fps).limit_denominator(1001)
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options, stream.gop_size = _QUALITY, _KEYFRAMES
        pictures = _Pictures(shown.video, shown.numbers)
        for f, number in enumerate(shown.numbers.tolist()):
            picture = pictures.at(number)
            small = blank.copy() if picture is None else _resized(picture, blank.shape)
            overlay.draw(small, f, scale)
            frame = av.VideoFrame.from_ndarray(small, format="rgb24")
            file.mux(stream.encode(frame))
            drawn()
        file.mux(stream.encode(None))
    return path


class _Pictures:
    """The frames of a video by numbers that do not descend."""

    def __init__(self, video: Video, numbers: np.ndarray) -> None:
        wanted = numbers[numbers >= 0]
        chosen = (
            slice(int(wanted.min()), int(wanted.max()) + 1) if wanted.size else None
        )
        self._frames = read_frames(video, chosen) if wanted.size else iter(())
        self._number, self._picture = -1, np.zeros((0, 0, 3), np.uint8)

    def at(self, number: int) -> np.ndarray | None:
        """The frame of a number; the nearest later one where it cannot be decoded."""
        while self._number < number:
            following = next(self._frames, None)
            if following is None:
                return None
            self._number, self._picture = following
        return self._picture if number >= 0 else None


@dataclass(frozen=True, eq=False)
class _Overlay:
    """What is drawn over one view.

    Attributes:
      poses: the results.
      detected_px: `[F, J, 2]`.
      images_px: `[F, J, 2]`, of the 3D joints.
      view: its number.
    """

    poses: Poses
    detected_px: np.ndarray
    images_px: np.ndarray
    view: int

    @property
    def fps(self) -> float:
        """Pictures a second."""
        return self.poses.fps or UNKNOWN_FPS

    def draw(self, picture: np.ndarray, f: int, scale: float) -> None:
        """Draws a frame's over its picture, which is smaller by `scale`."""
        cv2 = needed("cv2", "videos", "video")
        pen = _Pen(cv2, picture)
        skeleton, used = self.poses.skeleton, self.poses.views_used[f, self.view]
        detected, images = self.detected_px[f] * scale, self.images_px[f] * scale
        for limb in skeleton.limbs:
            pen.line(detected[list(limb)], _colour(skeleton, *limb), 3)
        for limb in skeleton.limbs:
            pen.line(images[list(limb)], _BLACK, 3)
            pen.line(images[list(limb)], _WHITE, 1)
        for j, point in enumerate(detected):
            pen.dot(point, _colour(skeleton, j), filled=bool(used[j]))
        words = self.poses.view_names[self.view]
        words += f"  frame {self.poses.frames[f]}"
        swaps = self.poses.swapped[f, self.view]
        names = [n for n, s in zip(self.poses.swap_names, swaps, strict=True) if s]
        if names:
            words += f"  swapped: {', '.join(names)}"
            pen.frame(_SIDES["right"])
        pen.write(words)


class _Pen:
    """Draws on a picture, in places given in px; what is not there is left out."""

    def __init__(self, cv2: Any, picture: np.ndarray) -> None:
        self._cv2, self._picture = cv2, picture

    def line(self, ends: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
        if self._drawable(ends):
            a, b = (tuple(map(round, end)) for end in ends.tolist())
            smooth = self._cv2.LINE_AA
            self._cv2.line(self._picture, a, b, colour, width, smooth)

    def dot(
        self, place: np.ndarray, colour: tuple[int, int, int], *, filled: bool
    ) -> None:
        if self._drawable(place):
            at = tuple(map(round, place.tolist()))
            width = -1 if filled else 2
            self._cv2.circle(self._picture, at, 5, colour, width, self._cv2.LINE_AA)

    def frame(self, colour: tuple[int, int, int]) -> None:
        height, width, _ = self._picture.shape
        self._cv2.rectangle(self._picture, (2, 2), (width - 3, height - 3), colour, 5)

    def write(self, words: str) -> None:
        # The font has no others.
        text = words.encode("ascii", "replace").decode()
        for colour, width in ((_BLACK, 4), (_WHITE, 1)):
            self._cv2.putText(
                *(self._picture, text, (12, 28), self._cv2.FONT_HERSHEY_SIMPLEX, 0.7),
                *(colour, width, self._cv2.LINE_AA),
            )

    def _drawable(self, places: np.ndarray) -> bool:
        """Whether places are known, and not so far off that their numbers overflow."""
        return bool(np.all(np.abs(np.nan_to_num(places, nan=np.inf)) < 1e5))


def _colour(skeleton: Skeleton, *joints: int) -> tuple[int, int, int]:
    return _SIDES[side_of(skeleton, *joints)]


def _resized(picture: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    cv2 = needed("cv2", "videos", "video")
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
