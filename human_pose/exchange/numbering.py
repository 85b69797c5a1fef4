"""Numbers of a recording's frames: what they must be, and what they tell.

Time goes by them: frames that a file leaves out, as tables do where nobody is seen,
count as unseen.
"""

from typing import Any, Final

import numpy as np
from absl import logging

from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError

# Gaps that are no longer are filled up: beyond, one end says nothing of the other, and
# the lifter takes both for ends of takes (`calibrated.gaps.following`).
LONGEST_GAP_S: Final = 1.0
# Of recordings that do not say theirs.
ASSUMED_FPS: Final = 24.0
# Of steps between numbers, the share of the most frequent one that is usual.
_OFTEN: Final = 0.25


def numbered(recording: Recording) -> Recording:
    """The recording with the frames that lack between others of a take, as unseen.

    Takes follow each other, in the order in which they begin. Warnings tell of frames
    that lack, and of views that are numbered apart. Where numbers go on in like steps,
    as of every fifth frame, nothing lacks.

    Args:
      recording: as it was read.

    Raises:
      InputError: naming the file, if a frame comes twice.
    """
    _check_ascending(recording)
    _tell_strangers(recording)
    most = round(LONGEST_GAP_S * (recording.fps or ASSUMED_FPS))
    takes = [
        np.flatnonzero(recording.sequence == take)
        for take in dict.fromkeys(recording.sequence.tolist())
    ]
    lacking = [_lacking(recording.frames[own]) for own in takes]
    _tell_lacking(recording, takes, lacking, most)
    filled = [np.where(missing <= most, missing, 0) for missing in lacking]
    if not any(missing.any() for missing in filled):
        order = np.concatenate([*takes, np.empty(0, np.int64)])
        apart = (order != np.arange(len(recording))).any()
        return recording.of_frames(order) if apart else recording
    parts = [
        _with_gaps(recording.frames[own], own, missing)
        for own, missing in zip(takes, filled, strict=True)
    ]
    frames, rows = (np.concatenate(column) for column in zip(*parts, strict=True))
    return recording.replace(
        joints_2d_px=_spread(recording.joints_2d_px, rows, np.nan),
        confidence=_spread(recording.confidence, rows, 0.0),
        frames=frames,
        sequence=np.concatenate(
            [
                np.full(len(part), recording.sequence[own[0]])
                for own, (part, _) in zip(takes, parts, strict=True)
            ]
        ),
        tracks=_spread(recording.tracks, rows, -1),
        covariance_px2=_spread(recording.covariance_px2, rows, np.nan),
    )


def usual_step(frames: np.ndarray) -> int:
    """Between numbers of frames `[F]` that follow each other; 1 of a single one.

    The most frequent one, also where more than half of the frames lack at random; or
    the lower median of steps that are all different, as those of milliseconds.
    """
    if len(frames) < 2:
        return 1
    steps = np.sort(np.diff(frames))
    values, counts = np.unique(steps, return_counts=True)
    often = counts.max() > _OFTEN * len(steps)
    usual = values[counts.argmax()] if often else steps[(len(steps) - 1) // 2]
    return max(int(usual), 1)


def moments(frames: np.ndarray, sequence: np.ndarray) -> np.ndarray:
    """When frames are, in usual steps of their takes: int64 `[F]`, ascending.

    Frames that a take lacks count, however many they are. A take begins a step after
    what stands before it.

    Args:
      frames: int64 `[F]`, numbers of the frames, ascending within a take.
      sequence: `[F]`, equal for the frames of one take.
    """
    missing = np.zeros(len(frames), np.int64)
    order = np.argsort(sequence, kind="stable")
    ends = np.flatnonzero(np.diff(sequence[order])) + 1
    for own in np.split(order, ends):
        missing[own] = _lacking(frames[own])
    return np.asarray(np.arange(len(frames)) + np.cumsum(missing))


def later(
    frames: np.ndarray, sequence: np.ndarray, count: int, step: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of frames, and of those that are some frames later in the same take.

    Args:
      frames: int64 `[F]`, numbers of the frames.
      sequence: `[F]`, equal for the frames of one take.
      count: how many frames later; negative for earlier.
      step: between numbers of frames that follow each other.
    """
    rows = np.arange(len(frames) - abs(count))
    here, there = (rows + max(first, 0) for first in (-count, count))
    same = sequence[there] == sequence[here]
    same &= frames[there] - frames[here] == count * step
    return here[same], there[same]


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


def _lacking(frames: np.ndarray) -> np.ndarray:
    """How many frames lack before each of a take `[F]`, beside its usual step.

    Steps of a take that was thinned to another rate are not all alike, as 3, 3, 4.
    """
    if len(frames) < 2:
        return np.zeros(len(frames), np.int64)
    steps = np.diff(frames)
    usual: float = usual_step(frames)
    # 24 frames of 60 are in steps of 2 and 3 by turns: none lacks there.
    if usual > 1:
        usual = steps[np.abs(steps - usual) <= 1].mean()
    return np.append(0, np.rint(steps / usual).astype(np.int64) - 1).clip(0)


def _tell_lacking(
    recording: Recording, takes: list[np.ndarray], lacking: list[np.ndarray], most: int
) -> None:
    """Warns of frames that lack, and of those that are too many to be unseen."""
    missing = np.zeros(len(recording), np.int64)
    for own, each in zip(takes, lacking, strict=True):
        missing[own] = each
    for which, meaning in (
        ((missing > 0) & (missing <= most), "they count as unseen"),
        (missing > most, "what is before and after is lifted apart"),
    ):
        if which.any():
            logging.warning(
                "%s: frames are missing before number %d, and perhaps more; %s",
                *(recording.source, recording.frames[which][0], meaning),
            )


def _with_gaps(
    frames: np.ndarray, own: np.ndarray, missing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a take with those that lack, and the row of each, -1 of these.

    Args:
      frames: `[F]`, of the take.
      own: `[F]`, its rows.
      missing: `[F]`, how many frames are to be put before each.
    """
    at = np.arange(len(own)) + np.cumsum(missing)
    place = np.arange(at[-1] + 1)
    rows = np.full(len(place), -1)
    rows[at] = own
    return np.rint(np.interp(place, at, frames)).astype(np.int64), rows


def _spread(values: np.ndarray | None, rows: np.ndarray, fill: float) -> Any:
    """Values of a recording's rows, and what stands for those that are not there."""
    if values is None:
        return None
    there = (rows >= 0).reshape(-1, *[1] * (values.ndim - 1))
    return np.where(there, values[rows], fill)


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
