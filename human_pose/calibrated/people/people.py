"""Several people in a recording told apart: one recording for each of them.

Within a view people are followed over time (`tracking`); across views detections of one
person agree by their rays (`epipolar`); pieces of tracks are put together to persons
(`clusters`), cut again where they change the person (`evidence`), and joined over time
in space (`joining`). The cost is linear in the frames, and quadratic in the views and
in the people of a frame: 1,000 frames of 4 views and 3 people take about 3 s on one
core, one false alarm a frame and view included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.calibrated.people import clusters, evidence
from human_pose.calibrated.people.detections import Detections, Times, usable
from human_pose.calibrated.people.exchanges import Exchange, find_exchanges
from human_pose.calibrated.people.joining import joined
from human_pose.calibrated.people.tracking import track
from human_pose.exchange.numbering import ASSUMED_FPS, moments
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError

# Who is seen for a shorter time is none, unless nobody is seen much longer.
_LEAST_S: Final = 0.25
_LEAST_FRAMES: Final = 4
_LEAST_SHARE: Final = 0.5
# Pieces are cut, and put together again, that often at most.
_ROUNDS: Final = 3


@dataclass(frozen=True, eq=False)
class People:
    """The persons of a recording.

    Attributes:
      recordings: one for each person, of one place; who is seen most comes first.
      exchanges: where a detector's track changed the person; they are undone.
      report: what was found, in lines for people; persons are numbered from 0.
    """

    recordings: tuple[Recording, ...]
    exchanges: tuple[Exchange, ...] = ()
    report: tuple[str, ...] = ()


def tell_apart(recording: Recording) -> People:
    """Finds who is who in all views and frames.

    Args:
      recording: of any number of places; with one place it is a person's, as it is.

    Raises:
      InputError: if people of several views are to be matched without cameras, or
        there is nobody.
    """
    if recording.joints_2d_px.shape[2] == 1:
        return People((recording,))
    # Frames that show nobody are gaps, as those that are not there: detections of every
    # other frame are those of half the rate.
    there = np.asarray(recording.seen.any(axis=(1, 2, 3)))
    part = recording.of_frames(there)
    detections, doubles = usable(part)
    if not detections.valid.any():
        raise InputError(f"{recording.source}: must show somebody; nobody is found")
    together = int(detections.valid.sum(axis=2).max(initial=0))
    if len(recording.view_names) > 1 and not recording.cameras:
        if together > 1:
            raise InputError(
                f"{recording.source}: shows up to {together} people: cameras must be "
                "given, to tell who is who across the views"
            )
        return People((_of_person(recording, _spread(detections.valid, there, False)),))
    times = _times(recording, there)
    found, dropped = _ranked(_persons(part, detections, times), times)
    persons = _spread(found, there, -1)
    count = int(persons.max(initial=-1)) + 1
    recordings = tuple(_of_person(recording, persons == who) for who in range(count))
    exchanges = find_exchanges(recording, persons)
    return People(
        recordings, exchanges, _report(recordings, exchanges, dropped, doubles)
    )


def choose(people: People, person: int | None) -> tuple[Recording, ...]:
    """The recordings of one person, or of all.

    Args:
      people: as `tell_apart` found them.
      person: a number from 0, who is seen most first; None for all.

    Raises:
      InputError: if there is no such person.
    """
    if person is None:
        return people.recordings
    count = len(people.recordings)
    if not 0 <= person < count:
        source = people.recordings[0].source
        allowed = f"from 0 to {count - 1}" if count > 1 else "0"
        raise InputError("person", f"must be {allowed} for {source}", person)
    return (people.recordings[person],)


def _times(recording: Recording, there: np.ndarray) -> Times:
    """When the frames that are there `[F]` were, at their own rate."""
    sequence = recording.sequence[there]
    usual = moments(recording.frames, recording.sequence)[there]
    when = moments(usual, sequence)
    step = max(float(np.ptp(usual)), 1.0) / max(float(np.ptp(when)), 1.0)
    return Times(when, sequence, (recording.fps or ASSUMED_FPS) / step)


def _spread(values: np.ndarray, there: np.ndarray, fill: int) -> np.ndarray:
    """Values `[F', ...]` of the frames that are there `[F]`, `[F, ...]`."""
    result = np.full((len(there), *values.shape[1:]), fill, values.dtype)
    result[there] = values
    return result


def _persons(recording: Recording, detections: Detections, times: Times) -> np.ndarray:
    """Numbers of persons, `[F, V, P]`, -1 for none."""
    # Several views only: of one there is nothing to match.
    cameras = recording.cameras if len(recording.view_names) > 1 else ()
    pieces, links = track(detections, times)
    for _ in range(_ROUNDS):
        beside = [links, evidence.within_views(pieces)]
        across = evidence.across_views(detections, cameras, pieces)
        count = int(pieces.max(initial=-1)) + 1
        labels = clusters.partition(count, evidence.merged([*beside, across]))
        persons = np.where(pieces >= 0, np.append(labels, -1)[pieces], -1)
        cut, last = evidence.split(detections, cameras, pieces, persons)
        if np.array_equal(cut, pieces):
            break
        # A track goes on where the last of its parts ends.
        pieces, links = cut, links._replace(first=last[links.first])
    return joined(detections, cameras, persons, times)


def _ranked(persons: np.ndarray, times: Times) -> tuple[np.ndarray, int]:
    """Persons without those seen too shortly, numbered by how much is seen of them.

    Whoever is alone in each of several takes is one person.

    Returns:
      Numbers from 0 on, and how many were left out.
    """
    count = int(persons.max(initial=-1)) + 1
    shown = np.zeros((count, len(persons)), np.int64)  # views of each frame
    row, view, place = np.nonzero(persons >= 0)
    np.add.at(shown, (persons[row, view, place], row), 1)
    lasting = _in_a_row(shown > 0)
    least = max(_LEAST_S * times.fps, _LEAST_FRAMES)
    least = min(least, _LEAST_SHARE * lasting.max(initial=0))
    kept = np.flatnonzero(lasting >= least)
    first = (shown > 0).argmax(axis=1)
    order = kept[np.lexsort((first[kept], -shown[kept].sum(axis=1)))]
    name = np.full(count + 1, -1)  # the last one for those who are nobody
    name[order] = np.arange(len(order))
    takes = times.sequence[first[kept]]
    if len(np.unique(times.sequence)) > 1 and len(np.unique(takes)) == len(takes):
        name[order] = 0
    return name[persons], count - len(kept)


def _in_a_row(shown: np.ndarray) -> np.ndarray:
    """How many frames of `shown` `[K, F]` have one beside them: false alarms do not."""
    wide = np.pad(shown, [(0, 0), (1, 1)])
    return np.asarray((shown & (wide[:, :-2] | wide[:, 2:])).sum(axis=1))


def _of_person(recording: Recording, chosen: np.ndarray) -> Recording:
    """The recording of the detections that are chosen, one of each frame and view."""
    place = chosen.argmax(axis=2)[..., None]
    there = np.asarray(chosen.any(axis=2))[..., None]
    confidence = np.take_along_axis(recording.confidence, place[..., None], axis=2)
    tracks = recording.tracks
    if tracks is not None:
        tracks = np.where(there, np.take_along_axis(tracks, place, axis=2), -1)
    covariance = recording.covariance_px2
    if covariance is not None:
        covariance = np.take_along_axis(
            covariance, place[..., None, None, None], axis=2
        )
    return recording.replace(
        joints_2d_px=np.take_along_axis(
            recording.joints_2d_px, place[..., None, None], axis=2
        ),
        confidence=np.where(there[..., None], confidence, 0.0),
        covariance_px2=covariance,
        tracks=tracks,
    )


def _report(
    recordings: Sequence[Recording],
    exchanges: Sequence[Exchange],
    dropped: int,
    doubles: int,
) -> tuple[str, ...]:
    lines = []
    for who, recording in enumerate(recordings):
        shown = np.asarray(recording.seen.any(axis=(2, 3)))  # [F, V]
        there = np.asarray(shown.any(axis=1))
        frames = recording.frames[there]
        views = [recording.view_names[v] for v in np.flatnonzero(shown.any(axis=0))]
        lines.append(
            f"person {who}: in {there.sum()} frames from {frames[0]} to {frames[-1]}"
            f"{_of_takes(recording.sequence, there)}, {shown.sum()} detections in "
            f"{', '.join(views)}"
        )
        if len(views) == 1 and len(recording.view_names) > 1:
            lines[-1] += " alone: no other view shows the same body"
    for each in exchanges:
        one, other = sorted(each.persons)
        lines.append(
            f"view {each.view}, frames {each.first} to {each.last}: the detector's "
            f"tracks of persons {one} and {other} are exchanged; undone"
        )
    if doubles:
        lines.append(f"{doubles} detections show a body a second time; left out")
    if dropped:
        lines.append(f"{dropped} tracks are too short to be people; left out")
    return tuple(lines)


def _of_takes(sequence: np.ndarray, there: np.ndarray) -> str:
    """Which takes a person's frames are of, where there are several."""
    if len(np.unique(sequence)) == 1:
        return ""
    takes = np.unique(sequence[there])
    return f" of take{'s' if len(takes) > 1 else ''} {', '.join(map(str, takes))}"
