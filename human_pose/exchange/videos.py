"""The frame rate of videos, which PyAV reads if it is installed."""

import os
from typing import Final

from human_pose.exchange.sources import files_in
from human_pose.files.errors import InputError
from human_pose.media.videos import VIDEO_SUFFIXES, declared_fps

# Frames a second that files may differ by: they store it as a fraction.
_SAME: Final = 1e-2


def frame_rate(folder: str | os.PathLike[str]) -> float | None:
    """Frames a second of the videos in a folder; None if that cannot be found out.

    Raises:
      InputError: if two have different rates.
    """
    rates = {}
    for video in files_in(folder, *VIDEO_SUFFIXES):
        try:
            rate = declared_fps(video)
        except InputError:
            # Detections are there already: a video that cannot be read, or PyAV that
            # is missing, costs the rate alone, which the caller warns of.
            continue
        if rate:
            rates[video.name] = rate
    if rates and max(rates.values()) - min(rates.values()) > _SAME:
        listed = ", ".join(f"{name}: {rate:g}" for name, rate in rates.items())
        raise InputError(f"{folder}: videos must have one frame rate; {listed}")
    return next(iter(rates.values()), None)
