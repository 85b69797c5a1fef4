"""How well detections of two views agree: the distances of their joints' rays.

The ray of a joint in one view is a line in the other, on which the joint must lie; its
distance there, at the depth where the bodies' rays meet, is so many millimetres. A pair
scores the mean over common joints of

    log N(d; 0, σ²) / N(d; 0, σ₀²), at least -4,

σ of detections of one person, σ₀ of two. Detectors exchange sides, in one view and for
a while: of two joints that are each other's sides the better way round counts.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from human_pose.calibrated.people.detections import CHUNK, Detections
from human_pose.geometry.cameras import Camera

_SAME_MM: Final = 40.0
_OTHERS_MM: Final = 300.0
_LEAST: Final = -4.0
# Fewer common joints say less.
_ENOUGH: Final = 5
# Bodies of other extents are none.
_SMALLEST_MM: Final = 200.0
_LARGEST_MM: Final = 3500.0
# Squared sine of the angle between rays that do not say where they meet.
_PARALLEL: Final = 1e-4


def pair_scores(
    detections: Detections, cameras: tuple[Camera, ...]
) -> Iterator[tuple[slice, int, int, np.ndarray]]:
    """Scores of all pairs of detections, a few frames and two views at a time.

    Args:
      detections: in the views of `cameras`.
      cameras: V of them.

    Yields:
      The F' frames, the two views, and scores `[F', P, P]`; 0 where there is no pair.
    """
    for start in range(0, len(detections.size_px), CHUNK):
        part = slice(start, start + CHUNK)
        for u in range(len(cameras)):
            for v in range(u + 1, len(cameras)):
                yield part, u, v, _scores(detections, cameras, part, u, v)


def _scores(
    detections: Detections,
    cameras: tuple[Camera, ...],
    part: slice,
    u: int,
    v: int,
) -> np.ndarray:
    seen = detections.seen
    both = seen[part, u][:, :, None] & seen[part, v][:, None]  # [F', P, P, J]
    count = both.sum(axis=-1)
    rays = [_plane(detections.points_px[part, w], cameras[w]) for w in (u, v)]
    depth = _depths(rays, both, count, cameras[u], cameras[v])
    flip = list(detections.flip_order)
    straight, other = (
        _log_ratios(_line_distances([rays[0], r], cameras[u], cameras[v], depth))
        for r in (rays[1], rays[1][..., flip, :])
    )
    gain = np.where(both & both[..., flip], other - straight, 0.0)
    value = straight + np.where(gain + gain[..., flip] > 0, gain, 0.0)
    total = np.where(both, value, 0.0).sum(axis=-1) / np.maximum(count, 1)
    possible = np.ones(total.shape, bool)
    for w, there in ((u, depth[0]), (v, depth[1])):
        size = detections.size_px[part, w] / cameras[w].focal_px.mean()
        size = np.expand_dims(size, 2 if w == u else 1) * there
        possible &= (there > 0) & (size > _SMALLEST_MM) & (size < _LARGEST_MM)
    total = np.where(possible, total, _LEAST)
    return np.asarray(total * np.minimum(count / _ENOUGH, 1.0))


def _log_ratios(off_mm: np.ndarray) -> np.ndarray:
    value = 0.5 * np.square(off_mm) * (1 / _OTHERS_MM**2 - 1 / _SAME_MM**2)
    return np.maximum(value + np.log(_OTHERS_MM / _SAME_MM), _LEAST)


def _plane(points_px: np.ndarray, camera: Camera) -> np.ndarray:
    """Points at depth 1 in the camera frame, `[..., 3]`."""
    plane = (points_px - camera.centre_px) / camera.focal_px
    return np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)


def relative(first: Camera, second: Camera) -> tuple[np.ndarray, np.ndarray]:
    """From the first camera's frame to the second's, R and t of x' = R x + t."""
    rotation = second.rotation @ first.rotation.T
    return rotation, second.translation_mm - rotation @ first.translation_mm


def _depths(
    rays: list[np.ndarray],
    both: np.ndarray,
    count: np.ndarray,
    first: Camera,
    second: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """Depths in both views, `[F', P, P]`, at which the bodies' mean rays meet."""
    rotation, shift = relative(first, second)
    share = both / np.maximum(count, 1)[..., None]
    a = np.einsum("fpqj,fpjc->fpqc", share, rays[0]) @ rotation.T
    b = np.einsum("fpqj,fqjc->fpqc", share, rays[1])
    # The nearest points of s a + t and r b.
    aa, ab, bb = ((x * y).sum(axis=-1) for x, y in ((a, a), (a, b), (b, b)))
    at, bt = a @ shift, b @ shift
    area = aa * bb - ab * ab
    open_ = area > _PARALLEL * aa * bb
    area = np.where(open_, area, 1.0)
    half = np.linalg.norm(shift) / 2
    near = np.where(open_, (ab * bt - bb * at) / area, half)
    return near, np.where(open_, (aa * bt - ab * at) / area, half)


def _line_distances(
    rays: list[np.ndarray],
    first: Camera,
    second: Camera,
    depth: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Distances of joints from each other's lines, `[F', P, P, J]`, mm."""
    rotation, shift = relative(first, second)
    x, y, z = shift
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ rotation
    lines = rays[0] @ essential.T  # in the second view
    back = rays[1] @ essential  # in the first
    value = np.abs(np.einsum("fpjc,fqjc->fpqj", lines, rays[1]))
    tiny = np.finfo(float).tiny
    there = np.maximum(np.linalg.norm(lines[..., :2], axis=-1), tiny)[:, :, None]
    here = np.maximum(np.linalg.norm(back[..., :2], axis=-1), tiny)[:, None]
    with np.errstate(over="ignore"):
        off = depth[1][..., None] * value / there + depth[0][..., None] * value / here
    return np.asarray(np.minimum(np.abs(off) / 2, 1e6))
