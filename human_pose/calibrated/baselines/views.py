"""What every baseline starts from: detections without the lens, and pinhole cameras.

Points are metres within the baselines: the linear systems hold world coordinates beside
a 1, and what they weigh depends on the unit. Pose2Sim's is the metre.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera

MM: Final = 1000.0  # of a metre

# Of the frames that are worked on at once, so that memory does not grow with them.
_CHUNK: Final = 2000


class Views(NamedTuple):
    """Detections as V pinhole cameras would have them.

    Attributes:
      points_px: `[F, V, J, 2]`, without distortion; 0 where not seen.
      weights: `[F, V, J]`, the confidence; 0 where not seen.
      projection: `[V, 3, 4]`, world metres to homogeneous pixels; the third is the
        depth, m.
    """

    points_px: np.ndarray
    weights: np.ndarray
    projection: np.ndarray

    def of_frames(self, frames: slice) -> "Views":
        """Of some frames."""
        return self._replace(
            points_px=self.points_px[frames], weights=self.weights[frames]
        )


def pinhole_views(
    joints_2d_px: np.ndarray, confidence: np.ndarray, cameras: Sequence[Camera]
) -> Views:
    """Takes the lens out of detections.

    Args:
      joints_2d_px: `[F, V, J, 2]`, NaN where not seen.
      confidence: `[F, V, J]`, 0 where not seen.
      cameras: of the V views, in their order.

    Returns:
      The views; a point at which the lens shows nothing counts as not seen.

    Raises:
      InputError: if there are not as many cameras as views, or shapes differ.
    """
    joints = np.asarray(joints_2d_px, np.float64)
    weights = np.asarray(confidence, np.float64)
    if joints.ndim != 4 or joints.shape[1:] != (len(cameras), joints.shape[2], 2):
        raise InputError(
            "joints_2d_px",
            f"must have shape [F, {len(cameras)}, J, 2], one view for each camera",
            list(joints.shape),
        )
    if weights.shape != joints.shape[:-1]:
        raise InputError(
            "confidence",
            f"must have shape {list(joints.shape[:-1])}",
            list(weights.shape),
        )
    straight = [
        camera.undistort_where(joints[:, view]) for view, camera in enumerate(cameras)
    ]
    points = np.stack([points for points, _ in straight], axis=1)
    seen = np.stack([found for _, found in straight], axis=1) & (weights > 0)
    return Views(
        np.where(seen[..., None], points, 0.0),
        np.where(seen, weights, 0.0),
        np.stack([_projection(camera) for camera in cameras]),
    )


def _projection(camera: Camera) -> np.ndarray:
    intrinsics = np.diag([*camera.focal_px, 1.0])
    intrinsics[:2, 2] = camera.centre_px
    place = np.concatenate([camera.rotation, camera.translation_mm[:, None] / MM], 1)
    return np.asarray(intrinsics @ place)


def images(points_m: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """Images of points `[F, J, 3]`, m, in the views: x, y and depth, `[F, V, J, 3]`.

    A point in the plane of a camera, or behind it, has an image infinitely far away.
    """
    shown = np.einsum("vrc,...jc->...vjr", projection[..., :3], points_m)
    shown += projection[:, None, :, 3]
    depth = shown[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = np.where(depth > 0, shown[..., :2] / depth, np.inf)
    return np.concatenate([np.where(np.isnan(depth), np.nan, pixels), depth], -1)


def distances_px(points_m: np.ndarray, views: Views) -> np.ndarray:
    """How far detections are from points' images, `[F, V, J]`; NaN as the points."""
    shown = images(points_m, views.projection)[..., :2]
    return np.asarray(np.linalg.norm(shown - views.points_px, axis=-1))


def in_chunks(solve: Callable[[Views], np.ndarray], views: Views) -> np.ndarray:
    """Joints `[F, J, 3]`, mm, by a function of frames that gives metres."""
    starts = range(0, max(len(views.points_px), 1), _CHUNK)
    parts = [solve(views.of_frames(slice(s, s + _CHUNK))) for s in starts]
    return MM * np.concatenate(parts)
