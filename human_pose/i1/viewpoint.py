"""Where a picture was taken from, as far as its user does not say.

A pinhole camera shows L mm at depth z mm as l = f L / z px. A box about a person shows
much the same L of the world in every picture, and so gives the focal length f for a
known z, or z for a known f. Where L is another than assumed, x and y of the pose are as
much too large or small; depths about the root are the network's own millimetres.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from human_pose.files.errors import InputError
from human_pose.geometry.limits import (
    FOCAL_LENGTHS_PX,
    MAX_COORDINATE_PX,
    ROOT_DEPTHS_MM,
)

# Of the embedded pictures: the median is 1,825 mm, and nine of ten have 1,146 to 2,173,
# those of people who sit the least. Boxes of 2,000 mm, as are customary for Human3.6M,
# have wider margins; here they would give errors of 134 instead of 120 mm.
BOX_MM: Final = 1800.0
# Human3.6M's cameras: people are some 5 m away, and frames of 1000 px have focal
# lengths of about 1145 px.
_ROOT_DEPTH_MM: Final = 5000.0
FOCAL_OF_SIDE: Final = 1.145


@dataclass(frozen=True)
class Viewpoint:
    """A camera, and how far the person is.

    Attributes:
      camera: fx, fy, cx, cy, px.
      root_depth_mm: of the hip.
    """

    camera: tuple[float, float, float, float]
    root_depth_mm: float


def complete(
    camera: tuple[float, float, float, float] | None,
    root_depth_mm: float | None,
    box: tuple[int, int, int, int],
    width: int,
    height: int,
) -> Viewpoint:
    """What is known and, for the rest, what makes the box's longer side `BOX_MM`.

    Args:
      camera: fx, fy, cx, cy, px; None puts the centre into the picture's middle.
      root_depth_mm: of the hip; None without a camera takes 5 m, or more if the whole
        picture would show a wider angle than Human3.6M's cameras see.
      box: x1, y1, x2, y2, px.
      width: of the whole picture, px.
      height: likewise.

    Raises:
      InputError: if the camera, or what the box means, is no usual focal length or
        depth.
    """
    across, down = box[2] - box[0], box[3] - box[1]
    if camera is not None:
        camera = _usual_camera(camera)
        if root_depth_mm is None:
            root_depth_mm = BOX_MM / max(across / camera[0], down / camera[1])
        return Viewpoint(camera, _usual_depth(root_depth_mm))
    side = max(across, down)
    if root_depth_mm is None:
        whole_mm = BOX_MM * max(width, height) / side
        root_depth_mm = max(_ROOT_DEPTH_MM, FOCAL_OF_SIDE * whole_mm)
    focal_px = side * _usual_depth(root_depth_mm) / BOX_MM
    shortest, longest = FOCAL_LENGTHS_PX
    if not shortest <= focal_px <= longest:
        raise InputError(
            "camera",
            f"must be given: the box and {root_depth_mm:.0f} mm to the hip mean a "
            f"focal length of {focal_px:.3g} px, and it must be from {shortest:.0f} to "
            f"{longest:.0f}",
        )
    return Viewpoint((focal_px, focal_px, width / 2, height / 2), root_depth_mm)


def four_numbers(
    name: str, values: Iterable[float]
) -> tuple[float, float, float, float]:
    """Four finite numbers, as boxes and cameras are.

    Raises:
      InputError: naming the argument, if they are anything else.
    """
    try:
        a, b, c, d = map(float, values)
    except (TypeError, ValueError, OverflowError):  # the last of 400 digits
        raise InputError(name, "must be four numbers", values) from None
    if not all(map(math.isfinite, (a, b, c, d))):
        raise InputError(name, "must be finite", (a, b, c, d))
    return a, b, c, d


def _usual_camera(camera: Iterable[float]) -> tuple[float, float, float, float]:
    fx, fy, cx, cy = numbers = four_numbers("camera", camera)
    shortest, longest = FOCAL_LENGTHS_PX
    if not (
        all(shortest <= focal_px <= longest for focal_px in (fx, fy))
        and all(abs(centre_px) <= MAX_COORDINATE_PX for centre_px in (cx, cy))
    ):
        rule = (
            f"must be focal lengths from {shortest:.0f} to {longest:.0f} px and a "
            f"centre at most {MAX_COORDINATE_PX:.0f} px from the corner"
        )
        raise InputError("camera", rule, numbers)
    return numbers


def _usual_depth(root_depth_mm: float) -> float:
    nearest, farthest = ROOT_DEPTHS_MM
    if not nearest <= root_depth_mm <= farthest:
        raise InputError(
            "root_depth_mm",
            f"must be from {nearest:.0f} to {farthest:.0f}; received, or meant by the "
            f"box, {root_depth_mm:.3g}",
        )
    return root_depth_mm
