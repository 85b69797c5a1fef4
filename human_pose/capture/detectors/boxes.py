"""Boxes about the joints of one person, to find them again by."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from human_pose.capture.detectors.protocol import Detect, Found
from human_pose.geometry.limits import MIN_BOX_PX

Four = tuple[float, float, float, float]

# Side of a square over the larger extent of the joints: the middle of what the embedded
# pictures have (`datasets.rendered.shots.Framing`).
_MARGIN: Final = 1.21
# Joints that a detector is surer of than of even odds are within the box.
_SURE: Final = 0.5
# Of two boxes' union, what they share at least where both may be of one person: who
# runs is elsewhere in the next frame by a fraction of his height.
_SHARED: Final = 0.3


class Boxed(NamedTuple):
    """A picture, and the box of the person that is followed in it.

    Attributes:
      picture: uint8 `[H, W, 3]`, red first.
      box: x1, y1, x2, y2, px; None where nobody is found.
      people: of how many the detector is sure.
      elsewhere: whether nobody is where the person was last.
    """

    picture: np.ndarray
    box: Four | None
    people: int
    elsewhere: bool = False


def boxed(find: Detect, pictures: Iterable[np.ndarray]) -> Iterator[Boxed]:
    """The pictures of one video with the boxes in which the network I1 is shown people.

    Of several people the detector's first is followed: whoever is in the next picture
    where this one was, wherever in the detector's order. Where nobody is, the first is.

    Args:
      find: asks the detector.
      pictures: uint8 `[H, W, 3]`, red first.
    """
    # No `itertools.tee`, which keeps 57 pictures longer than they are needed.
    shown: deque[np.ndarray] = deque()

    def searched() -> Iterator[np.ndarray]:
        for picture in pictures:
            shown.append(picture)
            yield picture

    before: Four | None = None
    for found in find(searched()):
        picture = shown.popleft()
        boxes = [
            box
            for points in _sure(found)
            if (box := inside(box_about(points), picture)) is not None
        ]
        box, elsewhere = _followed(boxes, before)
        before = box or before
        yield Boxed(picture, box, len(boxes), elsewhere)


def box_about(points_px: np.ndarray) -> Four | None:
    """The square about joints `[..., 2]` as the network I1 knows it; None without any.

    Returns:
      x1, y1, x2, y2, px.
    """
    ends = _extent(points_px)
    if ends is None:
        return None
    low, high = ends
    side = max(_MARGIN * float((high - low).max()), MIN_BOX_PX)
    return _about((low + high) / 2, np.array([side, side]))


def extent_about(points_px: np.ndarray, margin: float) -> Four | None:
    """The extent of joints `[..., 2]`, wider by a factor; None without any.

    Returns:
      x1, y1, x2, y2, px.
    """
    ends = _extent(points_px)
    if ends is None:
        return None
    low, high = ends
    return _about((low + high) / 2, np.maximum(margin * (high - low), MIN_BOX_PX))


def inside(box: Four | None, picture: np.ndarray) -> Four | None:
    """A box if it shows something of the picture, and is not far beyond it."""
    if box is None:
        return None
    height, width = picture.shape[:2]
    x1, y1, x2, y2 = box
    side = max(width, height)
    meets = x2 > 0 and y2 > 0 and x1 < width and y1 < height
    near = min(x1, y1) >= -side and x2 <= width + side and y2 <= height + side
    return box if meets and near else None


def _sure(found: Found) -> list[np.ndarray]:
    """The joints of each person that the detector is sure of."""
    people = zip(found.joints_2d_px, found.confidence > _SURE, strict=True)
    return [np.asarray(joints[sure]) for joints, sure in people]


def _followed(boxes: list[Four], last: Four | None) -> tuple[Four | None, bool]:
    """The box of whoever was at `last`, or else the first; whether nobody was there."""
    if not boxes or last is None:
        return next(iter(boxes), None), False
    nearest = max(boxes, key=lambda box: _shared(box, last))
    if _shared(nearest, last) < _SHARED:
        return boxes[0], True
    return nearest, False


def _shared(one: Four, other: Four) -> float:
    """What two boxes share, as a part of both together."""
    first, second = np.reshape(one, (2, 2)), np.reshape(other, (2, 2))
    low, high = np.maximum(first[0], second[0]), np.minimum(first[1], second[1])
    both = float((high - low).clip(0).prod())
    areas = [float((box[1] - box[0]).prod()) for box in (first, second)]
    return both / (sum(areas) - both)


def _extent(points_px: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    points = points_px[np.isfinite(points_px).all(axis=-1)]
    return (points.min(axis=0), points.max(axis=0)) if len(points) else None


def _about(centre: np.ndarray, sides: np.ndarray) -> Four:
    x1, y1 = (centre - sides / 2).tolist()
    x2, y2 = (centre + sides / 2).tolist()
    return x1, y1, x2, y2
