"""Motion in NumPy's `.npz`: our own, and VideoPose3D's `data_3d_*.npz`.

Ours holds `joints_3d_mm` `[F, J, 3]` (world, z up, NaN where a joint is missing) and
`joint_names` `[J]`, and may hold `fps`, `frames` `[F]`, `sequence` `[F]` and
`take_names` (of takes 0, 1, ...); a results file (`poses`) is one, too. VideoPose3D's
holds `positions_3d`, a pickled dictionary of subjects, actions and positions
`[T, J, 3]` in metres.
"""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.exchange.format import Format
from human_pose.exchange.named import named_motion
from human_pose.exchange.recording import Motion
from human_pose.exchange.units import millimetres
from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.npz import listed_texts, npz_ranks, read_npz, write_npz
from human_pose.files.pickles import unpickle_npz
from human_pose.geometry.skeletons import LIFTER_17, RECORDED_32

_JOINTS: Final = "joints_3d_mm"
_NAMES: Final = "joint_names"
_TAKES: Final = "take_names"
_POSITIONS: Final = "positions_3d"
# Of Human3.6M, which VideoPose3D's files do not say.
_VIDEOPOSE_FPS: Final = 50.0
_VIDEOPOSE_SKELETONS: Final = {17: LIFTER_17, 32: RECORDED_32}


def read_motion_npz(path: str | os.PathLike[str], units: str | None = None) -> Motion:
    """Reads our own `.npz` of motion, or a results file.

    Args:
      path: the file.
      units: of its lengths; default: millimetres, as the format has them.

    Raises:
      InputError: naming the file and the rule, if it is no such file.
    """
    path = Path(path)
    shapes: dict[str, Shape] = {_JOINTS: ("F", "J", 3)}
    held = npz_ranks(path)
    for name, shape in (("fps", ()), ("frames", ("F",)), ("sequence", ("F",))):
        if name in held:
            shapes[name] = shape
    texts: dict[str, Shape] = {_NAMES: ("J",)}
    if _TAKES in held:
        texts[_TAKES] = ("T",)
    arrays = read_npz(path, shapes, texts, finite=False)
    for name in ("frames", "sequence"):
        if name in arrays and arrays[name].dtype.kind not in "iu":
            raise InputError(f"{path}: {name} must be whole numbers")
    fps = float(arrays.get("fps", np.nan))
    motion = named_motion(
        path,
        listed_texts(f"{path}: {_NAMES}", arrays[_NAMES]),
        arrays[_JOINTS],
        fps=None if np.isnan(fps) else fps,
        frames=arrays.get("frames"),
        sequence=arrays.get("sequence"),
        units=units,
        declared="mm",
    )
    if _TAKES not in arrays:
        return motion
    takes = tuple(listed_texts(f"{path}: {_TAKES}", arrays[_TAKES]))
    return dataclasses.replace(motion, take_names=takes)


def write_motion_npz(path: str | os.PathLike[str], motion: Motion) -> None:
    """Writes motion as our own `.npz`; `read_motion_npz` gives it back.

    Raises:
      InputError: if the file cannot be written.
    """
    motion = motion.z_up
    takes = {_TAKES: np.array(motion.take_names)} if motion.take_names else {}
    write_npz(
        path,
        takes
        | {
            _JOINTS: motion.joints_3d_mm,
            _NAMES: np.array(motion.skeleton.names),
            "fps": np.float64(np.nan if motion.fps is None else motion.fps),
            "frames": motion.frames,
            "sequence": motion.sequence,
        },
    )


def is_motion_npz(path: str | os.PathLike[str]) -> bool:
    """Whether a file is our own `.npz` of motion."""
    return npz_ranks(path).get(_JOINTS) == 3


def read_videopose3d_motion(
    path: str | os.PathLike[str], units: str | None = None, fps: float = _VIDEOPOSE_FPS
) -> Motion:
    """Reads VideoPose3D's 3D positions; each subject's action is a take.

    Args:
      path: the file.
      units: of its lengths; default: metres.
      fps: frames a second, which the file does not say; default: Human3.6M's.

    Raises:
      InputError: naming the file and the rule, if it is no such file, or has joints
        other than Human3.6M's 32 or 17.
    """
    path = Path(path)
    named = [*_takes(path, unpickle_npz(path, _POSITIONS))]
    takes = [_take(f"{path}: {name}", values) for name, values in named]
    counts = sorted({take.shape[1] for take in takes})
    if len(counts) != 1 or counts[0] not in _VIDEOPOSE_SKELETONS:
        raise InputError(
            f"{path}: {_POSITIONS} must be of Human3.6M's 17 or 32 joints; it has "
            f"{', '.join(map(str, counts)) or 'none'}"
        )
    scale = millimetres(units or "m", "units")
    lengths = [len(take) for take in takes]
    return Motion(
        np.concatenate(takes) * scale,
        _VIDEOPOSE_SKELETONS[counts[0]],
        fps,
        frames=np.concatenate([np.arange(n) for n in lengths]),
        sequence=np.repeat(np.arange(len(takes)), lengths),
        take_names=tuple(name for name, _ in named),
        source=str(path),
    )


def is_videopose3d_motion(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds VideoPose3D's 3D positions."""
    return npz_ranks(path).get(_POSITIONS) == -1


def _takes(path: Path, subjects: Any) -> Iterator[tuple[str, Any]]:
    """Every action, in order, with its name."""
    if not isinstance(subjects, dict):
        raise InputError(f"{path}: {_POSITIONS} must be a dictionary of subjects")
    for subject, actions in subjects.items():
        if not isinstance(actions, dict):
            raise InputError(f"{path}: {subject} must be a dictionary of actions")
        for action, values in actions.items():
            yield f"{subject} {action}", values


def _take(where: str, values: Any) -> np.ndarray:
    if not (
        isinstance(values, np.ndarray)
        and values.dtype.kind in "fiu"
        and values.ndim == 3
        and values.shape[-1] == 3
        and np.isfinite(values).all()
    ):
        raise InputError(f"{where} must be finite positions [T, J, 3]")
    return values.astype(np.float64)


FORMATS: Final = (
    Format(
        "npz",
        "motion",
        "our own .npz of motion, and poses.npz",
        (".npz",),
        is_motion_npz,
        read_motion_npz,
        write_motion_npz,
    ),
    Format(
        "videopose3d_motion",
        "motion",
        "VideoPose3D's data_3d_*.npz, metres",
        (),
        is_videopose3d_motion,
        read_videopose3d_motion,
        options=("fps",),
    ),
)
