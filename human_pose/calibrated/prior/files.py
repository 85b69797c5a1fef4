"""Priors in `prior.npz`, read with every rule checked; and the embedded one.

The file holds the attributes of `PosePrior` by their names, the skeleton as
`joint_names` `[K]` and `parents` `[K]` (-1 for the root).
"""

import os
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.calibrated.prior.pose_prior import PosePrior, across
from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError, one_line
from human_pose.files.npz import listed_texts, read_npz, write_npz
from human_pose.files.paths import PROJECT_ROOT, check_is_file, locate
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17

NAME: Final = "prior.npz"
# Fitted to the embedded motion (`embedded`), committed, and in every wheel.
EMBEDDED: Final = "data/pose_prior.npz"

SHAPES: Final[dict[str, Shape]] = {
    "parents": ("K",),
    "lengths_mm": ("K",),
    "shares": ("M",),
    "means_mm": ("M", "K", 3),
    "covariances_mm2": ("M", "D", "D"),
    "acceleration_mm2": ("D", "D"),
    "fps": (),
}
TEXTS: Final[dict[str, Shape]] = {"joint_names": ("K",)}
# Of sums and symmetry, relative: files may hold float32.
_ROUNDING: Final = 1e-5
# A number beyond is damage, and its powers would overflow later.
_LARGEST_MM: Final = 1e5
_LARGEST_FPS: Final = 1e4
_MOST_JOINTS: Final = 200


def write_prior(path: str | os.PathLike[str], prior: PosePrior) -> None:
    """Writes a prior, atomically; equal priors give equal bytes.

    Raises:
      InputError: if the file cannot be written.
    """
    write_npz(path, arrays_of(prior))


def arrays_of(prior: PosePrior) -> dict[str, np.ndarray]:
    """What the file of a prior holds."""
    values = {name: getattr(prior, name) for name in SHAPES if name != "parents"}
    return {
        "joint_names": np.array(prior.skeleton.names),
        "parents": np.array(prior.skeleton.parents),
        **{name: np.asarray(value, np.float64) for name, value in values.items()},
    }


def read_prior(path: str | os.PathLike[str]) -> PosePrior:
    """Reads a prior.

    Args:
      path: a `prior.npz`.

    Raises:
      InputError: naming the file, the array and the rule, if it is no such file.
    """
    return prior_of(path, read_npz(path, SHAPES, TEXTS))


def prior_of(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> PosePrior:
    """The prior of a file's arrays, checked.

    Args:
      path: for messages.
      arrays: those of `SHAPES` and `TEXTS`.

    Raises:
      InputError: as `read_prior`.
    """
    path = Path(path)
    skeleton = _skeleton(path, arrays["joint_names"], arrays["parents"])
    values = {
        name: arrays[name].astype(np.float64) for name in SHAPES if name != "parents"
    }
    _check_numbers(path, values, skeleton)
    _check_matrices(path, values, 3 * len(skeleton))
    fps = float(values.pop("fps"))
    return PosePrior(skeleton=skeleton, fps=fps, **values)


def load_prior(path: str | os.PathLike[str] | None = None) -> PosePrior:
    """Reads a prior from a file, or from the folder of the run that fitted it.

    Args:
      path: absolute, or relative to the current folder; None for the embedded prior.

    Raises:
      InputError: as `read_prior`, or if the folder holds none.
    """
    if path is None:
        return read_prior(PROJECT_ROOT / EMBEDDED)
    path = locate(path)
    if path.is_dir():
        path = path / NAME
        check_is_file(path)
    return read_prior(path)


def _skeleton(path: Path, names: np.ndarray, parents: np.ndarray) -> Skeleton:
    """The skeleton: a known one where its names and parents are the same.

    Known ones know more, as aliases and undetected joints.
    """
    words = listed_texts(f"{path}: joint_names", names)
    if len(words) > _MOST_JOINTS:
        raise InputError(f"{path}: joint_names", f"must be {_MOST_JOINTS} at most",
                         len(words))  # fmt: skip
    if parents.dtype.kind not in "iu":
        raise InputError(f"{path}: parents must be whole numbers")
    tree = tuple(int(parent) for parent in parents)
    if (tuple(words), tree) == (LIFTER_17.names, LIFTER_17.parents):
        return LIFTER_17
    try:
        found = Skeleton.grown(
            {
                word: None if parent < 0 else words[parent]
                for word, parent in zip(words, tree, strict=True)
            }
        )
    except (ValueError, IndexError) as error:
        raise InputError(f"{path}: joint_names and parents: {one_line(error)}") from (
            error
        )
    if len(found) != len(words):
        raise InputError(f"{path}: joint_names", "must each be there once", words)
    if not across(found):
        raise InputError(
            f"{path}: joint_names must have both hips or shoulders, which tell where a "
            "body faces"
        )
    return found


def _check_numbers(
    path: Path, values: dict[str, np.ndarray], skeleton: Skeleton
) -> None:
    shares, lengths = values["shares"], values["lengths_mm"]
    if not len(shares) or shares.min() <= 0 or abs(shares.sum() - 1) > _ROUNDING:
        raise InputError(
            f"{path}: shares", "must be positive and add up to 1", shares.tolist()
        )
    bones = np.delete(lengths, skeleton.root)
    if lengths[skeleton.root] != 0 or not (bones.size and bones.min() >= 0):
        raise InputError(
            f"{path}: lengths_mm must be 0 of the root, and 0 or more of others"
        )
    if not lengths.sum() > 0:
        raise InputError(f"{path}: lengths_mm must not all be 0")
    fps = float(values["fps"])
    if not 0 < fps <= _LARGEST_FPS:
        raise InputError(f"{path}: fps", "must be positive", fps)
    for name in ("lengths_mm", "means_mm", "covariances_mm2", "acceleration_mm2"):
        limit = _LARGEST_MM ** (2 if name.endswith("2") else 1)
        if np.abs(values[name]).max() > limit:
            raise InputError(f"{path}: {name} must be within ±{limit:g}")


def _check_matrices(path: Path, values: dict[str, np.ndarray], size: int) -> None:
    """Refuses matrices that are no covariances, and means off the centre."""
    means, spreads = values["means_mm"], values["covariances_mm2"]
    scale = values["acceleration_mm2"]
    if len(scale) != size:
        raise InputError(
            f"{path}: acceleration_mm2 must have shape [{size}, {size}]; received "
            f"{list(scale.shape)}"
        )
    if np.abs(means.mean(axis=1)).max() > _ROUNDING * _LARGEST_MM:
        raise InputError(f"{path}: means_mm must be centred")
    for name, matrices in (("covariances_mm2", spreads), ("acceleration_mm2", scale)):
        largest = np.abs(matrices).max()
        if np.abs(matrices - np.swapaxes(matrices, -1, -2)).max() > _ROUNDING * largest:
            raise InputError(f"{path}: {name} must be symmetric")
    if np.linalg.eigvalsh(spreads).min() < -_ROUNDING * np.abs(spreads).max():
        raise InputError(f"{path}: covariances_mm2 must be positive semidefinite")
    try:
        np.linalg.cholesky(scale)
    except np.linalg.LinAlgError:
        raise InputError(
            f"{path}: acceleration_mm2 must be positive definite"
        ) from None
