"""Anipose's optimiser: reprojection, smoothness and bones of lasting length at once.

Karashchuk et al., Anipose: A toolkit for robust markerless 3D pose estimation, Cell
Reports 2021. Over all joints of all frames, and the lengths L of the bones,

    sum rho(reprojection)² + (a second differences / s)² + (b (|bone| - L) / L₀)²

is minimised, rho as soft L1 grows, s the mean step from frame to frame and L₀ the
median length of where the search starts. Long takes are solved in windows that
overlap; each has its own lengths.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import least_squares
from tqdm import tqdm

from human_pose.calibrated.baselines.pose2sim import gaps_filled
from human_pose.calibrated.baselines.ransac import ransac
from human_pose.calibrated.baselines.views import MM, Views, images, pinhole_views
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeleton import Skeleton

# aniposelib's `reproj_error_threshold`, `scale_smooth` and `scale_length`, the last of
# which weighs per cent.
_ROBUST_PX: Final = 15.0
_SMOOTHNESS: Final = 4.0
_BONES: Final = 200.0
_TOLERANCE: Final = 1e-3
_MOST_EVALUATIONS: Final = 50

_WINDOW: Final = 200
_OVERLAP: Final = 20  # on each side; what is farther away changes nothing that counts
# Errors of detections whose point is behind the camera.
_FAR_PX: Final = 1e4


class Problem(NamedTuple):
    """What stays the same in a window.

    Attributes:
      views: of its frames.
      bones: (parent, child) of each bone.
      smoothness: of a second difference, 1 / m.
      lengths_m: of the bones where the search starts.
    """

    views: Views
    bones: np.ndarray
    smoothness: float
    lengths_m: np.ndarray


def optimised(
    joints_2d_px: np.ndarray,
    confidence: np.ndarray,
    cameras: Sequence[Camera],
    skeleton: Skeleton,
) -> np.ndarray:
    """Finds the joints of one take, from RANSAC's with gaps filled on.

    Args:
      joints_2d_px: `[F, V, J, 2]`, as the lenses show them; NaN where not seen.
      confidence: `[F, V, J]`; 0 where not seen. Detections are weighed alike.
      cameras: of the V views, in their order.
      skeleton: whose limbs keep their lengths.

    Returns:
      `[F, J, 3]`, world mm; NaN for joints that are found in too few frames.

    Raises:
      InputError: if shapes differ or there is not one camera for each view.
    """
    views = pinhole_views(joints_2d_px, confidence, cameras)
    start = gaps_filled(ransac(joints_2d_px, confidence, cameras)) / MM
    result = np.full_like(start, np.nan)
    known = np.isfinite(start).all(axis=(0, 2))
    if not known.any():
        return result
    places = np.flatnonzero(known)
    kept = views._replace(
        points_px=views.points_px[:, :, known], weights=views.weights[:, :, known]
    )
    number = {int(joint): k for k, joint in enumerate(places)}
    bones = [(number[a], number[b]) for a, b in skeleton.limbs if {a, b} <= {*number}]
    for first in tqdm(
        range(0, len(start), _WINDOW),
        desc="Anipose's optimiser",
        leave=False,
        disable=None,
    ):
        wide = slice(max(first - _OVERLAP, 0), first + _WINDOW + _OVERLAP)
        found = _window(start[wide][:, known], kept.of_frames(wide), bones)
        own = slice(first - wide.start, first - wide.start + _WINDOW)
        frames = slice(first, first + _WINDOW)
        result[frames, places] = found[own]
    return MM * result


def _window(
    start_m: np.ndarray, views: Views, bones: Sequence[tuple[int, int]]
) -> np.ndarray:
    ends = np.array(bones, int).reshape(-1, 2)
    lengths = np.median(np.linalg.norm(_vectors(start_m, ends), axis=-1), axis=0)
    steps = np.abs(np.diff(start_m, axis=0))
    typical = max(float(np.mean(steps)) if steps.size else 1.0, 1e-6)
    # Bones without a length, of two names for one joint, bind nothing.
    ends, lengths = ends[lengths > 0], lengths[lengths > 0]
    problem = Problem(views, ends, _SMOOTHNESS / typical, lengths)
    solution = least_squares(
        _residuals,
        np.concatenate([start_m.ravel(), lengths]),
        _jacobian,
        method="trf",
        x_scale="jac",
        ftol=_TOLERANCE,
        max_nfev=_MOST_EVALUATIONS,
        args=(problem,),
    )
    return np.asarray(solution.x[: start_m.size].reshape(start_m.shape))


def _vectors(joints_m: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The bones, `[F, B, 3]`."""
    return np.asarray(joints_m[:, ends[:, 1]] - joints_m[:, ends[:, 0]])


