"""Persons joined over time: who was lost by all views, and is seen again near there."""

from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.people.detections import Detections
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
    sequence: np.ndarray,
    fps: float,
) -> np.ndarray:
    """Persons `[F, V, P]`, those who are the same with one number.

    A person who ends is the one who begins at most 3 s later, within what may be walked
    meanwhile: the nearest pair first, each once.

    Args:
      detections: of all views.
      cameras: one for each view; without them nobody has a place.
      persons: numbers, `[F, V, P]`, -1 for none.
      sequence: `[F]`, equal for the frames of a take.
      fps: frames a second.
    """
    persons = persons.copy()
    if not cameras:
        return persons
    found = [
        _person(detections, cameras, persons, number, fps)
        for number in range(int(persons.max(initial=-1)) + 1)
    ]
    pairs = sorted(
        (*_gap(before, after, sequence, fps), before.number, after.number)
        for before in found
        for after in found
        if before.last < after.first and _LONGEST_S * fps >= after.first - before.last
    )
    name = {person.number: person.number for person in found}
    gone: set[int] = set()
    come: set[int] = set()
    for off, reach, before, after in pairs:
        if off <= reach and before not in gone and after not in come:
            gone.add(before)
            come.add(after)
            name[after] = before
    for person in sorted(found, key=lambda each: each.first):
        root = name[person.number] = name[name[person.number]]
        persons[persons == person.number] = root
    return persons


def _person(
    detections: Detections,
    cameras: tuple[Camera, ...],
    persons: np.ndarray,
    number: int,
    fps: float,
) -> _Person:
    rows = np.flatnonzero((persons == number).any(axis=(1, 2)))
    most = 1 + int(_END_S * fps)
    ends = [
        _place(detections, cameras, persons, number, part)
        for part in (rows[:most], rows[-most:])
    ]
    return _Person(number, int(rows[0]), int(rows[-1]), *ends)


def _gap(
    before: _Person, after: _Person, sequence: np.ndarray, fps: float
) -> tuple[float, float]:
    """How far two persons are from each other, and how far they may be, mm."""
    if sequence[before.last] != sequence[after.first]:
        return np.inf, 0.0
    off = float(np.linalg.norm(before.gone_mm - after.come_mm))
    reach = _STILL_MM + _WALK_MM_S * (after.first - before.last) / fps
    return (off, reach) if np.isfinite(off) else (np.inf, 0.0)


def _place(
    detections: Detections,
    cameras: tuple[Camera, ...],
    persons: np.ndarray,
    number: int,
    rows: np.ndarray,
) -> np.ndarray:
    """The middle of a person's joints in some frames `[3]`; NaN if one view sees him."""
    chosen = persons[rows] == number  # [R, V, P]
    place = chosen.argmax(axis=2)[:, :, None, None]
    seen = np.take_along_axis(detections.seen[rows], place, axis=2)[:, :, 0]
    seen &= chosen.any(axis=2)[..., None]
    shown = detections.points_px[rows]
    shown = np.take_along_axis(shown, place[..., None], axis=2)[:, :, 0]
    matrix, right = np.zeros((2, len(rows), shown.shape[2], 3, 3))
    right = right[..., 0]
    for view, camera in enumerate(cameras):
        plane = (shown[:, view] - camera.centre_px) / camera.focal_px
        ray = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)
        ray = ray @ camera.rotation
        ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        across = np.eye(3) - ray[..., None] * ray[..., None, :]
        across *= seen[:, view, :, None, None]
        matrix += across
        right += across @ camera.position_mm
    known = seen.sum(axis=1) >= _LEAST_VIEWS
    if not known.any():
        return np.full(3, np.nan)
    whole = matrix[known] + _TINY * np.eye(3)
    return np.asarray(
        np.median(np.linalg.solve(whole, right[known][..., None])[..., 0], axis=0)
    )
