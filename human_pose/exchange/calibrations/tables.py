"""Calibrations in TOML: Anipose's, Pose2Sim's, FreeMoCap's and Caliscope's.

A table for each camera holds `name`, `size`, `matrix`, `distortions` (4, 5 or 8, or a
fisheye's 4), `rotation` (a vector of Rodrigues, world to camera; Caliscope had
matrices) and `translation`. Anipose's units are those of the board, Pose2Sim's and
Caliscope's metres, and FreeMoCap's millimetres. Pose2Sim names four numbers of the lens
and leaves k3 out.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from absl import logging

from human_pose.exchange import sources
from human_pose.exchange.calibrations.rig import Found, assemble, check_names_differ
from human_pose.exchange.units import MILLIMETRES
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.files.paths import atomic
from human_pose.geometry import rotations
from human_pose.geometry.cameras import Camera
from human_pose.geometry.lenses import BROWN_CONRADY, FISHEYE

_NEEDED: Final = ("matrix", "distortions", "rotation", "translation")
# Caliscope puts all cameras under this one.
_CAMERAS: Final = "cameras"
_METADATA: Final = "metadata"
# Tables that the readers of Pose2Sim's files take for no camera, or for all of them.
_NO_CAMERA: Final = (
    _CAMERAS, _METADATA, "capture_volume", "charuco", "checkerboard"
)  # fmt: skip
# Of a lens, that Pose2Sim knows.
_POSE2SIM_LENS: Final = 4
# Caliscope's files hold every corner of every board.
_MOST_BYTES: Final = 1 << 24


def read_toml(
    path: str | os.PathLike[str], units: str | None = None
) -> tuple[Camera, ...]:
    """Reads the cameras of a calibration in TOML.

    Args:
      path: the file.
      units: of its lengths; default: `units` of its table `metadata`, or what the
        rig's size implies.

    Raises:
      InputError: naming the file and the rule, if it is no such calibration.
    """
    path = Path(path)
    document = sources.read_toml(path, _MOST_BYTES)
    found = [
        _found(path, key, table)
        for key, table in _tables(document).items()
        if not table.get("ignore", False)
    ]
    metadata = document.get(_METADATA)
    declared = metadata.get("units") if isinstance(metadata, dict) else None
    if declared is not None and not isinstance(declared, str):
        raise InputError(f"{path}: units", "must be a word", declared)
    return assemble(path, found, units, declared)


def is_anipose(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a calibration in TOML that is none of the two others'."""
    return _kind(Path(path)) == "anipose"


