"""Persons joined over time: who was lost by all views, and is seen again near there."""

import bisect
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.people.detections import Detections, Times
from human_pose.geometry.cameras import Camera

# How long somebody may be out of sight, and how far away he may be then.
_LONGEST_S: Final = 3.0
_STILL_MM: Final = 400.0
_WALK_MM_S: Final = 1500.0
# Frames whose middle is taken for the place.
_END_S: Final = 0.25
_LEAST_VIEWS: Final = 2
# Beside the sum of rays' projections: keeps parallel rays solvable.
_TINY: Final = 1e-9


class _Person(NamedTuple):
    number: int
    first: int
    last: int
    come_mm: np.ndarray
    gone_mm: np.ndarray


def joined(
    detections: Detections,
    cameras: tuple[Camera, ...],
    persons: np.ndarray,
    times: Times,
) -> np.ndarray:
    """Persons `[F, V, P]`, those who are the same with one number.

    A person who ends is the one who begins at most 3 s later, within what may be walked
    meanwhile: the nearest pair first, each once.

    Args:
      detections: of all views.
      cameras: one for each view; without them nobody has a place.
      persons: numbers, `[F, V, P]`, -1 for none.
      times: of the frames.
    """
    if not cameras:
        return persons
    fps, moments, sequence = times.fps, times.moments, times.sequence
    places = _persons(detections, cameras, persons, times)
    found = sorted(places, key=lambda person: person.first)
    firsts = [int(moments[person.first]) for person in found]
    pairs = []
    for before in found:
        gone_at = int(moments[before.last])
        soon = bisect.bisect_right(firsts, gone_at)
        late = bisect.bisect_right(firsts, gone_at + _LONGEST_S * fps)
        for after in found[soon:late]:
            if sequence[before.last] == sequence[after.first]:
                off = float(np.linalg.norm(before.gone_mm - after.come_mm))
                gap_s = (moments[after.first] - gone_at) / fps
                if off <= _STILL_MM + _WALK_MM_S * gap_s:
                    pairs.append((off, before.number, after.number))
    name = np.arange(int(persons.max(initial=-1)) + 2)
    name[-1] = -1  # nobody's
    gone: set[int] = set()
    come: set[int] = set()
    persons = persons.copy()
    row = np.arange(len(persons))[:, None, None]
    ends = {person.number: person for person in found}
    for _, one, next_ in sorted(pairs):
        if one not in gone and next_ not in come:
            gone.add(one)
            come.add(next_)
            name[next_] = one
            # What a single view still shows of one beside the other is a false alarm.
            persons[(persons == one) & (row >= ends[next_].first)] = -1
            persons[(persons == next_) & (row <= ends[one].last)] = -1
    for person in found:  # who comes first has the name already
        name[person.number] = name[name[person.number]]
    return np.asarray(name[persons])


def _persons(
    detections: Detections,
    cameras: tuple[Camera, ...],
    persons: np.ndarray,
    times: Times,
) -> Iterator[_Person]:
    """Those who have a place where they come and where they go.

    What a single view shows before and after is none.
    """
    when, where = times.moments, np.stack(np.nonzero(persons >= 0))
    who = persons[tuple(where)]
    order = np.argsort(who, kind="stable")  # frames stay in order
    bounds = np.flatnonzero(np.diff(who[order])) + 1
    most = int(_END_S * times.fps)
    for group in np.split(order, bounds):
        own = where[:, group]
        frames, count = np.unique(own[0], return_counts=True)
        frames = frames[count >= _LEAST_VIEWS]
        if not len(frames):
            continue
        own = own[:, np.isin(own[0], frames)]
        first, last = int(own[0, 0]), int(own[0, -1])
        after, left = when[first] + most, when[last] - most
        come = _place(detections, cameras, own[:, when[own[0]] <= after])
        gone = _place(detections, cameras, own[:, when[own[0]] >= left])
        if come is not None and gone is not None:
            yield _Person(int(who[group[0]]), first, last, come, gone)


def _place(
    detections: Detections, cameras: tuple[Camera, ...], where: np.ndarray
) -> np.ndarray | None:
    """The middle of a person's joints `[3]`; None if no two views see one.

    Args:
      detections: of all views.
      cameras: one for each view.
      where: frames, views and places of the person's detections, `[3, N]`.
    """
    frames, row = np.unique(where[0], return_inverse=True)
    seen = detections.seen[tuple(where)]  # [N, J]
    plane = detections.points_px[tuple(where)]
    centre = np.stack([camera.centre_px for camera in cameras])[where[1], None]
    focal = np.stack([camera.focal_px for camera in cameras])[where[1], None]
    plane = (plane - centre) / focal
    ray = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)
    ray = ray @ np.stack([camera.rotation for camera in cameras])[where[1]]
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    across = np.eye(3) - ray[..., None] * ray[..., None, :]
    across *= seen[..., None, None]
    origin = np.stack([camera.position_mm for camera in cameras])[where[1], None]
    shape = (len(frames), seen.shape[1])
    count, matrix = np.zeros(shape), np.zeros((*shape, 3, 3))
    right = np.zeros((*shape, 3, 1))
    np.add.at(count, row, seen)
    np.add.at(matrix, row, across)
    np.add.at(right, row, across @ origin[..., None])
    known = count >= _LEAST_VIEWS
    if not known.any():
        return None
    points = np.linalg.solve(matrix[known] + _TINY * np.eye(3), right[known])
    return np.asarray(np.median(points[..., 0], axis=0))
