"""How far detections of two views are from showing the same points.

The first-order (Sampson) distance from the epipolar constraint x'ᵀ F x = 0:

    x'ᵀ F x / √((F x)₁² + (F x)₂² + (Fᵀ x')₁² + (Fᵀ x')₂²),

see Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 11.4.3.
"""

import numpy as np

from human_pose.calibrated.people.epipolar import relative
from human_pose.geometry.cameras import Camera
from human_pose.geometry.rotations import cross_matrix


def fundamental(first: Camera, second: Camera) -> np.ndarray:
    """F `[3, 3]` of pinhole pixels x of the first camera and x' of the second."""
    turn, shift = relative(first, second)
    shift = shift / max(np.linalg.norm(shift), np.finfo(float).tiny)
    essential = cross_matrix(shift) @ turn
    return np.asarray(_to_plane(second).T @ essential @ _to_plane(first))


def sampson_px(
    first_px: np.ndarray, second_px: np.ndarray, matrix: np.ndarray
) -> np.ndarray:
    """Signed distances `[...]`, px; NaN where a point is.

    Args:
      first_px: `[..., 2]`, pinhole pixels of the first camera.
      second_px: `[..., 2]`, of the second one; they broadcast.
      matrix: F, `[3, 3]`.
    """
    # By components: sums over an axis of two are slow.
    (x, y), (u, v) = (np.moveaxis(points, -1, 0) for points in (first_px, second_px))
    a, b, c = (row[0] * x + row[1] * y + row[2] for row in matrix)
    d, e = (column[0] * u + column[1] * v + column[2] for column in matrix.T[:2])
    slope = np.sqrt(a * a + b * b + (d * d + e * e))
    return np.asarray((u * a + v * b + c) / np.maximum(slope, np.finfo(float).tiny))


def _to_plane(camera: Camera) -> np.ndarray:
    """From homogeneous pixels to rays of depth 1, `[3, 3]`."""
    matrix = np.diag([*1 / camera.focal_px, 1.0])
    matrix[:2, 2] = -camera.centre_px / camera.focal_px
    return matrix