def is_pose2sim(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a calibration as Pose2Sim writes it."""
    return _kind(Path(path)) == "pose2sim"


def is_caliscope(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a calibration as Caliscope writes it."""
    return _kind(Path(path)) == "caliscope"


def write_anipose(path: str | os.PathLike[str], cameras: Sequence[Camera]) -> None:
    """Writes cameras as Anipose does, in millimetres.

    Raises:
      InputError: if the file cannot be written, or two cameras have one name.
    """
    _write(path, cameras, "mm", 1.0, lambda number, camera: f"cam_{number}")


def write_pose2sim(path: str | os.PathLike[str], cameras: Sequence[Camera]) -> None:
    """Writes cameras as Pose2Sim does, in metres.

    Pose2Sim takes them for the folders of detections by their order, which is that of
    the last number in each name, and so they are written.

    Raises:
      InputError: if the file cannot be written, two cameras have one name or one has
        that of another table, or a lens is a fisheye or has more than Pose2Sim's four
        numbers.
    """
    for camera in cameras:
        where = f"{path}: camera {camera.name}"
        if any(camera.distortion[_POSE2SIM_LENS:]):
            raise InputError(
                f"{where}: Pose2Sim has k1 k2 p1 p2 alone; its lens has "
                f"{len(camera.distortion)} numbers"
            )
        if camera.lens == FISHEYE:
            raise InputError(f"{where}: Pose2Sim has no fisheye")
        if camera.name in _NO_CAMERA:
            raise InputError(f"{where}: its name is that of another table")
    cameras = [
        replace(camera, distortion=camera.distortion[:_POSE2SIM_LENS])
        for camera in cameras
    ]
    numbers = [re.findall(r"\d+", camera.name)[-1:] for camera in cameras]
    if all(numbers):
        order = sorted(range(len(cameras)), key=lambda place: int(numbers[place][0]))
        cameras = [cameras[place] for place in order]
    scale = 1 / MILLIMETRES["m"]
    _write(path, cameras, "m", scale, lambda _, camera: camera.name)


def _tables(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables that are of a camera, by their keys."""
    under = document.get(_CAMERAS)
    tables = under if isinstance(under, dict) else document
    return {
        key: table
        for key, table in tables.items()
        if isinstance(table, dict) and set(_NEEDED) & set(table)
    }


def _kind(path: Path) -> str | None:
    if path.suffix.lower() != ".toml" or not path.is_file():
        return None
    try:
        document = sources.read_toml(path, _MOST_BYTES)
    except InputError:
        return None
    tables = _tables(document)
    if not tables:
        return None
    ported = any("port" in table for table in tables.values())
    if ported or isinstance(document.get(_CAMERAS), dict):
        return "caliscope"
    named = all(not key.startswith("cam_") or len(key) > 6 for key in tables)
    four = all(_count(t.get("distortions")) == 4 for t in tables.values())
    return "pose2sim" if four and named else "anipose"


def _count(values: Any) -> int:
    return len(values) if isinstance(values, list) else 0


def _found(path: Path, key: str, table: Mapping[str, Any]) -> Found:
    name = table.get("name", _caliscope_name(key, table))
    if not isinstance(name, str | int):
        raise InputError(f"{path}: camera {key}: name", "must be a word", name)
    missing = [word for word in _NEEDED if word not in table]
    if missing:
        raise InputError(
            f"{path}: camera {name}: must hold {', '.join(missing)}; it holds "
            f"{', '.join(table)}"
        )
    fisheye = table.get("fisheye", False)
    if not isinstance(fisheye, bool):
        raise InputError(
            f"{path}: camera {name}: fisheye", "must be true or false", fisheye
        )
    return Found(
        str(name),
        table["matrix"],
        table["distortions"],
        table["rotation"],
        table["translation"],
        table.get("size"),
        FISHEYE if fisheye else BROWN_CONRADY,
    )


def _caliscope_name(key: str, table: Mapping[str, Any]) -> Any:
    """As its videos are called: port_0.mp4, and later cam_0.mp4."""
    if "cam_id" in table:
        return f"cam_{table['cam_id']}"
    return f"port_{table['port']}" if "port" in table else key


def _write(
    path: str | os.PathLike[str],
    cameras: Sequence[Camera],
    units: str,
    scale: float,
    key: Callable[[int, Camera], str],
) -> None:
    check_names_differ(path, [camera.name for camera in cameras])
    document: dict[str, Any] = {
        key(number, camera): _table(camera, scale)
        for number, camera in enumerate(cameras)
    }
    document[_METADATA] = {"adjusted": False, "error": 0.0, "units": units}
    text = needed("tomli_w", str(path)).dumps(document)
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")


def _table(camera: Camera, scale: float) -> dict[str, Any]:
    (fx, fy), (cx, cy) = camera.focal_px.tolist(), camera.centre_px.tolist()
    size = camera.size_px
    if size is None:
        # The readers of both formats ask for it.
        size = round(2 * cx), round(2 * cy)
        logging.warning(
            "camera %s: its picture's size is not known; %d x %d px, twice its centre, "
            "is written",
            camera.name, *size,
        )  # fmt: skip
    return {
        "name": camera.name,
        "size": list(size),
        "matrix": [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        "distortions": list(camera.distortion) or [0.0] * 4,
        "rotation": rotations.to_vector(camera.rotation).tolist(),
        "translation": (camera.translation_mm * scale).tolist(),
        "fisheye": camera.lens == FISHEYE,
    }
