"""Human3.6M's `.cdf` files of joints: a variable `Pose`, `[1, F, 32 axes]`."""

import os
from typing import Final, Literal

import numpy as np

from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.files.paths import check_is_file
from human_pose.geometry.skeletons import JOINTS_32

_NAME: Final = "Pose"


def read_cdf(path: str | os.PathLike[str], axes: Literal[2, 3]) -> np.ndarray:
    """Reads the joints of a take.

    Args:
      path: the file.
      axes: 2 for pixels, 3 for millimetres.

    Returns:
      float64 `[F, 32, axes]`.

    Raises:
      InputError: naming the file and the rule, if it is missing, damaged or of another
        count of joints, or holds a number that is not finite.
    """
    check_is_file(path)
    cdflib = needed("cdflib", str(path), "h36m")
    with refusing(path, "is no readable .cdf file"):
        values = np.asarray(cdflib.CDF(os.fspath(path)).varget(_NAME), np.float64)
    wanted = JOINTS_32 * axes
    if values.ndim != 3 or values.shape[0] != 1 or values.shape[2] != wanted:
        raise InputError(
            f"{path}: {_NAME}",
            f"must have shape [1, F, {wanted}], {JOINTS_32} joints of {axes} numbers",
            list(values.shape),
        )
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {_NAME} must be finite numbers")
    return values.reshape(-1, JOINTS_32, axes)
