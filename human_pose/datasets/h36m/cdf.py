"""Human3.6M's `.cdf` files of joints: a variable `Pose`, `[1, F, 32 axes]`."""

import os
from typing import Any, Final, Literal

import numpy as np

from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.extras import needed
from human_pose.files.paths import check_is_file
from human_pose.geometry.skeletons import JOINTS_32

_NAME: Final = "Pose"
# A file has one variable in one piece; cdflib walks as many as a damaged one says.
_MOST_ENTRIES: Final = 1000
# Where an index says how many entries it uses, by the format's version (CDF Internal
# Format Description, VXR).
_USED_ENTRIES_AT: Final = {3: 24, 2: 16}
# Two hours, at Human3.6M's rate; its longest take has 6,343.
_MOST_FRAMES: Final = 360_000


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
    wanted = JOINTS_32 * axes
    with refusing(path, "is no readable .cdf file"):
        file = cdflib.CDF(os.fspath(path))
        shape = _declared_shape(file)
        if len(shape) != 3 or shape[0] != 1 or shape[2] != wanted:
            raise InputError(
                f"{path}: {_NAME}",
                f"must have shape [1, F, {wanted}], {JOINTS_32} joints of {axes} "
                "numbers",
                shape,
            )
        if shape[1] > _MOST_FRAMES:
            raise InputError(f"{path}: {_NAME} must have {_MOST_FRAMES} frames at most")
        values = np.asarray(file.varget(_NAME), np.float64).reshape(shape)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {_NAME} must be finite numbers")
    return values.reshape(-1, JOINTS_32, axes)


def _declared_shape(file: Any) -> list[int]:
    """The shape of the variable as its head says, before anything is read by it.

    Raises:
      ValueError: if reading by it would take for ever.
    """
    # These names, and the file's handle, are the library's own, since 1.0.
    _check_few(max(file._num_zvariable, file._num_rvariable))
    head = file.vdr_info(_NAME)
    file._f.seek(head.head_vxr + _USED_ENTRIES_AT[file.cdfversion])
    _check_few(int.from_bytes(file._f.read(4), "big"))
    return [head.max_rec + 1, *map(int, head.dim_sizes)]


def _check_few(count: int) -> None:
    if count > _MOST_ENTRIES:
        raise ValueError(f"{count} entries where one is wanted")
