"""People that were detected, view by view, put together as a recording.

Here stands what is the same for all formats of detections: frames of several views are
matched by their numbers, (0, 0), (-1, -1) and NaN are joints that were not found, and
what cannot be pixels or a confidence is refused.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from absl import logging

from human_pose.exchange.recording import Recording
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.geometry.known_skeletons import by_count
from human_pose.geometry.skeleton import Skeleton

# No image is so large: a number beyond is damage, and its powers would overflow.
_LARGEST_PX: Final = 1e6
# What programs write in the place of both coordinates.
_NOT_FOUND: Final = (0.0, -1.0)
# Peaks of heatmaps may be a little above 1.
_OVERSHOOT: Final = 1.5
# Frames that are not there are filled up only while they are few: numbers such as times
# or a data set's ids are no frames of one take.
_MOST_GAPS: Final = 20
_ALWAYS_FRAMES: Final = 10_000


class Person(NamedTuple):
    """One person in one picture.

    Attributes:
      values: `[J, 3]`: x and y in pixels, and the confidence.
      track: the detector's number of the person, or -1.
    """

    values: np.ndarray
    track: int = -1


class View(NamedTuple):
    """The detections of one view.

    Attributes:
      frames: int64 `[F]`, the numbers of the frames.
      values: float64 `[F, P, J, 3]`: x and y in pixels, and the confidence.
      tracks: int64 `[F, P]`, the detector's numbers of the people; -1 for none.
    """

    frames: np.ndarray
    values: np.ndarray
    tracks: np.ndarray


def gathered(source: str, frames: Mapping[int, Sequence[Person]]) -> View:
    """The view of people listed frame by frame.

    Of whom only a box is known, without joints, nothing is.

    Args:
      source: the file or folder, for messages.
      frames: by number, also those without people.

    Raises:
      InputError: if people have different numbers of joints, or a number is too large.
    """
    with refusing(source, "has numbers of frames or people that are none"):
        return _gathered(source, frames)


def _gathered(source: str, listed: Mapping[int, Sequence[Person]]) -> View:
    frames = {
        number: [person for person in people if len(person.values)]
        for number, people in listed.items()
    }
    counts = {len(person.values) for people in frames.values() for person in people}
    if len(counts) > 1:
        raise InputError(
            f"{source}: all people must have the same joints; received "
            f"{' and '.join(map(str, sorted(counts)))} joints"
        )
    joints, people = max(counts, default=0), max(map(len, frames.values()), default=0)
    values = np.full((len(frames), people, joints, 3), np.nan)
    tracks = np.full((len(frames), people), -1, np.int64)
    for row, number in enumerate(sorted(frames)):
        for place, person in enumerate(frames[number]):
            values[row, place], tracks[row, place] = person
    return View(np.array(sorted(frames), np.int64), values, tracks)


def skeleton_of(source: str, joints: int, asked: Skeleton | None) -> Skeleton:
    """The skeleton of a detector's joints: as asked for, else by their number.

    Raises:
      InputError: if they are not those of the skeleton, or of none that is known.
    """
    if asked is not None and joints == len(asked):
        return asked
    try:
        found = by_count(joints, "detector")
    except ValueError as error:
        if asked is None:
            raise InputError(f"{source}: {error}") from error
    else:
        if asked in (None, found):
            return found
    raise InputError(
        f"{source}: the skeleton that is asked for has {len(asked)} joints; received "
        f"{joints}"
    )


def join(
    source: str,
    views: Mapping[str, View],
    skeleton: Skeleton | None = None,
    *,
    fps: float | None = None,
    full_confidence: float = 1.0,
    all_frames: bool = True,
) -> Recording:
    """The recording of several views, whose frames are matched by number.

    Joints beyond those of the skeleton (faces, hands) are dropped.

    Args:
      source: the file or folder, for messages.
      views: by name.
      skeleton: of the joints; default: the detectors' of so many joints.
      fps: frames a second.
      full_confidence: the highest that this format may have; see `unit_confidence`.
      all_frames: whether the source lists frames without people, too, so that one that
        it lacks is worth a warning.

    Raises:
      InputError: if there are no people, frames twice, views of different joints, or
        numbers that are no pixels or confidences.
    """
    counts = {name: v.values.shape[2] for name, v in views.items() if v.values.size}
    if not counts:
        raise InputError(
            f"{source}: must hold a person; {len(views)} views hold none in any frame"
        )
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise InputError(f"{source}: views must have the same joints; {listed}")
    skeleton = skeleton_of(source, next(iter(counts.values())), skeleton)
    frames = _all_frames(source, views)
    if all_frames:
        _warn_of_missing(source, views, frames)
    people = max(view.values.shape[1] for view in views.values())
    shape = (len(frames), len(views), people)
    values = np.full((*shape, len(skeleton), 3), np.nan)
    tracks = np.full(shape, -1, np.int64)
    for place, view in enumerate(views.values()):
        rows, each = view.frames - frames[0], view.values.shape[1]
        if each and view.values.shape[2]:
            values[rows, place, :each] = view.values[:, :, : len(skeleton)]
            tracks[rows, place, :each] = view.tracks
    joints, confidence = values[..., :2], values[..., 2]
    return Recording(
        pixels(source, joints),
        unit_confidence(source, confidence, full_confidence),
        skeleton,
        tuple(views),
        fps=fps,
        frames=frames,
        tracks=tracks if (tracks >= 0).any() else None,
        source=source,
    )


def pixels(source: str, joints: np.ndarray) -> np.ndarray:
    """Coordinates `[..., 2]` with NaN for (0, 0) and (-1, -1), which no detector means.

    Raises:
      InputError: if they are too large for pixels, or so small that they are shares of
        the image's size, as OpenPose's `keypoint_scale` and MediaPipe make them.
    """
    marks = [(joints == mark).all(axis=-1, keepdims=True) for mark in _NOT_FOUND]
    joints = np.where(np.any(marks, axis=0), np.nan, joints)
    sizes = np.abs(joints[~np.isnan(joints)])
    if sizes.size and sizes.max() > _LARGEST_PX:
        raise InputError(
            f"{source}: coordinates must be within ±{_LARGEST_PX:g} px; received "
            f"{sizes.max():g}"
        )
    # Joints that a detector guesses beyond the image have shares of more than 1.
    if sizes.size and np.median(sizes) <= 1:
        raise InputError(
            f"{source}: coordinates must be pixels; most are within ±1, as shares of "
            "the image's size are (keypoint_scale of OpenPose, MediaPipe's landmarks)"
        )
    return joints


def unit_confidence(source: str, confidence: np.ndarray, full: float) -> np.ndarray:
    """A confidence from 0 to 1.

    Args:
      source: the file or folder, for messages.
      confidence: any shape. While none is above 1.5, what is above 1 becomes 1.
      full: the highest that there may be. If one is above 1.5, all are divided by it,
        with a warning.

    Raises:
      InputError: if one is above both.
    """
    highest = float(np.nan_to_num(confidence).max(initial=0.0))
    if highest > max(full, _OVERSHOOT):
        raise InputError(
            f"{source}: confidence must be from 0 to {full:g}; received {highest:g}"
        )
    if highest > _OVERSHOOT:
        logging.warning(
            "%s: the confidence goes up to %.3g and is divided by %g",
            *(source, highest, full),
        )
        confidence = confidence / full
    return np.minimum(confidence, 1.0)


def _all_frames(source: str, views: Mapping[str, View]) -> np.ndarray:
    """Numbers from the first frame of any view to the last."""
    for name, view in views.items():
        if (np.diff(view.frames) <= 0).any():
            twice = view.frames[1:][np.diff(view.frames) <= 0][0]
            raise InputError(
                f"{source}: frames of {name} must ascend; {twice} comes again"
            )
    numbers = np.concatenate([view.frames for view in views.values()])
    first, last, count = int(numbers.min()), int(numbers.max()), len(numbers)
    if first < 0 or last - first >= max(_ALWAYS_FRAMES, _MOST_GAPS * count):
        raise InputError(
            f"{source}: frames must be numbered one by one from 0; {count} have "
            f"numbers from {first} to {last}"
        )
    return np.arange(first, last + 1)


def _warn_of_missing(
    source: str, views: Mapping[str, View], frames: np.ndarray
) -> None:
    lacking = []
    for name, view in views.items():
        missing = np.setdiff1d(frames, view.frames)
        if len(missing):
            lacking.append(f"{name} lacks {len(missing)}, the first {missing[0]}")
    if lacking:
        logging.warning(
            "%s: of the frames %d to %d %s; they count as unseen",
            *(source, frames[0], frames[-1], "; ".join(lacking)),
        )
