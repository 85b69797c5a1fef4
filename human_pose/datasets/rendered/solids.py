"""Boxes and ellipsoids of the world, and where rays meet them first.

In a frame in which a solid reaches from −1 to 1 along each axis, a ray is o + t d. It
is within a box where it is between all three pairs of planes,

    t in [max of the nearer, min of the farther of (±1 − o) / d],

and enters the ball at the smaller root of |d|² t² + 2 (o·d) t + |o|² − 1 = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from human_pose.datasets.rendered.raycast import Grid
from human_pose.geometry.cameras import Camera

_NOWHERE: Final = np.float32(np.inf)
_SMALL: Final = np.float32(1e-9)
_MM_PER_M: Final = 1000.0
_NEAREST_M: Final = 0.1
_CORNERS: Final = np.array([*product((-1.0, 1.0), repeat=3)])


@dataclass(frozen=True, eq=False)
class Solid:
    """A box, or the ellipsoid that touches its faces from within.

    Attributes:
      centre_mm: `[3]`, world.
      axes: `[3, 3]`, rows: its directions in the world, orthonormal.
      half_mm: `[3]`, how far it reaches along each, both ways.
      colour: `[3]`, RGB in [0, 1].
      rounded: whether it is the ellipsoid.
    """

    centre_mm: np.ndarray
    axes: np.ndarray
    half_mm: np.ndarray
    colour: np.ndarray
    rounded: bool = False


@dataclass(frozen=True)
class Surfaces:
    """What the rays of an `[H, W]` picture meet of solids.

    Attributes:
      distance: float32 `[H, W]`, along the ray, metres; infinite where they meet none.
      normals: float32 `[H, W, 3]`, outward, of length 1, camera frame.
      colours: float32 `[H, W, 3]`, before light.
    """

    distance: np.ndarray
    normals: np.ndarray
    colours: np.ndarray


def meet(grid: Grid, solids: Sequence[Solid], camera: Camera) -> Surfaces:
    """Finds which solid is nearest along every ray.

    Args:
      grid: the rays.
      solids: what they may meet. One that reaches behind the camera's image plane, or
        nearer than 0.1 m, is left out.
      camera: whose rays they are.
    """
    rays = grid.directions()
    found = Surfaces(
        np.full(rays.shape[1:], _NOWHERE),
        np.zeros((*rays.shape[1:], 3), np.float32),
        np.zeros((*rays.shape[1:], 3), np.float32),
    )
    for solid in solids:
        window = _window(grid, solid, camera)
        if window is None:
            continue
        distance, normals = _first_hit(rays[(slice(None), *window)], solid, camera)
        nearer = distance < found.distance[window]
        found.distance[window][nearer] = distance[nearer]
        found.normals[window][nearer] = normals[nearer]
        found.colours[window][nearer] = solid.colour
    return found


def _window(grid: Grid, solid: Solid, camera: Camera) -> tuple[slice, slice] | None:
    """The rays that may meet a solid, or None."""
    corners = solid.centre_mm + (_CORNERS * solid.half_mm) @ solid.axes
    x, y, depth = camera.to_camera(corners).T / _MM_PER_M
    if depth.min() < _NEAREST_M:
        return None
    columns, rows = x / depth, y / depth
    return grid.window((columns.min(), columns.max()), (rows.min(), rows.max()))


def _first_hit(
    rays: np.ndarray, solid: Solid, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Distances `[H, W]` along rays `[3, H, W]`, infinite for a miss, and normals."""
    axes = (solid.axes @ camera.rotation.T).astype(np.float32)
    half = (solid.half_mm / _MM_PER_M).astype(np.float32)
    centre = (camera.to_camera(solid.centre_mm) / _MM_PER_M).astype(np.float32)
    start = -(axes @ centre) / half
    step = np.tensordot(axes / half[:, None], rays, 1)
    if solid.rounded:
        return _ellipsoid(start, step, axes / half[:, None])
    return _box(start, step, axes)


def _box(
    start: np.ndarray, step: np.ndarray, axes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    step = np.where(np.abs(step) < _SMALL, _SMALL, step)
    one, other = ((sign - start[:, None, None]) / step for sign in (-1, 1))
    near = np.minimum(one, other)
    face = near.argmax(axis=0)
    enter, leave = near.max(axis=0), np.maximum(one, other).min(axis=0)
    towards = np.sign(np.take_along_axis(step, face[None], 0)[0])
    met = (enter < leave) & (enter > 0)
    return np.where(met, enter, _NOWHERE), -towards[..., None] * axes[face]


def _ellipsoid(
    start: np.ndarray, step: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    square, along = (step * step).sum(axis=0), np.tensordot(start, step, 1)
    inside = along * along - square * (start @ start - 1)
    enter = -(along + np.sqrt(np.maximum(inside, 0))) / square
    normals = np.moveaxis(start[:, None, None] + enter * step, 0, -1) @ gradient
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where((inside > 0) & (enter > 0), enter, _NOWHERE), normals
