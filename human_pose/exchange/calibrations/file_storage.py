"""Calibrations in OpenCV's FileStorage, with EasyMocap's words.

`intri.yml` holds `names`, and for each camera `K_<name>`, `dist_<name>` (or `D_`) and
perhaps `H_` and `W_`; `extri.yml` has `R_<name>` (a vector of Rodrigues, world to
camera), `Rot_<name>` (its matrix) and `T_<name>`. One file may hold all of it. YAML,
JSON and XML are read alike.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.exchange.calibrations.rig import Found, assemble, check_names_differ
from human_pose.exchange.units import MILLIMETRES
from human_pose.files.arrays import check_names, refusing
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.files.paths import atomic, read_text
from human_pose.geometry import rotations
from human_pose.geometry.cameras import Camera
from human_pose.geometry.lenses import FISHEYE

_PAIR: Final = ("intri", "extri")
_ENDINGS: Final = (".yml", ".yaml", ".json", ".xml")
_MARK: Final = "K_"
# As many as EasyMocap's cameras have.
_LENS_NUMBERS: Final = 5


def read_file_storage(
    path: str | os.PathLike[str], units: str | None = None
) -> tuple[Camera, ...]:
    """Reads the cameras of a pair of files, or of one that holds all.

    Args:
      path: the folder of `intri.yml` and `extri.yml`, either of them, or one file.
      units: of lengths; default: what the rig's size implies.

    Raises:
      InputError: naming the file and the rule, if it is no such calibration.
    """
    path = Path(path)
    files = _files(path)
    nodes: dict[str, Any] = {}
    for file in files:
        nodes |= _nodes(file)
    # The list `names` holds 01 as a number in files of some hands.
    names = [key.removeprefix(_MARK) for key in nodes if key.startswith(_MARK)]
    return assemble(path, [_found(path, nodes, name) for name in names], units)


def is_file_storage(path: str | os.PathLike[str]) -> bool:
    """Whether a file, or a folder, is such a calibration."""
    try:
        first = _files(Path(path))[0]
        if first.suffix.lower() not in _ENDINGS:
            return False
        text = read_text(first)
    except InputError:
        return False
    return "opencv" in text and _MARK in text


def write_file_storage(path: str | os.PathLike[str], cameras: Sequence[Camera]) -> None:
    """Writes cameras as EasyMocap's pair, in metres.

    Args:
      path: a folder, made if it is not there; or one file that is to hold all, if it
        ends as one of OpenCV's.
      cameras: one or more.

    Raises:
      InputError: if it cannot be written, a lens is a fisheye, or a name is no part of
        a key, or two cameras'.
    """
    path = Path(path)
    check_names_differ(path, [camera.name for camera in cameras])
    for camera in cameras:
        if camera.lens == FISHEYE:
            raise InputError(
                f"{path}: camera {camera.name}: EasyMocap's files have no fisheye"
            )
    inner, outer = _inner(cameras), _outer(cameras)
    if path.suffix.lower() in _ENDINGS:
        if path.stem in _PAIR:
            raise InputError(
                f"{path}: is the name of one file of EasyMocap's two; name their "
                "folder, or one file otherwise"
            )
        text = _text(path, cameras, inner | outer)
        with atomic(path) as temporary:
            temporary.write_text(text, "utf-8")
        return
    places = [path / f"{name}.yml" for name in _PAIR]
    texts = [
        _text(place, cameras, nodes)
        for place, nodes in zip(places, (inner, outer), strict=True)
    ]
    with atomic(places[0]) as first, atomic(places[1]) as second:
        first.write_text(texts[0], "utf-8")
        second.write_text(texts[1], "utf-8")


def _files(path: Path) -> list[Path]:
    """The one file or two that a path means."""
    folder, stem = (path, None) if path.is_dir() else (path.parent, path.stem)
    if stem is not None and stem not in _PAIR:
        return [path]
    endings = _ENDINGS if stem is None else (path.suffix,)
    for ending in endings:
        pair = [folder / f"{name}{ending}" for name in _PAIR]
        if all(each.is_file() for each in pair):
            return pair
    raise InputError(f"{path}: must be with intri.yml and extri.yml in one folder")


def _nodes(path: Path) -> dict[str, Any]:
    """What a file holds of matrices and numbers."""
    text = read_text(path)
    cv2 = needed("cv2", str(path))
    with refusing(path, "is no readable file of OpenCV's FileStorage"):
        flags = cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
        storage = cv2.FileStorage(text, flags)
        try:
            root = storage.root()
            return {key: _value(root.getNode(key)) for key in root.keys()}
        finally:
            storage.release()


def _value(node: Any) -> Any:
    if node.isMap():
        return node.mat()
    return node.real() if node.isReal() or node.isInt() else None


def _found(path: Path, nodes: dict[str, Any], name: str) -> Found:
    lens = next((k for k in (f"dist_{name}", f"D_{name}") if k in nodes), None)
    turn = next((k for k in (f"Rot_{name}", f"R_{name}") if k in nodes), f"R_{name}")
    check_names(path, [f"K_{name}", turn, f"T_{name}"], nodes)
    height, width = nodes.get(f"H_{name}"), nodes.get(f"W_{name}")
    return Found(
        name,
        nodes[f"K_{name}"],
        np.ravel(nodes[lens]) if lens is not None else (),
        nodes[turn],
        nodes[f"T_{name}"],
        (width, height) if width and height else None,
    )


def _inner(cameras: Iterable[Camera]) -> dict[str, Any]:
    nodes: dict[str, Any] = {}
    for camera in cameras:
        (fx, fy), (cx, cy) = camera.focal_px, camera.centre_px
        lens = camera.distortion
        lens = (*lens, *(0.0,) * (_LENS_NUMBERS - len(lens)))
        nodes[f"K_{camera.name}"] = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        nodes[f"dist_{camera.name}"] = np.array([lens])
        if camera.size_px is not None:
            nodes[f"W_{camera.name}"], nodes[f"H_{camera.name}"] = camera.size_px
    return nodes


def _outer(cameras: Iterable[Camera]) -> dict[str, Any]:
    nodes: dict[str, Any] = {}
    for camera in cameras:
        vector = rotations.to_vector(camera.rotation)
        nodes[f"R_{camera.name}"] = vector[:, None]
        nodes[f"Rot_{camera.name}"] = camera.rotation
        shift = camera.translation_mm / MILLIMETRES["m"]
        nodes[f"T_{camera.name}"] = shift[:, None]
    return nodes


def _text(path: Path, cameras: Sequence[Camera], nodes: dict[str, Any]) -> str:
    cv2 = needed("cv2", str(path))
    ending = path.suffix.lower()
    with refusing(path, "cannot be written by OpenCV"):
        flags = cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY
        storage = cv2.FileStorage(f"a{ending}", flags)
        storage.startWriteStruct("names", cv2.FileNode_SEQ)
        for camera in cameras:
            storage.write("", camera.name)
        storage.endWriteStruct()
        for key, value in nodes.items():
            storage.write(key, value)
        return str(storage.releaseAndGetString())
