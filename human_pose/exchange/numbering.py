"""Numbers of a recording's frames: what they must be, and what they tell."""

import numpy as np
from absl import logging

from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError


def check_frames(recording: Recording) -> None:
    """Refuses frames that come twice; warns of what numbers say beside time.

    Args:
      recording: as it was read.

    Raises:
      InputError: naming the file.
    """
    _check_ascending(recording)
    _tell_steps(recording)
    _tell_strangers(recording)


def _check_ascending(recording: Recording) -> None:
    """Refuses numbers that do not ascend within a take, wherever its frames stand."""
    order = np.argsort(recording.sequence, kind="stable")
    frames, sequence = recording.frames[order], recording.sequence[order]
    wrong = (np.diff(sequence) == 0) & (np.diff(frames) <= 0)
    if wrong.any():
        raise InputError(
            f"{recording.source}: frames must ascend within a sequence; "
            f"{frames[1:][wrong][0]} does not"
        )


def _tell_steps(recording: Recording) -> None:
    """Warns of frames that are missing."""
    within = np.diff(recording.sequence) == 0
    steps = np.diff(recording.frames)[within]
    if len(steps) and steps.max() > steps.min():
        number = recording.frames[1:][within][steps > steps.min()][0]
        logging.warning(
            "%s: frames are missing before number %d, and perhaps more; time goes on "
            "as if they had not been",
            *(recording.source, number),
        )


def _tell_strangers(recording: Recording) -> None:
    """Warns of views that show somebody only where no other view does."""
    shows = np.asarray(recording.seen.any(axis=(2, 3)))  # [F, V]
    together = shows & (shows.sum(axis=1, keepdims=True) > 1)
    alone = shows.any(axis=0) & ~together.any(axis=0)
    if len(recording.view_names) > 1 and alone.any():
        names = [n for n, a in zip(recording.view_names, alone, strict=True) if a]
        logging.warning(
            "%s: of view %s no frame has the number of another view's: are the views' "
            "frames numbered alike?",
            *(recording.source, ", ".join(names)),
        )
