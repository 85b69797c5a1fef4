"""Bundle adjustment: cameras and points that explain images best, at once.

Minimises Σ w log(1 + |r|² / s²), Cauchy's loss of the reprojection errors r, by
Levenberg's and Marquardt's steps with reweighting. Points are eliminated from each step
(Schur's complement), so that it costs a system of the cameras alone: Triggs et al.,
Bundle Adjustment - A Modern Synthesis, 2000, sections 4.3 and 6.1.
"""

from typing import Final, NamedTuple

import numpy as np

from human_pose.geometry.rotations import (
    cross_matrix,
    from_vector,
    nearest,
    to_vector,
)

# Parameters of a camera: a turn, a shift, the principal point, the focal length.
POSE: Final = tuple(range(6))
CENTRE: Final = (6, 7)
FOCAL: Final = (8,)
_SIZE: Final = 9

_STEPS: Final = 60
_FIRST_DAMPING: Final = 1e-4
_MOST_DAMPING: Final = 1e8
# A step that gains less, as a share of the loss, is the last one.
_LEAST_GAIN: Final = 1e-4
_NEAR_MM: Final = 10.0


class Rig(NamedTuple):
    """V pinhole cameras.

    Attributes:
      rotation: `[V, 3, 3]`, world to camera.
      translation_mm: `[V, 3]`.
      focal_px: `[V, 2]`.
      centre_px: `[V, 2]`.
    """

    rotation: np.ndarray
    translation_mm: np.ndarray
    focal_px: np.ndarray
    centre_px: np.ndarray


class Prior(NamedTuple):
    """How far cameras may be from where they start: standard deviations.

    Attributes:
      turn_rad: about each axis.
      shift_mm: of the centre, along each axis.
      centre_px: of the principal point.
      focal: of the focal length, as a share.
      share: what an image counts beside it, from 0 to 1: errors of detectors last, so
        that many images say little more than a few.
    """

    turn_rad: float
    shift_mm: float
    centre_px: float
    focal: float
    share: float


class Images(NamedTuple):
    """N points in V views.

    Attributes:
      points_px: `[N, V, 2]`, pinhole pixels; any finite number where not seen.
      weights: `[N, V]`, 0 where not seen.
    """

    points_px: np.ndarray
    weights: np.ndarray


class _System(NamedTuple):
    """Normal equations: matrices of V cameras with C parameters and N points.

    Attributes:
      cameras: `[V, C, C]`.
      mixed: `[N, V, C, 3]`.
      points: `[N, 3, 3]`.
      camera_side: the right side, `[V, C]`.
      point_side: `[N, 3]`.
    """

    cameras: np.ndarray
    mixed: np.ndarray
    points: np.ndarray
    camera_side: np.ndarray
    point_side: np.ndarray


def residuals_px(rig: Rig, points_mm: np.ndarray, images: Images) -> np.ndarray:
    """Images of the points less those seen, `[N, V, 2]`; NaN behind a camera."""
    placed = _in_cameras(rig, points_mm)
    depth = placed[..., 2:]
    ahead = np.where(depth > _NEAR_MM, depth, np.nan)
    shown = rig.focal_px * placed[..., :2] / ahead + rig.centre_px
    return np.asarray(shown - images.points_px)


def adjusted(
    calibrated: Rig,
    points_mm: np.ndarray,
    images: Images,
    scale_px: float,
    prior: Prior,
    free: tuple[int, ...] = POSE,
    rig: Rig | None = None,
) -> tuple[Rig, np.ndarray]:
    """The rig and the points after the steps.

    Args:
      calibrated: the rig that the prior is about.
      points_mm: `[N, 3]`, each seen by two cameras or more.
      images: of the points.
      scale_px: s.
      prior: how far cameras may be from that.
      free: the cameras' parameters that change, of `POSE`, `CENTRE` and `FOCAL`.
      rig: to start from; default: as calibrated.
    """
    rig = rig or calibrated
    pull = 1 / np.square(_deviations(prior)[list(free)])
    images = images._replace(weights=images.weights * prior.share)

    def loss_of(rig: Rig, points_mm: np.ndarray) -> float:
        stray = _strayed(rig, calibrated)[:, list(free)]
        held = float((pull * np.square(stray)).sum())
        return _loss(rig, points_mm, images, scale_px) + held / 2

    loss = loss_of(rig, points_mm)
    damping = _FIRST_DAMPING
    for _ in range(_STEPS):
        system = _system(rig, points_mm, images, scale_px, free)
        # Near 0 the loss is w |r|² / s², and the system that of its half.
        stray = _strayed(rig, calibrated)[:, list(free)]
        system = system._replace(
            cameras=system.cameras + np.diag(pull / 2),
            camera_side=system.camera_side - pull / 2 * stray,
        )
        while damping <= _MOST_DAMPING:
            step, shift = _solved(system, damping)
            rig_there = _moved(rig, step, free)
            there = points_mm + shift
            loss_there = loss_of(rig_there, there)
            if loss_there <= loss:
                break
            damping *= 10
        else:
            break
        rig, points_mm, gain = rig_there, there, loss - loss_there
        loss, damping = loss_there, damping / 10
        if gain <= _LEAST_GAIN * loss:
            break
    return rig, points_mm


