"""Rotations of space: vectors, matrices, angles about axes. Batch axes come first.

A matrix `R` turns columns, `x' = R x`. A rotation vector (of Rodrigues) points along
the axis and is as long as the angle, in radians, as OpenCV's. All is float64.
"""

from typing import Any, Final

import numpy as np

_AXES: Final = "XYZ"
# Directions whose sum is smaller are opposite.
_OPPOSITE: Final = 1e-8
# Below this cosine the middle angle of three is a right one, and the other two mean the
# same turn.
_LOCKED: Final = 1e-9


def from_vector(vector_rad: Any) -> np.ndarray:
    """Matrices of rotation vectors, by Rodrigues' formula.

    Args:
      vector_rad: `[..., 3]`, radians, of any length.

    Returns:
      `[..., 3, 3]`.
    """
    vector = np.asarray(vector_rad, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    cross = cross_matrix(vector)
    # (1 - cos a) / a² by the half angle, which keeps its digits where a is small.
    half = np.sinc(angle / 2 / np.pi)
    turn = np.sinc(angle / np.pi) * cross + half**2 / 2 * (cross @ cross)
    return np.asarray(np.eye(3) + turn)


def to_vector(matrix: Any) -> np.ndarray:
    """Rotation vectors of matrices, whose angles are from 0 to pi.

    By way of quaternions, the largest of whose four numbers is never near 0: exact at
    every angle. At pi, where two vectors mean the same turn, it is one of them.

    Args:
      matrix: `[..., 3, 3]`, orthonormal and right-handed.

    Returns:
      `[..., 3]`, radians.
    """
    w, xyz = np.split(to_quaternion(matrix), [1], axis=-1)
    sine = np.linalg.norm(xyz, axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, w)
    # The angle is twice its sine where that vanishes.
    turned = sine > 0
    return np.where(turned, angle / np.where(turned, sine, 1.0), 2.0) * xyz


def to_quaternion(matrix: Any) -> np.ndarray:
    """Unit quaternions w x y z, `[..., 4]`, w ≥ 0, of matrices `[..., 3, 3]`.

    Of four ways to divide (Shepperd, 1978) the one by the largest number is taken.
    """
    m = np.asarray(matrix, np.float64)
    xx, yy, zz = (m[..., i, i] for i in range(3))
    x, y, z = (
        m[..., (i + 2) % 3, (i + 1) % 3] - m[..., (i + 1) % 3, (i + 2) % 3]
        for i in range(3)
    )
    xy, yz, zx = (m[..., i, (i + 1) % 3] + m[..., (i + 1) % 3, i] for i in range(3))
    rows = np.stack(  # each is the quaternion times 4 of its own largest number
        [
            np.stack([1 + xx + yy + zz, x, y, z], -1),
            np.stack([x, 1 + xx - yy - zz, xy, zx], -1),
            np.stack([y, xy, 1 - xx + yy - zz, yz], -1),
            np.stack([z, zx, yz, 1 - xx - yy + zz], -1),
        ],
        axis=-2,
    )
    largest = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), axis=-1)
    row = np.take_along_axis(rows, largest[..., None, None], axis=-2)[..., 0, :]
    row = np.where(row[..., :1] < 0, -row, row)
    return np.asarray(row / np.linalg.norm(row, axis=-1, keepdims=True))


