"""Qualisys Track Manager's calibrations, `.qca.txt`: XML in millimetres.

`transform` holds a camera's place and its rotation, camera to world, whose axes are
those of an image that is seen from behind: with the rows as written (r11 r12 r13, ...)
world to camera is R = diag(1, -1, -1) · stored. Intrinsics are in 64ths of a pixel of
the sensor (in some exports in pixels: the sensor's own size tells), and the picture
begins at the window's left and top.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
from absl import logging

from human_pose.exchange.calibrations.rig import Found, assemble
from human_pose.files.arrays import check_names, refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import MOST_TEXT_BYTES, read_bytes
from human_pose.geometry.cameras import Camera

_SUBPIXELS: Final = 64.0
# A sensor of more units than this is given in 64ths; none has so many pixels.
_MOST_PIXELS: Final = 20_000
_SENSOR: Final = ("sensorMinU", "sensorMaxU", "sensorMinV", "sensorMaxV")
_AXES: Final = np.diag([1.0, -1.0, -1.0])
_ROTATION: Final = tuple(f"r{row}{column}" for row in "123" for column in "123")
_FOCAL: Final = ("focalLengthU", "focalLengthV")
_CENTRE: Final = ("centerPointU", "centerPointV")
# Spelled so.
_LENS: Final = (
    "radialDistortion1",
    "radialDistortion2",
    "tangentalDistortion1",
    "tangentalDistortion2",
)
_THIRD: Final = "radialDistortion3"
_WINDOW: Final = ("left", "top", "right", "bottom")
_MARKS: Final = (b"<calibration", b"<cameras", b"<intrinsic")


def read_qualisys(
    path: str | os.PathLike[str], units: str | None = None
) -> tuple[Camera, ...]:
    """Reads the cameras of a `.qca.txt` file; their names are their serial numbers.

    Args:
      path: the file.
      units: of lengths; default: millimetres, as the format has them.

    Raises:
      InputError: naming the file and the rule, if it is no such calibration.
    """
    path = Path(path)
    content = read_bytes(path, MOST_TEXT_BYTES)
    # Entities could be nested until they fill the memory; QTM writes none.
    if b"<!" in content.replace(b"<!--", b""):
        raise InputError(f"{path}: must be XML without declarations of its own")
    with refusing(path, "is no readable XML file"):
        root = ElementTree.fromstring(content)
    found = [_found(path, camera) for camera in root.iterfind("./cameras/camera")]
    return assemble(path, found, units, declared="mm")


def is_qualisys(path: str | os.PathLike[str]) -> bool:
    """Whether a file is such a calibration."""
    try:
        content = read_bytes(path, MOST_TEXT_BYTES)
    except InputError:
        return False
    return all(mark in content for mark in _MARKS)


def _found(path: Path, camera: ElementTree.Element) -> Found:
    name = camera.get("serial", "")
    where = f"{path}: camera {name}"
    if camera.get("viewrotation", "0") not in ("", "0"):
        logging.warning(
            "%s: its picture is turned by %s degrees in QTM; the detections must be of "
            "the picture as recorded",
            where, camera.get("viewrotation"),
        )  # fmt: skip
    place = _numbers(where, camera, "transform", ("x", "y", "z", *_ROTATION))
    inner = _numbers(
        where, camera, "intrinsic", (*_FOCAL, *_CENTRE, *_LENS), (_THIRD, *_SENSOR)
    )
    sensor = np.array([inner[f"sensorMax{a}"] - inner[f"sensorMin{a}"] for a in "UV"])
    unit = 1.0 if 0 < sensor.max() < _MOST_PIXELS else _SUBPIXELS
    left, top, size = 0.0, 0.0, np.rint(sensor / unit)
    if camera.find("fov_video") is not None:
        window = _numbers(where, camera, "fov_video", _WINDOW)
        left, top = window["left"], window["top"]
        # The window's last column and row belong to it.
        size = np.array([window["right"] - left + 1, window["bottom"] - top + 1])
    rotation = _AXES @ [[place[f"r{i}{j}"] for j in "123"] for i in "123"]
    centre = np.array([place[axis] for axis in "xyz"])
    fx, fy = (inner[key] / unit for key in _FOCAL)
    cx, cy = (inner[key] / unit for key in _CENTRE)
    lens = [inner[key] for key in _LENS]
    third = inner.get(_THIRD, 0.0)
    return Found(
        name,
        [[fx, 0, cx - left], [0, fy, cy - top], [0, 0, 1]],
        [*lens, third] if third else lens,
        rotation,
        -rotation @ centre,
        size.tolist() if size.all() else None,
    )


def _numbers(
    where: str,
    camera: ElementTree.Element,
    tag: str,
    keys: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> Mapping[str, float]:
    """Attributes of a camera's element, as numbers."""
    element = camera.find(tag)
    if element is None:
        raise InputError(f"{where}: must hold {tag}")
    check_names(f"{where}: {tag}", keys, element.keys())
    values = {}
    for key in (*keys, *optional):
        text = element.get(key, "0")
        try:
            values[key] = float(text)
        except ValueError:
            raise InputError(
                f"{where}: {tag}: {key}", "must be a number", text
            ) from None
    return values
