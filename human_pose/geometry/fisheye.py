"""What a fisheye does to rays: the equidistant model, with OpenCV's four numbers.

For a ray through (x, y, 1), r² = x² + y², at the angle θ = arctan r from the axis,

    (x', y') = (x, y) θ' / r,    θ' = θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸);

see Kannala and Brandt, "A Generic Camera Model and Calibration Method for Conventional,
Wide-Angle, and Fish-Eye Lenses", PAMI 2006, and OpenCV's `fisheye` module. Rays to the
side of the camera or behind it are left out: they have no (x, y, 1).
"""

from typing import Final

import numpy as np

from human_pose.geometry.distortion import least_root

_COUNT: Final = 4
_MOST_STEPS: Final = 100
# Of the angle, in radians: 1e-11 px at 10,000 px.
_ACCURATE: Final = 1e-15
# What a point that was found may be off, in focal lengths.
_FOUND: Final = 1e-13
# Below it arctan r is r.
_TINY: Final = 1e-12


def check(numbers: tuple[float, ...]) -> None:
    """Checks a lens' numbers.

    Raises:
      ValueError: if they are not four finite numbers.
    """
    if len(numbers) != _COUNT or not np.isfinite(numbers).all():
        raise ValueError(
            "`distortion` of a fisheye must be finite: k1 k2 k3 k4. "
            f"Received: {numbers}"
        )


def distort(plane: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    """Where the lens shows rays.

    Args:
      plane: `[..., 2]`, x / z and y / z of each ray.
      numbers: k1 k2 k3 k4.

    Returns:
      `[..., 2]`, in units of the focal length from the principal point.
    """
    radius = np.linalg.norm(plane, axis=-1, keepdims=True)
    shown = _polynomial(numbers)(np.arctan(radius))
    small = radius < _TINY
    return np.where(small, plane, plane * shown / np.where(small, 1.0, radius))


def unfolded(plane: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    """Whether the lens shows a ray, `[..., 2]`, on its own side of the fold: `[...]`.

    The fold is where a point first stands still as its ray moves outwards.
    """
    angle = np.arctan(np.linalg.norm(plane, axis=-1))
    return np.asarray(angle < fold(numbers))


# Points too far away for a number are not found, as those that no ray reaches.
@np.errstate(over="ignore", invalid="ignore")
def undistort(
    shown: np.ndarray, numbers: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The rays that the lens shows at points, by Newton's method within brackets.

    Args:
      shown: `[..., 2]`, in units of the focal length from the principal point.
      numbers: k1 k2 k3 k4.

    Returns:
      The rays, `[..., 2]`, and whether each was found, bool `[...]`; a point may lie
      beyond all that the lens shows, or not be finite. The ray is NaN then.
    """
    radius = np.linalg.norm(shown, axis=-1)
    polynomial, limit = _polynomial(numbers), fold(numbers)
    # The polynomial rises from 0 to the limit: one angle for each value below its own.
    found = np.isfinite(radius) & (radius < polynomial(limit))
    angle = _root(polynomial, np.where(found, radius, 0.0), limit)
    found &= np.abs(polynomial(angle) - radius) <= _FOUND * np.maximum(radius, 1.0)
    small = ~found | (radius < _TINY)
    scale = np.where(small, 1.0, np.tan(angle) / np.where(small, 1.0, radius))
    return np.where(found[..., None], scale[..., None] * shown, np.nan), found


def fold(numbers: tuple[float, ...]) -> float:
    """The smallest angle at which the image stands still, radians; π/2 if none."""
    return least_root(_polynomial(numbers).deriv(), otherwise=np.pi / 2)


def _polynomial(numbers: tuple[float, ...]) -> np.polynomial.Polynomial:
    """θ' as a polynomial of θ."""
    k1, k2, k3, k4 = numbers
    return np.polynomial.Polynomial([0, 1, 0, k1, 0, k2, 0, k3, 0, k4])


def _root(
    polynomial: np.polynomial.Polynomial, value: np.ndarray, limit: float
) -> np.ndarray:
    """Where a polynomial that rises from 0 to the limit has values: `[...]`."""
    slope = polynomial.deriv()
    low, high = np.zeros(value.shape), np.full(value.shape, limit)
    angle = np.minimum(value, 0.9 * limit)
    for _ in range(_MOST_STEPS):
        error = polynomial(angle) - value
        low, high = np.where(error < 0, angle, low), np.where(error > 0, angle, high)
        steepness = slope(angle)
        step = error / np.where(steepness == 0, np.inf, steepness)
        # Outside the brackets, which close in on the root, halve them instead.
        tried = angle - step
        tried = np.where((tried > low) & (tried < high), tried, (low + high) / 2)
        tried = np.where(error == 0, angle, tried)
        # Each point stops by itself: its ray does not depend on the others.
        moved = np.abs(tried - angle) > _ACCURATE
        angle = np.where(moved, tried, angle)
        if not moved.any():
            break
    return angle
