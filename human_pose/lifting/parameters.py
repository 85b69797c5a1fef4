"""The lifter's starting parameters on disk: the PPCA mixture and the average cameras.

File formats of the original project: `model_parameters.h5` holds one mixture per
number of models, as `mu_M`, `e_M` and `sigma_M`; `avg_cameras.h5` holds `cams`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.files.arrays import Shape
from human_pose.files.errors import InputError
from human_pose.files.h5 import read_h5, write_h5
from human_pose.geometry.skeletons import JOINTS, VIEWS
from human_pose.lifting.method import METHOD

# Basis vectors per model; the lifter's systems are laid out for this number.
BASIS_SIZE: Final = METHOD.basis


@dataclass(frozen=True)
class MixtureParameters:
    """A mixture of M probabilistic PCA models of the centred, z-aligned human pose.

    Model m: pose = mean + Σ_k a_k basis_k + noise, where a_k has standard deviation
    `1 / inverse_deviations[m, k]` and the noise `1 / inverse_deviations[m, 25]`.

    Attributes:
      mean_poses_mm: float64 `[M, 3, 17]`; x to the right, y forward, z up.
      bases: float64 `[M, 25, 3, 17]`, orthonormal as 51-vectors, unitless.
      inverse_deviations: float64 `[M, 26]`, 1/mm, positive.
    """

    mean_poses_mm: np.ndarray
    bases: np.ndarray
    inverse_deviations: np.ndarray

    @property
    def models(self) -> int:
        """The number of models, M."""
        return len(self.mean_poses_mm)


def read_mixture(path: str | os.PathLike[str], models: int) -> MixtureParameters:
    """Reads the mixture of `models` models from a `model_parameters.h5`.

    Raises:
      InputError: if the file is missing or unreadable, has no such mixture, or one of
        another shape, with NaN, or with deviations that are not positive.
    """
    names = _names(models)
    arrays = read_h5(path, dict(zip(names, _shapes(models), strict=True)))
    mixture = MixtureParameters(*(arrays[name] for name in names))
    smallest = float(np.min(mixture.inverse_deviations))
    if smallest <= 0:
        raise InputError(
            f"{path}: {names[2]} must be positive; its smallest value is {smallest:g}"
        )
    return mixture


def write_mixtures(
    path: str | os.PathLike[str], mixtures: Mapping[int, MixtureParameters]
) -> None:
    """Writes mixtures, keyed by their number of models, into one file, atomically.

    Raises:
      ValueError: if an array's shape does not fit its mixture's key.
    """
    arrays = {}
    for models, mixture in mixtures.items():
        values = (mixture.mean_poses_mm, mixture.bases, mixture.inverse_deviations)
        for name, shape, value in zip(
            _names(models), _shapes(models), values, strict=True
        ):
            if np.shape(value) != shape:
                raise ValueError(
                    f"`{name}` must have shape {shape}. Received: {np.shape(value)}"
                )
            arrays[name] = value
    write_h5(path, arrays)


def read_cameras(path: str | os.PathLike[str]) -> np.ndarray:
    """Reads the average world-to-camera rotations of an `avg_cameras.h5`.

    Returns:
      float64 `[4, 3, 3]`; rows are image x, image y (down) and depth.

    Raises:
      InputError: if the file is missing, unreadable, of another shape or holds NaN.
    """
    return read_h5(path, {"cams": (VIEWS, 3, 3)})["cams"]


def write_cameras(path: str | os.PathLike[str], cameras: np.ndarray) -> None:
    """Writes average world-to-camera rotations `[4, 3, 3]`, atomically.

    Raises:
      ValueError: if the shape is another.
    """
    if np.shape(cameras) != (VIEWS, 3, 3):
        raise ValueError(
            f"`cameras` must have shape {(VIEWS, 3, 3)}. Received: {np.shape(cameras)}"
        )
    write_h5(path, {"cams": cameras})


def _names(models: int) -> tuple[str, str, str]:
    return f"mu_{models}", f"e_{models}", f"sigma_{models}"


def _shapes(models: int) -> tuple[Shape, Shape, Shape]:
    return (
        (models, 3, JOINTS),
        (models, BASIS_SIZE, 3, JOINTS),
        (models, BASIS_SIZE + 1),
    )