def cross_matrix(vector: Any) -> np.ndarray:
    """Matrices `[..., 3, 3]` whose product with y is the cross product of x and y.

    Args:
      vector: x, `[..., 3]`.
    """
    x, y, z = np.moveaxis(np.asarray(vector, np.float64), -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def nearest(matrix: Any) -> np.ndarray:
    """The rotations nearest to matrices, by the sum of squares (Kabsch, 1976).

    Args:
      matrix: `[..., 3, 3]`; NaN stays NaN.

    Returns:
      `[..., 3, 3]`, right-handed.
    """
    matrix = np.asarray(matrix, np.float64)
    finite = np.isfinite(matrix).all(axis=(-2, -1), keepdims=True)
    left, _, right = np.linalg.svd(np.where(finite, matrix, np.eye(3)))
    sign = np.ones(matrix.shape[:-1])
    sign[..., 2] = np.sign(np.linalg.det(left @ right))
    return np.where(finite, (left * sign[..., None, :]) @ right, np.nan)


def about(axis: str, angle_rad: Any) -> np.ndarray:
    """Turns about one axis of the frame.

    Args:
      axis: "X", "Y" or "Z".
      angle_rad: `[...]`, right-handed.

    Returns:
      `[..., 3, 3]`.
    """
    i = _AXES.index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    angle = np.asarray(angle_rad, np.float64)
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., i, i] = 1.0
    matrix[..., j, j] = matrix[..., k, k] = np.cos(angle)
    matrix[..., k, j] = np.sin(angle)
    matrix[..., j, k] = -matrix[..., k, j]
    return matrix


def from_euler(angles_rad: Any, order: str) -> np.ndarray:
    """Matrices of turns about the frame's own axes, one after another, as BVH has them.

    "ZXY" is R = Z(a₀) X(a₁) Y(a₂).

    Args:
      angles_rad: `[..., N]`, in the order of `order`.
      order: N letters of X, Y and Z; any number of them, and any twice.

    Returns:
      `[..., 3, 3]`.
    """
    angles = np.asarray(angles_rad, np.float64)
    matrix = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for number, axis in enumerate(order):
        matrix = matrix @ about(axis, angles[..., number])
    return matrix


def to_euler(matrix: Any, order: str) -> np.ndarray:
    """The angles whose matrices these are; `from_euler` gives them back.

    The middle angle is from -pi/2 to pi/2. Where it is a right one, the last is 0.

    Args:
      matrix: `[..., 3, 3]`, orthonormal and right-handed.
      order: each of X, Y and Z, in any order.

    Returns:
      `[..., 3]`, radians, in the order of `order`.

    Raises:
      ValueError: if the order is another one.
    """
    if sorted(order) != sorted(_AXES):
        raise ValueError(f"`order` must be X, Y and Z in any order. Received: {order}")
    i, j, k = (_AXES.index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0  # of the permutation
    m = np.asarray(matrix, np.float64)
    sine = np.clip(sign * m[..., i, k], -1.0, 1.0)
    # Near a right angle it keeps digits that arcsin loses.
    cosine = np.hypot(m[..., i, i], m[..., i, j])
    locked = cosine < _LOCKED
    middle = np.arctan2(sine, cosine)
    first = np.where(
        locked,
        np.arctan2(sign * m[..., k, j], m[..., j, j]),
        np.arctan2(-sign * m[..., j, k], m[..., k, k]),
    )
    last = np.where(locked, 0.0, np.arctan2(-sign * m[..., i, j], m[..., i, i]))
    return np.stack([first, middle, last], axis=-1)


def between(start: Any, end: Any) -> np.ndarray:
    """The smallest turns that bring one direction to another.

    Opposite directions are joined by half a turn about an axis across them.

    Args:
      start: `[..., 3]`, of any length but 0.
      end: `[..., 3]`, of any length but 0.

    Returns:
      `[..., 3, 3]`.
    """
    a, b = _unit(start), _unit(end)
    middle = a + b
    size = np.linalg.norm(middle, axis=-1, keepdims=True)
    # The axis farthest from `a` gives one across it.
    aside = np.cross(a, np.eye(3)[np.argmin(np.abs(a), axis=-1)])
    opposite = size < _OPPOSITE
    middle = np.where(opposite, aside, middle)
    middle = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
    # Two reflections: half a turn about `middle`, after half a turn about `a`.
    outer = middle[..., :, None] * middle[..., None, :]
    own = a[..., :, None] * a[..., None, :]
    half = 2 * outer - np.eye(3)
    return np.where(opposite[..., None], half, half @ (2 * own - np.eye(3)))


def _unit(vector: Any) -> np.ndarray:
    vector = np.asarray(vector, np.float64)
    return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True))
