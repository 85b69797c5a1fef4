"""The plain forms of detections as one `.npz` file.

  Ours: `joints_2d_px` `[F, V, J, 2]`, or `[F, V, P, J, 2]` of P people, `joint_names`
    `[J]` and `view_names` `[V]`; besides, if known, `confidence` `[F, V, J]` (or
    `[F, V, P, J]`; or under the name `visibility`), `fps`, `frames` `[F]`, `sequence`
    `[F]`, `take_names` `[T]` of takes 0 to T - 1, `tracks` `[F, V, P]` and
    `covariance_px2` `[F, V, J, 2, 2]` (or `[F, V, P, J, 2, 2]`).
  BlazePose's: `names` `[V]`, `xy` `[V, F, 33, 2]` px, `visibility` `[V, F, 33]`, `fps`.

NaN, (0, 0) and (-1, -1) are joints that were not found.
"""

import os
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from human_pose.exchange.detections import pixels, unit_confidence
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording
from human_pose.files.arrays import Shape, refusing
from human_pose.files.npz import listed_texts, npz_ranks, read_npz, write_npz
from human_pose.geometry.joint_words import from_names
from human_pose.geometry.known_skeletons import BLAZEPOSE_33

_SUFFIX: Final = (".npz",)
_OURS: Final = {"joints_2d_px", "joint_names", "view_names"}
_COVARIANCE: Final = "covariance_px2"
_TAKES: Final = "take_names"
_PERSON_RANK: Final = 5  # of `joints_2d_px` with an axis of people
_FURTHER: Final[dict[str, Shape]] = {
    "fps": (),
    "frames": ("F",),
    "sequence": ("F",),
    "tracks": ("F", "V", "P"),
}
_BLAZEPOSE: Final[dict[str, Shape]] = {
    "xy": ("V", "F", len(BLAZEPOSE_33), 2),
    "visibility": ("V", "F", len(BLAZEPOSE_33)),
    "fps": (),
}


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds our arrays."""
    return npz_ranks(path).keys() >= _OURS


def recognises_blazepose(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds BlazePose's arrays."""
    return npz_ranks(path).keys() >= {"names", *_BLAZEPOSE}


def read(path: str | os.PathLike[str]) -> Recording:
    """Reads our arrays.

    Raises:
      InputError: naming the file, the array and the rule.
    """
    ranks = npz_ranks(path)
    sure = "confidence" if "confidence" in ranks else "visibility"
    person = ("P",) if ranks.get("joints_2d_px") == _PERSON_RANK else ()
    shapes: dict[str, Shape] = {
        "joints_2d_px": ("F", "V", *person, "J", 2),
        sure: ("F", "V", *person, "J"),
        **_FURTHER,
        _COVARIANCE: ("F", "V", *person, "J", 2, 2),
    }
    if not person:
        shapes["tracks"] = ("F", "V", 1)
    held = {n: s for n, s in shapes.items() if n in ranks or n == "joints_2d_px"}
    texts: dict[str, Shape] = {"joint_names": ("J",), "view_names": ("V",)}
    if _TAKES in ranks:
        texts[_TAKES] = ("T",)
    arrays = read_npz(path, held, texts, finite=False)
    joints = arrays["joints_2d_px"].astype(np.float64)
    confidence = arrays.get(sure, np.ones(joints.shape[:-1]))
    if not person:
        joints, confidence = joints[:, :, None], confidence[:, :, None]
        if _COVARIANCE in arrays:
            arrays[_COVARIANCE] = arrays[_COVARIANCE][:, :, None]
    with refusing(path, "is no recording"):
        skeleton = from_names(_words(path, arrays, "joint_names"))
    recording = Recording(
        pixels(str(path), joints),
        unit_confidence(str(path), confidence, 1.0),
        skeleton,
        tuple(_words(path, arrays, "view_names")),
        fps=float(arrays["fps"]) if "fps" in arrays else None,
        take_names=tuple(_words(path, arrays, _TAKES)) if _TAKES in arrays else (),
        source=str(path),
    )
    further = ("frames", "sequence", "tracks", _COVARIANCE)
    return recording.replace(**{n: arrays[n] for n in further if n in arrays})


def read_blazepose(path: str | os.PathLike[str]) -> Recording:
    """Reads BlazePose's arrays.

    Raises:
      InputError: naming the file, the array and the rule.
    """
    arrays = read_npz(path, _BLAZEPOSE, {"names": ("V",)}, finite=False)
    joints = arrays["xy"].astype(np.float64).swapaxes(0, 1)[:, :, None]
    visibility = arrays["visibility"].swapaxes(0, 1)[:, :, None]
    return Recording(
        pixels(str(path), joints),
        unit_confidence(str(path), visibility, 1.0),
        BLAZEPOSE_33,
        tuple(_words(path, arrays, "names")),
        fps=float(arrays["fps"]),
        source=str(path),
    )


def write(
    path: str | os.PathLike[str],
    recording: Recording,
    further: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Writes our arrays; all but the cameras.

    Args:
      path: the file.
      recording: to be written.
      further: arrays to write beside it.

    Raises:
      InputError: if the file cannot be written.
    """
    arrays: dict[str, Any] = {
        "frames": recording.frames,
        "joints_2d_px": recording.joints_2d_px,
        "confidence": recording.confidence,
    }
    if recording.covariance_px2 is not None:
        arrays[_COVARIANCE] = recording.covariance_px2
    if recording.tracks is None and recording.joints_2d_px.shape[2] == 1:
        people = ("joints_2d_px", "confidence", _COVARIANCE)
        arrays |= {name: arrays[name][:, :, 0] for name in people if name in arrays}
    if recording.tracks is not None:
        arrays["tracks"] = recording.tracks
    if recording.fps is not None:
        arrays["fps"] = np.float64(recording.fps)
    arrays["sequence"] = recording.sequence
    if recording.take_names:
        arrays[_TAKES] = np.array(recording.take_names)
    arrays["joint_names"] = np.array(recording.skeleton.names)
    arrays["view_names"] = np.array(recording.view_names)
    write_npz(path, arrays | dict(further or {}))


def _words(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], name: str
) -> list[str]:
    return listed_texts(f"{path}: {name}", arrays[name])


FORMATS: Final = (
    Format(
        "npz",
        "recording",
        "plain .npz of detections",
        _SUFFIX,
        recognises,
        read,
        write,
    ),
    Format(
        "blazepose",
        "recording",
        "BlazePose's .npz",
        (),
        recognises_blazepose,
        read_blazepose,
    ),
)
