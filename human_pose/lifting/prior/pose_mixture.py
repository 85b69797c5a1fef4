"""The lifter's prior from 3D poses: aligns them and fits a mixture of PPCA.

The lifter searches over rotations about the vertical and gives the result the truth's
size, so poses are compared facing one way, in one size. Its energy moves the pose
freely, so translation is taken out of the fit: each pose is 16 x 3 coordinates relative
to its joints' mean. Left in, it would be three directions without any variance that
pull the estimate of the noise down.
"""

from typing import Final

import numpy as np

from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import JOINTS, LIFTER_17
from human_pose.lifting.parameters import BASIS_SIZE, MixtureParameters
from human_pose.lifting.prior.mixture_em import Fit, Progress, fit_mixture

# How well a joint's place is known at all: different motion-capture models of one
# person put hips, spine and thorax about a centimetre apart. Clean or sparse data would
# otherwise give a prior far more certain than that, and with it a 2D weight (tau0)
# for which the energy's thresholds were never chosen.
DEVIATION_FLOOR_MM: Final = 10.0

_TO_THE_RIGHT: Final = (("right_hip", "left_hip"), ("right_shoulder", "left_shoulder"))

# Below this, in mm, a body has no size or shows no sideways direction.
_SMALLEST_MM: Final = 1.0


def align(poses_mm: np.ndarray) -> np.ndarray:
    """Brings poses to one place, heading and size.

    The mean of the joints goes to 0; the pose is turned about z until right hip and
    shoulder lie, seen from above, towards +x from the left ones (it then faces +y);
    and it is scaled to the mean size. Size is the sum of the 16 limbs' lengths: unlike
    the lifter's tree norm it does not depend on what the body does.

    Args:
      poses_mm: `[F, 17, 3]`, mm, z up.

    Returns:
      float64 `[F, 17, 3]`, mm.

    Raises:
      InputError: if the shape is another, a value is not finite, or a frame has no
        size or no heading.
    """
    poses = _checked(poses_mm)
    poses = poses - poses.mean(axis=1, keepdims=True)
    index = LIFTER_17.index
    right = np.sum(
        [poses[:, index(r)] - poses[:, index(l)] for r, l in _TO_THE_RIGHT], 0
    )
    sideways = np.linalg.norm(right[:, :2], axis=1)
    _require(sideways > _SMALLEST_MM, "has no heading: its left and right coincide")
    cosine, sine = right[:, 0] / sideways, right[:, 1] / sideways
    x, y, z = np.moveaxis(poses, -1, 0)  # [F, 17] each
    cosine, sine = cosine[:, None], sine[:, None]
    turned = np.stack([cosine * x + sine * y, cosine * y - sine * x, z], -1)
    ends = np.array(LIFTER_17.limbs).T
    limbs = np.linalg.norm(turned[:, ends[0]] - turned[:, ends[1]], axis=-1)
    size = limbs.sum(axis=1)
    return turned * (size.mean() / size)[:, None, None]


def fit_pose_mixture(
    poses_mm: np.ndarray,
    models: int,
    *,
    deviation_floor_mm: float = DEVIATION_FLOOR_MM,
    seed: int = 0,
    max_iterations: int = 200,
    progress: Progress = lambda iteration, log_likelihood: None,
) -> tuple[MixtureParameters, Fit]:
    """Fits the lifter's mixture to 3D poses.

    Args:
      poses_mm: `[F, 17, 3]`, mm, z up, any place, heading and size.
      models: number of models.
      deviation_floor_mm: smallest noise deviation of a model; see
        `DEVIATION_FLOOR_MM`.
      seed: of the start; equal seeds give equal fits.
      max_iterations: EM steps at most.
      progress: called with the iteration and the mean log-likelihood per frame.

    Returns:
      The parameters (models in order of falling weight), and the fit in the 48
      coordinates without translation.

    Raises:
      InputError: as `align`, or if there are fewer than 26 frames per model.
    """
    poses = align(poses_mm)
    helmert = _helmert()  # [16, 17]
    fit = fit_mixture(
        (helmert @ poses).reshape(len(poses), -1),
        models,
        BASIS_SIZE,
        noise_floor=deviation_floor_mm,
        seed=seed,
        max_iterations=max_iterations,
        progress=progress,
    )
    mixture = fit.mixture
    variances = np.column_stack([mixture.variances, mixture.noise_variances])
    parameters = MixtureParameters(
        _to_poses(mixture.means, helmert),
        _to_poses(mixture.axes, helmert),
        1 / np.sqrt(variances),
    )
    return parameters, fit


def _to_poses(coordinates: np.ndarray, helmert: np.ndarray) -> np.ndarray:
    """`[..., 48]` to `[..., 3, 17]`."""
    rows = coordinates.reshape(*coordinates.shape[:-1], JOINTS - 1, 3)
    return np.swapaxes(rows, -1, -2) @ helmert


def _helmert() -> np.ndarray:
    """Orthonormal rows `[16, 17]` that see differences of joints only."""
    rows = np.tril(np.ones((JOINTS - 1, JOINTS)))
    count = np.arange(1, JOINTS)
    rows[np.arange(JOINTS - 1), count] = -count
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _checked(poses_mm: np.ndarray) -> np.ndarray:
    poses = np.asarray(poses_mm, np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (JOINTS, 3) or not len(poses):
        raise InputError(
            f"poses must have shape [F, {JOINTS}, 3], F > 0; "
            f"received {list(poses.shape)}"
        )
    _require(np.all(np.isfinite(poses), axis=(1, 2)), "has a value that is not finite")
    extent = np.max(poses.max(axis=1) - poses.min(axis=1), axis=1)
    _require(extent > _SMALLEST_MM, "has no size: its joints coincide")
    return poses


def _require(holds: np.ndarray, otherwise: str) -> None:
    if not np.all(holds):
        raise InputError(f"poses: frame {int(np.argmin(holds))} {otherwise}")
