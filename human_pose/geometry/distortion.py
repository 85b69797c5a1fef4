"""What a lens does to rays: the model of Brown and Conrady, with OpenCV's numbers.

For a ray through (x, y, 1), with r² = x² + y²,

    x' = x radial + 2 p1 x y + p2 (r² + 2 x²),
    y' = y radial + p1 (r² + 2 y²) + 2 p2 x y,
    radial = (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶);

see OpenCV's "Camera Calibration and 3D Reconstruction". The numbers are fitted to what
the image holds. Farther out the polynomials may turn back and show a ray a second time:
there the model is not a lens any more, and nothing here takes it for one.
"""

from typing import Final

import numpy as np

_COUNTS: Final = (0, 4, 5, 8)
_UNMODELLED: Final = (12, 14)
# Below it Newton's steps have nothing left to find.
_ROUNDING: Final = 1e-15
# What a point that was found may be off, in focal lengths: 1e-9 px at 10,000 px. Those
# that no ray reaches are off by far more.
_ACCURATE: Final = 1e-13
_MOST_STEPS: Final = 100
_LEAST_STEP: Final = 1e-9
# Smaller numbers of a lens are none; they would overflow as divisors.
_NEGLIGIBLE: Final = 1e-30
# Roots whose imaginary part is smaller are real, but for rounding.
_REAL: Final = 1e-9


def check(numbers: tuple[float, ...]) -> None:
    """Checks a lens' numbers.

    Raises:
      ValueError: if they are not 0, 4, 5 or 8 finite numbers. OpenCV's 12 and 14 are of
        a thin prism and a tilted sensor, which are not modelled.
    """
    if len(numbers) in _UNMODELLED:
        raise ValueError(
            "`distortion` must not be of a thin prism or a tilted sensor (s1 ... s4, "
            "tx, ty): calibrate with 8 numbers at most. "
            f"Received: {len(numbers)} numbers"
        )
    if len(numbers) not in _COUNTS or not np.isfinite(numbers).all():
        raise ValueError(
            "`distortion` must be finite: k1 k2 p1 p2 [k3 [k4 k5 k6]], or nothing. "
            f"Received: {numbers}"
        )


