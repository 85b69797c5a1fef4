"""Results: 3D joints with what is known of their errors, and their file `poses.npz`.

The file is an `.npz` that `numpy.load` opens. It holds the attributes of `Poses` under
their names, and besides `units` ("mm"), `frame` ("world, z up") and `version` (1).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from human_pose.exchange import motion_npz, pose_sets
from human_pose.exchange.recording import Motion, check_fps
from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.npz import listed_texts, npz_ranks, read_npz, write_npz
from human_pose.geometry.joint_words import from_names
from human_pose.geometry.skeleton import Skeleton

UNITS: Final = "mm"
FRAME: Final = "world, z up"
VERSION: Final = 1

_SHAPES: Final[Mapping[str, Shape]] = {
    "joints_3d_mm": ("F", "J", 3),
    "covariance_mm2": ("F", "J", 3, 3),
    "reprojection_px": ("F", "V", "J"),
    "views_used": ("F", "V", "J"),
    "swapped": ("F", "V", "S"),
    "frames": ("F",),
    "sequence": ("F",),
}
_TEXTS: Final[Mapping[str, Shape]] = {
    "joint_names": ("J",),
    "view_names": ("V",),
    "swap_names": ("S",),
    "units": (),
    "frame": (),
}
_FLAGS: Final = ("views_used", "swapped")
_WHOLE: Final = ("frames", "sequence")
# Of a covariance's largest number: how far it may be from its transpose, and its
# eigenvalues below 0, by rounding.
_ROUNDING: Final = 1e-6
# Frames whose covariances are checked at once.
_CHECKED: Final = 1024


@dataclass(frozen=True, eq=False)
class Poses:
    """3D joints of one person in F frames, seen by V views.

    Attributes:
      joints_3d_mm: float64 `[F, J, 3]`, world, z up; NaN where there is no estimate.
      covariance_mm2: float64 `[F, J, 3, 3]`, of each joint's error; NaN as the joint.
      reprojection_px: float64 `[F, V, J]`, distance of the detection from the joint's
        image, its swap undone and its view's shift taken off; NaN where there was no
        detection.
      views_used: bool `[F, V, J]`, whether the detection was believed.
      swapped: bool `[F, V, S]`, whether a view's detections had the sides of a pair of
        limbs exchanged.
      skeleton: of the J joints; the file holds their names.
      view_names: of the V views.
      swap_names: of the S pairs of limbs, as "arms" and "legs".
      fps: frames a second, or None.
      frames: int64 `[F]`, the recording's numbers.
      sequence: int64 `[F]`, equal for the frames of one take.
      source: the file, for messages.

    Raises:
      InputError: naming the source, if a shape or a number is not as it must be.
    """

    joints_3d_mm: np.ndarray
    covariance_mm2: np.ndarray
    reprojection_px: np.ndarray
    views_used: np.ndarray
    swapped: np.ndarray
    skeleton: Skeleton
    view_names: tuple[str, ...]
    swap_names: tuple[str, ...]
    fps: float | None
    frames: np.ndarray
    sequence: np.ndarray
    source: str = "poses"

    def __post_init__(self) -> None:
        sizes = {
            "F": len(np.asarray(self.joints_3d_mm)),
            "J": len(self.skeleton),
            "V": len(self.view_names),
            "S": len(self.swap_names),
        }
        for name, shape in _SHAPES.items():
            self._keep(name, [sizes.get(str(n), n) for n in shape])
        for name in ("view_names", "swap_names"):
            words = tuple(map(str, getattr(self, name)))
            if len(set(words)) != len(words):
                raise InputError(f"{self.source}: {name}", "must differ", list(words))
            object.__setattr__(self, name, words)
        check_fps(self.source, self.fps)
        self._check_missing()
        self._check_covariance()

    def __len__(self) -> int:
        return len(self.joints_3d_mm)

    @property
    def as_motion(self) -> Motion:
        """The joints alone."""
        return Motion(
            self.joints_3d_mm,
            self.skeleton,
            self.fps,
            self.frames,
            self.sequence,
            source=self.source,
        )

    @property
    def errors_px(self) -> np.ndarray:
        """The mean distance of the detections used for each joint, `[F, J]`, or NaN."""
        used = self.views_used & np.isfinite(self.reprojection_px)
        total = np.where(used, self.reprojection_px, 0.0).sum(axis=1)
        count = used.sum(axis=1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    @property
    def cameras_used(self) -> np.ndarray:
        """How many detections of each joint were used, int64 `[F, J]`."""
        return np.asarray(self.views_used.sum(axis=1))

    def _keep(self, name: str, shape: list[int | str]) -> None:
        """Keeps a copy of an array that cannot be written to."""
        kind = bool if name in _FLAGS else np.int64 if name in _WHOLE else np.float64
        given = np.asarray(getattr(self, name))
        if given.dtype.kind == "f" and kind is not np.float64:
            raise InputError(
                f"{self.source}: {name}", f"must be {kind.__name__}", str(given.dtype)
            )
        if list(given.shape) != shape:
            raise InputError(
                f"{self.source}: {name}", f"must have shape {shape}", list(given.shape)
            )
        array = np.array(given, kind)
        if kind is np.float64 and np.isinf(array).any():
            raise InputError(
                f"{self.source}: {name} must be finite, or NaN for missing"
            )
        array.setflags(write=False)
        object.__setattr__(self, name, array)

    def _check_missing(self) -> None:
        joint = np.isnan(self.joints_3d_mm)
        covariance = np.isnan(self.covariance_mm2).any(axis=(-2, -1))
        partly = joint.any(axis=-1) != joint.all(axis=-1)
        if partly.any() or (covariance != joint.all(axis=-1)).any():
            raise InputError(
                f"{self.source}: covariance_mm2 must be missing where the joint is, "
                "and only there"
            )
        if (self.reprojection_px < 0).any():
            raise InputError(f"{self.source}: reprojection_px must be 0 or more")

    def _check_covariance(self) -> None:
        # By parts: what is made on the way is several times as large.
        for first in range(0, len(self), _CHECKED):
            covariance = np.nan_to_num(self.covariance_mm2[first : first + _CHECKED])
            slack = _ROUNDING * np.abs(covariance).max(axis=(-2, -1), initial=0.0)
            skew = np.abs(covariance - np.swapaxes(covariance, -1, -2))
            off = skew.max(axis=(-2, -1))
            if (off > slack).any() or _negative(covariance, slack).any():
                raise InputError(
                    f"{self.source}: covariance_mm2 must be symmetric, without "
                    "negative variances"
                )


def _negative(matrices: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Whether symmetric matrices `[..., 3, 3]` have a negative eigenvalue: `[...]`.

    By their principal minors, none of which is negative then: eigenvalues of a million
    would take seconds.
    """
    (a, b, c), (_, d, e), (_, _, f) = np.moveaxis(matrices, (-2, -1), (0, 1))
    size = np.abs(matrices).max(axis=(-2, -1), initial=0.0)
    pairs = a * d - b * b, a * f - c * c, d * f - e * e
    whole = a * pairs[2] - b * (b * f - c * e) + c * (b * e - c * d)
    least = np.minimum(np.minimum(a, d), f)
    least_pair = np.minimum(np.minimum(*pairs[:2]), pairs[2])
    return np.asarray(
        (least < -slack) | (least_pair < -slack * size) | (whole < -slack * size**2)
    )


