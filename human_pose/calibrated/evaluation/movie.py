"""Films of results, on request: the skeleton from two sides, as GIF or MP4."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from PIL import Image
from tqdm import tqdm

from human_pose.exchange.poses import Poses
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.files.paths import atomic
from human_pose.runs import drawing

_SUFFIXES: Final = (".gif", ".mp4")
# What viewers show in time; a film of faster recordings leaves frames out.
_MOST_FPS: Final = 30.0
_DEFAULT_FPS: Final = 25.0
# 768 x 448 px: H.264 wants sides in multiples of 16.
_SIZE_INCHES: Final = (9.6, 5.6)
_DOTS_PER_INCH: Final = 80
_PERCENT: Final = (1.0, 99.0)  # of joints; outliers may leave the room


def write_movie(path: str | os.PathLike[str], poses: Poses, speed: float = 1.0) -> Path:
    """Writes a film of all frames.

    Args:
      path: a `.gif`, or a `.mp4`, for which the extra `viewer` is needed.
      poses: the results.
      speed: 1 for the recording's own; half of it shows everything twice as long.

    Returns:
      The film's path.

    Raises:
      InputError: if the ending is another, there are no frames, the speed is not
        positive, a library is missing or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError("path", f"must end in {' or '.join(_SUFFIXES)}", str(path))
    if not (np.isfinite(speed) and speed > 0):
        raise InputError("speed", "must be positive", speed)
    if not np.isfinite(poses.joints_3d_mm).any():
        raise InputError(f"{poses.source}: must have joints to show")
    rate = (poses.fps or _DEFAULT_FPS) * speed
    every = max(1, round(rate / _MOST_FPS))
    images, count = _images(poses, every), len(range(0, len(poses), every))
    with atomic(path) as temporary:
        if path.suffix.lower() == ".gif":
            _write_gif(temporary, images, _durations_ms(count, rate / every))
        else:
            _write_mp4(temporary, images, rate / every)
    return path


def _durations_ms(count: int, fps: float) -> list[int]:
    """How long each frame is shown: GIF counts whole hundredths of a second.

    Of 30 frames a second some have three and some four. At our rates none has less than
    two, which viewers take for ten.
    """
    ends = np.round(np.arange(count + 1) * 100 / fps).astype(int)
    return [10 * int(hundredths) for hundredths in np.diff(ends)]


def _write_gif(path: Path, images: Iterator[np.ndarray], times_ms: list[int]) -> None:
    frames = (Image.fromarray(image) for image in images)
    first = next(frames)
    first.save(
        path, save_all=True, append_images=frames, duration=times_ms, loop=0, disposal=1
    )


def _write_mp4(path: Path, images: Iterator[np.ndarray], fps: float) -> None:
    library = needed("imageio_ffmpeg", "films in MP4", "viewer")
    size = tuple(int(side * _DOTS_PER_INCH) for side in _SIZE_INCHES)
    writer = library.write_frames(str(path), size, fps=fps, ffmpeg_log_level="error")
    writer.send(None)
    try:
        for image in images:
            writer.send(np.ascontiguousarray(image))
    finally:
        writer.close()


def _images(poses: Poses, every: int) -> Iterator[np.ndarray]:
    """Pictures of every so many frames, uint8 `[H, W, 3]`."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH)
    with rc_context(drawing.ROOM_LOOK):
        rooms = [
            figure.add_axes((0.5 * k, 0, 0.5, 0.94), projection="3d") for k in (0, 1)
        ]
    flat = poses.joints_3d_mm.reshape(-1, 3)
    ends = np.percentile(flat[np.isfinite(flat).all(axis=-1)], _PERCENT, axis=0)
    title = figure.text(0.5, 0.95, "", ha="center", color=drawing.TEXT_COLOUR)
    bar = range(0, len(poses), every)
    for frame in tqdm(bar, desc="film", leave=False, disable=None):
        for room, azimuth in zip(rooms, drawing.AZIMUTHS_DEG, strict=True):
            _draw(room, poses, frame, ends, azimuth)
        title.set_text(f"frame {poses.frames[frame]}")
        yield drawing.figure_image(figure)


def _draw(
    room: Axes3D, poses: Poses, frame: int, ends: np.ndarray, azimuth_deg: float
) -> None:
    for line in list(room.lines):
        line.remove()
    joints = poses.joints_3d_mm[frame]
    drawing.draw_skeleton(
        room,
        joints,
        drawing.RECONSTRUCTION,
        np.isfinite(joints).all(axis=-1),
        skeleton=poses.skeleton,
    )
    # The same room in all frames, so that who moves is the body.
    drawing.frame_room(room, ends)
    room.view_init(elev=drawing.ELEVATION_DEG, azim=azimuth_deg)