def _parts(unknowns: np.ndarray, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Joints `[F, J, 3]` and lengths `[B]`."""
    frames, _, joints = problem.views.weights.shape
    size = frames * joints * 3
    return unknowns[:size].reshape(frames, joints, 3), unknowns[size:]


def _residuals(unknowns: np.ndarray, problem: Problem) -> np.ndarray:
    joints, lengths = _parts(unknowns, problem)
    shown = images(joints, problem.views.projection)[..., :2]
    errors = np.clip(shown - problem.views.points_px, -_FAR_PX, _FAR_PX)
    seen = problem.views.weights > 0
    size = np.abs(errors[seen])
    robust = 2 * _ROBUST_PX * (np.sqrt(1 + size / _ROBUST_PX) - 1)
    bones = np.linalg.norm(_vectors(joints, problem.bones), axis=-1) - lengths
    return np.concatenate(
        [
            (np.sign(errors[seen]) * robust).ravel(),
            (problem.smoothness * np.diff(joints, n=2, axis=0)).ravel(),
            (_BONES / problem.lengths_m * bones).ravel(),
        ]
    )


def _jacobian(unknowns: np.ndarray, problem: Problem) -> sparse.csr_matrix:
    joints, _ = _parts(unknowns, problem)
    number = np.arange(joints.size).reshape(joints.shape)
    blocks = [
        _of_images(joints, number, problem),
        _of_accelerations(number, problem),
        _of_bones(joints, number, problem),
    ]
    size = len(unknowns)
    return sparse.vstack(
        [
            sparse.coo_matrix((values.ravel(), (rows.ravel(), columns.ravel())), shape)
            for values, rows, columns, count in blocks
            for shape in [(count, size)]
        ],
        format="csr",
    )


Block = tuple[np.ndarray, np.ndarray, np.ndarray, int]


def _of_images(joints: np.ndarray, number: np.ndarray, problem: Problem) -> Block:
    views = problem.views
    frame, view, joint = np.nonzero(views.weights > 0)
    shown = images(joints, views.projection)[frame, view, joint]
    errors = shown[:, :2] - views.points_px[frame, view, joint]
    moving = np.isfinite(errors) & (np.abs(errors) < _FAR_PX)
    size = np.where(moving, np.abs(errors), 0.0)
    # What is behind a camera, or clipped, does not move.
    slope = np.where(moving, 1 / np.sqrt(1 + size / _ROBUST_PX), 0.0)
    pixel = np.where(moving, shown[:, :2], 0.0)
    depth = np.where(moving.all(axis=-1), shown[:, 2], 1.0)
    matrix = views.projection[view]
    by_point = matrix[:, :2, :3] - pixel[..., None] * matrix[:, 2:, :3]
    values = (slope / depth[:, None])[..., None] * by_point  # [N, 2, 3]
    rows = np.arange(errors.size).reshape(-1, 2, 1)
    columns = number[frame, joint][:, None, :]
    return (
        values,
        np.broadcast_to(rows, values.shape),
        np.broadcast_to(columns, values.shape),
        errors.size,
    )


def _of_accelerations(number: np.ndarray, problem: Problem) -> Block:
    columns = np.stack([number[:-2], number[1:-1], number[2:]], axis=-1)
    rows = np.arange(columns[..., 0].size).reshape(columns.shape[:-1])[..., None]
    values = np.broadcast_to(problem.smoothness * np.array([1, -2, 1]), columns.shape)
    return values, np.broadcast_to(rows, columns.shape), columns, rows.size


def _of_bones(joints: np.ndarray, number: np.ndarray, problem: Problem) -> Block:
    ends = problem.bones
    vectors = _vectors(joints, ends)
    length = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    scale = _BONES / problem.lengths_m
    along = scale[:, None] * vectors / length
    lasting = np.broadcast_to(-scale[:, None], (*along.shape[:-1], 1))
    values = np.concatenate([along, -along, lasting], axis=-1)  # [F, B, 7]
    columns = np.concatenate(
        [
            number[:, ends[:, 1]],
            number[:, ends[:, 0]],
            np.broadcast_to(
                joints.size + np.arange(len(ends))[:, None], (*along.shape[:-1], 1)
            ),
        ],
        axis=-1,
    )
    rows = np.arange(along[..., 0].size).reshape(along.shape[:-1])[..., None]
    return values, np.broadcast_to(rows, values.shape), columns, rows.size