def _deviations(prior: Prior) -> np.ndarray:
    turn, shift, centre, focal = prior[:4]
    return np.array([turn] * 3 + [shift] * 3 + [centre] * 2 + [focal])


def _strayed(rig: Rig, start: Rig) -> np.ndarray:
    """How far the parameters are from where they were, `[V, 9]`."""
    turn = rig.rotation @ np.swapaxes(start.rotation, -1, -2)
    shift = rig.translation_mm - np.einsum("vab,vb->va", turn, start.translation_mm)
    focal = np.log(rig.focal_px[:, :1] / start.focal_px[:, :1])
    centre = rig.centre_px - start.centre_px
    return np.concatenate([to_vector(turn), shift, centre, focal], axis=1)


def _loss(rig: Rig, points_mm: np.ndarray, images: Images, scale: float) -> float:
    off = np.square(residuals_px(rig, points_mm, images)).sum(axis=-1)
    # Behind a camera is worse than anywhere before it.
    off = np.nan_to_num(off, nan=1e12)
    return float((images.weights * np.log1p(off / scale**2)).sum())


def _in_cameras(rig: Rig, points_mm: np.ndarray) -> np.ndarray:
    turned = np.einsum("vab,nb->nva", rig.rotation, points_mm)
    return np.asarray(turned + rig.translation_mm)


def _system(
    rig: Rig,
    points_mm: np.ndarray,
    images: Images,
    scale: float,
    free: tuple[int, ...],
) -> _System:
    """The normal equations of a step, every image weighed by what it is off."""
    off = residuals_px(rig, points_mm, images)
    known = np.isfinite(off).all(axis=-1)
    off = np.where(known[..., None], off, 0.0)
    weight = images.weights / (scale**2 + np.square(off).sum(axis=-1))
    weight = np.where(known, weight, 0.0)[..., None, None]
    by_camera, by_point = _slopes(rig, points_mm)
    by_camera = by_camera[..., list(free)]
    wide = np.swapaxes(by_camera, -1, -2) * weight
    tall = np.swapaxes(by_point, -1, -2) * weight
    return _System(
        (wide @ by_camera).sum(axis=0),
        wide @ by_point,
        (tall @ by_point).sum(axis=1),
        -(wide @ off[..., None])[..., 0].sum(axis=0),
        -(tall @ off[..., None])[..., 0].sum(axis=1),
    )


def _slopes(rig: Rig, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of images by cameras `[N, V, 2, 9]`, and by points `[N, V, 2, 3]`."""
    placed = _in_cameras(rig, points_mm)
    depth = np.maximum(placed[..., 2], _NEAR_MM)
    plane = placed[..., :2] / depth[..., None]
    by_place = np.zeros((*plane.shape, 3))
    for i in range(2):
        by_place[..., i, i] = rig.focal_px[:, i] / depth
        by_place[..., i, 2] = -rig.focal_px[:, i] * plane[..., i] / depth
    slope = np.zeros((*plane.shape, _SIZE))
    slope[..., :3] = -by_place @ cross_matrix(placed)
    slope[..., 3:6] = by_place
    slope[..., 6:8] = np.eye(2)
    slope[..., 8] = rig.focal_px * plane
    return slope, by_place @ rig.rotation


def _solved(system: _System, damping: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the cameras `[V, C]` and of the points `[N, 3]`."""
    views, size = system.camera_side.shape
    inverse = np.linalg.inv(_damped(system.points, damping))
    wide = np.moveaxis(system.mixed, 0, 2).reshape(views * size, -1, 3)  # [VC, N, 3]
    weighed = np.einsum("cni,nij->cnj", wide, inverse)
    flat = weighed.reshape(views * size, -1)
    matrix = -flat @ wide.reshape(views * size, -1).T
    for view, block in enumerate(_damped(system.cameras, damping)):
        part = slice(view * size, (view + 1) * size)
        matrix[part, part] += block
    right = system.camera_side.ravel() - flat @ system.point_side.ravel()
    step = np.linalg.lstsq(matrix, right, rcond=None)[0]
    left = system.point_side - np.einsum("cni,c->ni", wide, step)
    return step.reshape(views, size), np.einsum("nij,nj->ni", inverse, left)


def _damped(matrix: np.ndarray, damping: float) -> np.ndarray:
    """With more on the diagonals, in Marquardt's way."""
    diagonal = np.einsum("...ii->...i", matrix) * damping
    tiny = np.finfo(float).tiny ** 0.25
    return matrix + np.eye(matrix.shape[-1]) * (diagonal + tiny)[..., None]


def _moved(rig: Rig, step: np.ndarray, free: tuple[int, ...]) -> Rig:
    """The rig after a step `[V, C]` of its free parameters."""
    full = np.zeros((len(step), _SIZE))
    full[:, list(free)] = step
    turn = from_vector(full[:, :3])
    return Rig(
        nearest(turn @ rig.rotation),
        np.einsum("vab,vb->va", turn, rig.translation_mm) + full[:, 3:6],
        rig.focal_px * (1 + full[:, 8:]),
        rig.centre_px + full[:, 6:8],
    )
