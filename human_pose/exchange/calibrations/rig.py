"""From what a calibration file holds to cameras, with every rule that all share."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from absl import logging

from human_pose.exchange.units import rig_scale
from human_pose.files.errors import InputError, one_line
from human_pose.geometry import rotations
from human_pose.geometry.cameras import Camera
from human_pose.geometry.lenses import BROWN_CONRADY

# Of an image's border that is looked at for folds.
_BORDER_POINTS: Final = 17
# Share of the focal length that a skew may have, which nobody models.
_SKEW: Final = 1e-6
# Numbers of a lens that are modelled; OpenCV's rational model adds zeros after them.
_LENS_NUMBERS: Final = 8
# No camera is turned farther; degrees are.
_FULL_TURN: Final = 2 * np.pi
# How far the principal point may be from a picture's middle, as a share of its size.
_OFF_CENTRE: Final = 0.25
# How far a rotation with few digits may be from one; beyond it is another matrix.
_ROUNDED: Final = 1e-2


class Found(NamedTuple):
    """One camera as a file has it; lengths in the file's units.

    Attributes:
      name: the camera's.
      matrix: `[3, 3]`, the intrinsics K.
      distortion: the lens' numbers in OpenCV's order.
      rotation: `[3, 3]`, world to camera, or `[3]`, its vector.
      translation: `[3]`, x_cam = R x_world + t.
      size_px: width and height, or None.
      lens: see `Camera`.
    """

    name: str
    matrix: Any
    distortion: Any
    rotation: Any
    translation: Any
    size_px: Any = None
    lens: str = BROWN_CONRADY


def assemble(
    path: str | os.PathLike[str],
    found: Sequence[Found],
    units: str | None = None,
    declared: str | None = None,
) -> tuple[Camera, ...]:
    """The cameras of a file.

    Args:
      path: the file.
      found: what it holds.
      units: what the caller says of lengths.
      declared: what the file says of them.

    Raises:
      InputError: naming the file, the camera and the rule, if there is no camera, two
        have one name, numbers are none of a camera, or a lens folds its image.
    """
    check_names_differ(path, [each.name for each in found])
    cameras = [_camera(f"{path}: camera {each.name}", each) for each in found]
    centres = np.stack([camera.position_mm for camera in cameras])
    scale = rig_scale(centres, str(path), units, declared)
    return tuple(
        replace(camera, translation_mm=camera.translation_mm * scale)
        for camera in cameras
    )


def check_names_differ(path: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Refuses cameras that a file cannot tell apart, of which it would lose one.

    Args:
      path: the file, read or to be written.
      names: of its cameras.

    Raises:
      InputError: naming the file, if there is no camera, or two have one name.
    """
    if not names:
        raise InputError(f"{path}: must hold a camera; it holds none")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{path}: cameras must have names of their own; twice: {', '.join(twice)}"
        )


def numbers(where: str, values: Any, *shapes: tuple[int, ...]) -> np.ndarray:
    """Finite numbers of one of some shapes.

    Args:
      where: file, camera and key, for the error.
      values: numbers in lists, or an array.
      shapes: that they may have; they are brought to the first of as many numbers.
        Without any, as many as there are, in a row.

    Raises:
      InputError: naming `where`.
    """
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(where, "must be numbers", values) from None
    for shape in shapes or [(array.size,)]:
        if array.size == np.prod(shape) and np.isfinite(array).all():
            return array.reshape(shape)
    wanted = " or ".join(str(list(shape)) for shape in shapes)
    rule = f"must be finite numbers of shape {wanted}" if shapes else "must be finite"
    raise InputError(where, rule, array.tolist())


def _camera(where: str, found: Found) -> Camera:
    """The camera, its lengths still in the file's units."""
    matrix = numbers(f"{where}: matrix", found.matrix, (3, 3))
    off = [abs(matrix[0, 1]), abs(matrix[1, 0]), *abs(matrix[2] - [0, 0, 1])]
    if max(off) > _SKEW * abs(matrix[0, 0]):
        raise InputError(
            f"{where}: matrix",
            "must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], without skew",
            matrix.tolist(),
        )
    lens = numbers(f"{where}: distortion", found.distortion)
    if len(lens) > _LENS_NUMBERS and not lens[_LENS_NUMBERS:].any():
        lens = lens[:_LENS_NUMBERS]
    try:
        camera = Camera(
            _rotation(where, found.rotation),
            numbers(f"{where}: translation", found.translation, (3,)),
            matrix[[0, 1], [0, 1]],
            matrix[:2, 2],
            # All zeros are a lens that does not distort.
            tuple(lens.tolist()) if np.any(lens) else (),
            _size(where, found.size_px),
            found.name,
            found.lens,
        )
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{where}: {one_line(error)}") from error
    _check_unfolded(where, camera)
    _tell_off_centre(where, camera)
    return camera


def _rotation(where: str, values: Any) -> np.ndarray:
    given = numbers(f"{where}: rotation", values, (3, 3), (3,))
    if given.ndim == 1:
        if np.linalg.norm(given) > _FULL_TURN:
            raise InputError(
                f"{where}: rotation",
                "must be in radians, of a full turn at most",
                given.tolist(),
            )
        return rotations.from_vector(given)
    nearest = rotations.nearest(given)
    # What is left-handed or no rotation at all stays, for `Camera` to refuse.
    return nearest if np.abs(nearest - given).max() < _ROUNDED else given


def _size(where: str, values: Any) -> tuple[int, int] | None:
    if values is None:
        return None
    width, height = numbers(f"{where}: size", values, (2,))
    if width != round(width) or height != round(height):
        raise InputError(f"{where}: size", "must be whole numbers", [width, height])
    return int(width), int(height)


def _tell_off_centre(where: str, camera: Camera) -> None:
    """Warns of a principal point that is not of a picture of that size.

    As where width and height are exchanged, or the two are of other resolutions.
    """
    if camera.size_px is None:
        return
    size = np.array(camera.size_px)
    if (np.abs(camera.centre_px - size / 2) > _OFF_CENTRE * size).any():
        logging.warning(
            "%s: its principal point (%.4g, %.4g) is far from the middle of its "
            "picture, %d x %d px: are matrix and size those of one picture?",
            where, *camera.centre_px, *size,
        )  # fmt: skip


def _check_unfolded(where: str, camera: Camera) -> None:
    """Refuses a lens that shows no ray at some of the image's border."""
    if camera.size_px is None:
        return
    width, height = camera.size_px
    x, y = (np.linspace(0, n - 1, _BORDER_POINTS) for n in (width, height))
    border = np.concatenate(
        [
            np.stack(np.broadcast_arrays(*side), -1)
            for side in ((x, 0.0), (x, height - 1.0), (0.0, y), (width - 1.0, y))
        ]
    )
    _, shown = camera.undistort_where(border)
    if not shown.all():
        raise InputError(
            f"{where}: distortion",
            "must not fold within the image; it shows nothing at "
            f"{border[~shown][0].tolist()} of {width} x {height} px",
            list(camera.distortion),
        )
