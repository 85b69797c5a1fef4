"""Rays against round cones: what each pixel of a camera at the origin sees first.

A round cone is every ball whose centre is c(s) = a + s b and whose radius is
r(s) = r0 + s (r1 − r0) for s in [0, 1]: a capsule whose ends differ. A ray t d
(|d| = 1) touches the ball s where

    F(t, s) = t² − 2 t d·c(s) + |c(s)|² − r(s)² = 0.

The surface is the envelope of the balls, dF/ds = 0, which gives s = (t β − B) / C and

    (C − β²) t² − 2 (C α − β B) t + (C A − B²) = 0,   α = d·a, β = d·b,
    A = |a|² − r0², B = a·b − r0 (r1 − r0), C = |b|² − (r1 − r0)²,

whose root with the minus sign is where a ray enters. Beyond s in [0, 1] the balls at
the ends are met instead.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

_NOWHERE: Final = np.float32(np.inf)
_SMALL: Final = np.float32(1e-9)


@dataclass(frozen=True)
class RoundCones:
    """P round cones in the camera frame, float32, metres.

    Attributes:
      start: `[P, 3]`, the centre of the first ball.
      axis: `[P, 3]`, from the first to the last centre; 0 makes a ball.
      radius: `[P, 2]`, of the first and the last ball.
    """

    start: np.ndarray
    axis: np.ndarray
    radius: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Hits:
    """What the rays of an `[H, W]` picture meet.

    Attributes:
      pixels: int `[N]`, flat positions of the rays that meet something.
      part: int `[N]`, which round cone.
      points: `[N, 3]`, where, metres, camera frame.
      normals: `[N, 3]`, outward, of length 1.
      along: `[N]`, position s along the round cone, in [0, 1].
    """

    pixels: np.ndarray
    part: np.ndarray
    points: np.ndarray
    normals: np.ndarray
    along: np.ndarray


@dataclass(frozen=True)
class Grid:
    """The rays of a picture: those of a pinhole camera over a rectangle.

    Attributes:
      columns: `[W]`, x/z of each column of pixels.
      rows: `[H]`, y/z of each row.
    """

    columns: np.ndarray
    rows: np.ndarray

    def window(
        self, columns: tuple[float, float], rows: tuple[float, float]
    ) -> tuple[slice, slice] | None:
        """The rows and columns of pixels between ends of x/z and of y/z, or None."""
        left, right = np.searchsorted(self.columns, columns)
        top, bottom = np.searchsorted(self.rows, rows)
        if left == right or top == bottom:
            return None
        return slice(top, bottom), slice(left, right)

    def directions(self) -> np.ndarray:
        """Rays of length 1, float32 `[3, H, W]`."""
        x, y = np.meshgrid(self.columns.astype("f4"), self.rows.astype("f4"))
        inverse = 1 / np.sqrt(x * x + y * y + 1)
        return np.stack([x * inverse, y * inverse, inverse])


def cast(grid: Grid, cones: RoundCones) -> Hits:
    """Finds what is nearest along every ray.

    Args:
      grid: the rays.
      cones: what they may meet; all in front of the camera.

    Returns:
      The hits, of the round cone whose surface is nearest to the camera.
    """
    rays = grid.directions()
    depth = np.full(rays.shape[1:], _NOWHERE)  # distance along the ray
    part = np.full(depth.shape, -1, np.int16)
    along = np.zeros(depth.shape, np.float32)
    for number in range(len(cones)):
        window = _window(grid, cones, number)
        if window is None:
            continue
        distance, s = _first_hit(rays[(slice(None), *window)], cones, number)
        nearer = distance < depth[window]
        np.copyto(depth[window], distance, where=nearer)
        np.copyto(along[window], s, where=nearer)
        np.copyto(part[window], np.int16(number), where=nearer)
    pixels = np.flatnonzero(part >= 0)
    part, along = part.ravel()[pixels], along.ravel()[pixels]
    points = (rays.reshape(3, -1)[:, pixels] * depth.ravel()[pixels]).T
    centres = cones.start[part] + along[:, None] * cones.axis[part]
    radii = cones.radius[part, 0] + along * np.diff(cones.radius)[part, 0]
    return Hits(pixels, part, points, (points - centres) / radii[:, None], along)


def _window(grid: Grid, cones: RoundCones, number: int) -> tuple[slice, slice] | None:
    """The pixels that may meet a round cone, or None."""
    ends = cones.start[number] + np.array([[0.0], [1.0]]) * cones.axis[number]
    radius = cones.radius[number][:, None]
    near = np.maximum(ends[:, 2:] - radius, 0.1)
    # A ball's image lies within (centre ± radius) / the nearest depth, or the farthest.
    corners = [
        (ends[:, :2] + sign * radius) / plane
        for sign in (-1, 1)
        for plane in (near, ends[:, 2:] + radius)
    ]
    low, high = np.min(corners, axis=(0, 1)), np.max(corners, axis=(0, 1))
    return grid.window((low[0], high[0]), (low[1], high[1]))


def _first_hit(
    rays: np.ndarray, cones: RoundCones, number: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (infinite without a hit) and positions s along one round cone."""
    a, b = cones.start[number], cones.axis[number]
    r0, r1 = cones.radius[number]
    alpha, beta = np.tensordot(a, rays, 1), np.tensordot(b, rays, 1)
    growth = r1 - r0
    big_a, big_b, big_c = a @ a - r0 * r0, a @ b - r0 * growth, b @ b - growth**2
    best = _ball(alpha, big_a)
    s = np.zeros_like(best)
    end = a + b
    last = _ball(alpha + beta, end @ end - r1 * r1)
    nearer = last < best
    np.copyto(best, last, where=nearer)
    s[nearer] = 1
    if big_c > _SMALL:  # otherwise one ball holds the other
        square = big_c - beta * beta
        square[np.abs(square) < _SMALL] = _SMALL
        half = big_c * alpha - beta * big_b
        inside = half * half - square * (big_c * big_a - big_b * big_b)
        side = (half - np.sqrt(np.maximum(inside, 0))) / square
        where = (side * beta - big_b) / big_c
        nearer = (inside > 0) & (where >= 0) & (where <= 1) & (side > 0)
        nearer &= side < best
        np.copyto(best, side, where=nearer)
        np.copyto(s, where, where=nearer)
    return best, s


def _ball(alpha: np.ndarray, constant: np.float32) -> np.ndarray:
    """Distances along rays to a ball; alpha = d·c, constant = |c|² − r²."""
    inside = alpha * alpha - constant
    distance = alpha - np.sqrt(np.maximum(inside, 0))
    distance[inside <= 0] = _NOWHERE
    return distance
