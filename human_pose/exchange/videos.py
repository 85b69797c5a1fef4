"""The frame rate of videos, which OpenCV reads if it is installed."""

import os
from typing import Final

from human_pose.exchange.sources import files_in
from human_pose.files.errors import InputError

_SUFFIXES: Final = (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm")
# Frames a second that files may differ by: they store it as a fraction.
_SAME: Final = 1e-2


def frame_rate(folder: str | os.PathLike[str]) -> float | None:
    """Frames a second of the videos in a folder; None if that cannot be found out.

    Raises:
      InputError: if two have different rates.
    """
    videos = files_in(folder, *_SUFFIXES)
    try:
        import cv2
    except ImportError:
        return None
    rates = {}
    for video in videos:
        capture = cv2.VideoCapture(str(video))
        rate = float(capture.get(cv2.CAP_PROP_FPS))
        capture.release()
        if rate > 0:
            rates[video.name] = rate
    if rates and max(rates.values()) - min(rates.values()) > _SAME:
        listed = ", ".join(f"{name}: {rate:g}" for name, rate in rates.items())
        raise InputError(f"{folder}: videos must have one frame rate; {listed}")
    return next(iter(rates.values()), None)