def distort(plane: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    """Where the lens shows rays.

    Args:
      plane: `[..., 2]`, x / z and y / z of each ray.
      numbers: k1 k2 p1 p2 [k3 [k4 k5 k6]].

    Returns:
      `[..., 2]`, in units of the focal length from the principal point.
    """
    return _distorted(plane, _full(numbers))[0]


def fold_radius(numbers: tuple[float, ...]) -> float:
    """The radius, in x / z and y / z, of the fold; infinity if there is none."""
    return float(np.sqrt(_fold(_full(numbers))))


@np.errstate(over="ignore")
def unfolded(plane: np.ndarray, numbers: tuple[float, ...]) -> np.ndarray:
    """Whether the lens shows a ray, `[..., 2]`, on its own side of the fold: `[...]`.

    The fold is where a point first stands still as its ray moves outwards, found from
    the radial numbers; the tangential ones are a slight tilt, and count by the sign of
    the map's determinant.
    """
    k = _full(numbers)
    inside = np.sum(plane**2, axis=-1) < _fold(k)
    # Beyond the fold polynomials may be too large for a number.
    near = np.where(inside[..., None], plane, 0.0)
    return np.asarray(inside & (np.linalg.det(_distorted(near, k)[1]) > 0))


# Points too far away for a number are not found, as those that no ray reaches.
@np.errstate(over="ignore", invalid="ignore")
def undistort(
    shown: np.ndarray, numbers: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The rays that the lens shows at points, by Newton's method.

    Args:
      shown: `[..., 2]`, in units of the focal length from the principal point.
      numbers: k1 k2 p1 p2 [k3 [k4 k5 k6]].

    Returns:
      The rays, `[..., 2]`, and whether each was found, bool `[...]`; a point may lie
      beyond all that the lens shows, or not be finite. The ray is NaN then.
    """
    k = _full(numbers)
    limit = np.sqrt(_fold(k))
    finite = np.isfinite(shown).all(axis=-1)
    shown = np.where(finite[..., None], shown, 0.0)
    size = np.linalg.norm(shown, axis=-1, keepdims=True)
    rays = shown * np.minimum(0.9 * limit / np.maximum(size, _NEGLIGIBLE), 1.0)
    step_size = np.ones(finite.shape)
    value, slope = _distorted(rays, k)
    error = _size(shown - value)
    for _ in range(_MOST_STEPS):
        # Each point stops by itself: its ray does not depend on the others.
        moving = (error > _ROUNDING) & (step_size > _LEAST_STEP)
        if not moving.any():
            break
        step = _solved(slope, shown - value)
        tried = rays + step_size[..., None] * step
        inside = moving & (np.linalg.norm(tried, axis=-1) < limit)
        tried = np.where(inside[..., None], tried, rays)
        tried_value, tried_slope = _distorted(tried, k)
        tried_error = _size(shown - tried_value)
        # Towards the fold steps are too long: half of them, until they help.
        better = inside & (tried_error < error)
        step_size = np.where(better, 1.0, step_size / 2)
        rays = np.where(better[..., None], tried, rays)
        value = np.where(better[..., None], tried_value, value)
        slope = np.where(better[..., None, None], tried_slope, slope)
        error = np.where(better, tried_error, error)
    found = finite & (error <= _ACCURATE * np.maximum(_size(shown), 1.0))
    found &= unfolded(rays, numbers)
    return np.where(found[..., None], rays, np.nan), found


def least_root(
    *polynomials: np.polynomial.Polynomial, otherwise: float = np.inf
) -> float:
    """The least positive root of any polynomial, or `otherwise` if that is less."""
    roots = np.concatenate([p.trim(_NEGLIGIBLE).roots() for p in polynomials])
    real = roots.real[(np.abs(roots.imag) < _REAL) & (roots.real > 0)]
    return float(real.min(initial=otherwise))


def _full(numbers: tuple[float, ...]) -> tuple[float, ...]:
    """All eight numbers, zeros for those that are not given."""
    return (*numbers, *(0.0,) * (_COUNTS[-1] - len(numbers)))


def _distorted(
    plane: np.ndarray, k: tuple[float, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Points `[..., 2]`, and their derivatives by the rays `[..., 2, 2]`."""
    k1, k2, p1, p2, k3, k4, k5, k6 = k
    x, y = np.moveaxis(plane, -1, 0)
    s = x**2 + y**2
    over, under = 1 + s * (k1 + s * (k2 + s * k3)), 1 + s * (k4 + s * (k5 + s * k6))
    radial = over / under
    over_s, under_s = k1 + s * (2 * k2 + 3 * s * k3), k4 + s * (2 * k5 + 3 * s * k6)
    radial_s = (over_s - radial * under_s) / under  # by s
    points = np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (s + 2 * x**2),
            y * radial + p1 * (s + 2 * y**2) + 2 * p2 * x * y,
        ],
        axis=-1,
    )
    mixed = 2 * x * y * radial_s + 2 * p1 * x + 2 * p2 * y
    rows = [
        [radial + 2 * x**2 * radial_s + 2 * p1 * y + 6 * p2 * x, mixed],
        [mixed, radial + 2 * y**2 * radial_s + 6 * p1 * y + 2 * p2 * x],
    ]
    return points, np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _fold(k: tuple[float, ...]) -> float:
    """The smallest r² where r radial(r²) has no slope or no value; infinity if none."""
    k1, k2, _, _, k3, k4, k5, k6 = k
    over = np.polynomial.Polynomial([1, k1, k2, k3])
    under = np.polynomial.Polynomial([1, k4, k5, k6])
    s = np.polynomial.Polynomial([0, 1])
    slope = over * under + 2 * s * (over.deriv() * under - over * under.deriv())
    return least_root(slope, under)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solutions `[..., 2]`, 0 where the matrix `[..., 2, 2]` is singular."""
    (a, b), (c, d) = np.moveaxis(matrix, (-2, -1), (0, 1))
    determinant = a * d - b * c
    whole = np.where(determinant == 0, np.inf, determinant)
    x, y = np.moveaxis(right, -1, 0)
    return np.stack([(d * x - b * y) / whole, (a * y - c * x) / whole], axis=-1)


def _size(vector: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(vector).max(axis=-1))