def write_poses(path: str | os.PathLike[str], poses: Poses) -> None:
    """Writes a results file; equal poses give equal bytes.

    Raises:
      InputError: if the file cannot be written.
    """
    write_npz(
        path,
        {
            **{name: getattr(poses, name) for name in _SHAPES},
            "joint_names": np.array(poses.skeleton.names, "U"),
            "view_names": np.array(poses.view_names, "U"),
            "swap_names": np.array(poses.swap_names, "U"),
            "fps": np.float64(np.nan if poses.fps is None else poses.fps),
            "units": np.array(UNITS),
            "frame": np.array(FRAME),
            "version": np.int64(VERSION),
        },
    )


def read_poses(path: str | os.PathLike[str]) -> Poses:
    """Reads a results file.

    Raises:
      InputError: naming the file and the rule, if it is none, of another version, in
        other units or another frame.
    """
    path = Path(path)
    shapes: dict[str, Shape] = {**_SHAPES, "fps": (), "version": ()}
    arrays = read_npz(path, shapes, _TEXTS, finite=False)
    for name, wanted in (("version", VERSION), ("units", UNITS), ("frame", FRAME)):
        held = arrays.pop(name).item()
        if held != wanted:
            raise InputError(f"{path}: {name}", f"must be {wanted!r}", held)
    words = {
        name: tuple(listed_texts(f"{path}: {name}", arrays.pop(name)))
        for name in ("joint_names", "view_names", "swap_names")
    }
    fps = float(arrays.pop("fps"))
    try:
        skeleton = from_names(words.pop("joint_names"))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    rest: dict[str, Any] = {**arrays, **words}
    return Poses(
        skeleton=skeleton,
        fps=None if np.isnan(fps) else fps,
        source=str(path),
        **rest,
    )


def is_poses(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a results file."""
    held = npz_ranks(path)
    return set(_SHAPES) <= set(held) and set(_TEXTS) <= set(held)


# Of all files of ours; a results file is read as motion like the others.
FORMATS: Final = (*motion_npz.FORMATS, pose_sets.FORMAT)
