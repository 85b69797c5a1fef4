"""What the lifter sees of a recording: undistorted detections, and the cameras."""

import logging
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.calibrated.joints import ModelJoints
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError

_LOG: Final = logging.getLogger(__name__)
# How far a detection's own variance may be from the median, each way: a detector that
# is sure of a mistake must not outweigh all others.
_MOST_EXACT: Final = 25.0
_ROUND: Final = np.eye(2)


@dataclass(frozen=True, eq=False)
class Sight:
    """One person's detections in the model's order.

    Attributes:
      points_px: float64 `[F, V, J, 2]`, of pinholes; 0 where not seen.
      confidence: float64 `[F, V, J]`; 0 where not seen, above 1 where the detector says
        that it is surer than of most.
      projection: float64 `[V, 3, 4]`, of pinholes, world mm to homogeneous pixels.
      whitening: float64 `[F, V, J, 2, 2]`, as of `energy.Observed`, or None.
    """

    points_px: np.ndarray
    confidence: np.ndarray
    projection: np.ndarray
    whitening: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.points_px)


def observe(recording: Recording, joints: ModelJoints) -> Sight:
    """Undistorts one person's detections and orders them by the model's joints.

    Args:
      recording: of one person, with cameras.
      joints: the model's; its detector is the recording's skeleton.

    Raises:
      InputError: if there are no cameras, several people, no joint that the prior
        knows, or nothing seen of these.
    """
    if not recording.cameras:
        raise InputError(
            f"{recording.source}: cameras must be given; views: "
            f"{', '.join(recording.view_names)}"
        )
    if recording.joints_2d_px.shape[2] != 1:
        raise InputError(
            f"{recording.source}: people",
            "must be told apart first",
            recording.joints_2d_px.shape[2],
        )
    _check_common(recording, joints)
    shown = recording.joints_2d_px[:, :, 0]
    confidence, whitening = _exactness(recording)
    points = np.empty_like(shown)
    for view, camera in enumerate(recording.cameras):
        points[:, view], found = camera.undistort_where(shown[:, view])
        lost = np.isfinite(shown[:, view]).all(axis=-1) & ~found
        if lost.any():
            _LOG.warning(
                "%s: %d detections of view %s lie where its lens shows nothing; they "
                "count as not seen",
                recording.source,
                lost.sum(),
                camera.name,
            )
    seen = np.isfinite(points).all(axis=-1) & (confidence > 0)
    points = np.where(seen[..., None], points, 0.0)
    confidence = np.where(seen, confidence, 0.0)
    ordered = joints.from_detector(points, 0.0)
    weights = joints.from_detector(confidence[..., None], 0.0)[..., 0]
    if not weights[..., : len(joints.prior)].any():
        raise InputError(
            f"{recording.source}: no view shows any joint that the prior knows, in any "
            "frame"
        )
    projection = np.stack([c.projection for c in recording.cameras])
    return Sight(ordered, weights, projection, _ordered(whitening, joints))


def shows_body(recording: Recording, joints: ModelJoints) -> bool:
    """Whether any view of one person's recording shows a joint that the prior knows."""
    seen = joints.from_detector(recording.seen[:, :, 0, :, None], False)
    return bool(seen[:, :, : len(joints.prior)].any())


def _exactness(recording: Recording) -> tuple[np.ndarray, np.ndarray | None]:
    """How exact detections are beside others of their kind, and in which directions.

    A confidence c stands for a deviation of σ / √c. Where the detector knows the
    covariance of each detection, that takes the place of the confidence: its size in
    units of the recording's median, while the scale is estimated as it is for
    confidences, and its directions. What the lens does to these, a few degrees at the
    edges, is left out.

    Returns:
      `[F, V, J]`, 0 for unseen, and `[F, V, J, 2, 2]` as of `energy.Observed`, or None.
    """
    confidence = recording.confidence[:, :, 0]
    if recording.covariance_px2 is None:
        return confidence, None
    covariance = recording.covariance_px2[:, :, 0]
    finite = np.isfinite(covariance).all(axis=(-2, -1))
    covariance = np.where(finite[..., None, None], covariance, _ROUND)
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.swapaxes(-1, -2)))
    known = finite & (values[..., 0] > 0)
    values = np.where(known[..., None], values, 1.0)
    ratio = np.minimum(values[..., 1] / values[..., 0], _MOST_EXACT) ** 0.25
    scale = np.stack([ratio, 1 / ratio], axis=-1)
    whitening = np.einsum("...ik,...k,...jk->...ij", vectors, scale, vectors)
    whitening = np.where(known[..., None, None], whitening, _ROUND)
    known &= confidence > 0
    if not known.any():
        return confidence, whitening
    # The root of the determinant: of both directions together.
    variance = np.sqrt(values.prod(axis=-1))
    typical = np.median(variance[known])
    exact = typical / np.where(known, variance, typical)
    exact = exact.clip(1 / _MOST_EXACT, _MOST_EXACT)
    return np.where(confidence > 0, exact, 0.0), whitening


def _ordered(whitening: np.ndarray | None, joints: ModelJoints) -> np.ndarray | None:
    """Of the model's joints `[F, V, J, 2, 2]`, round for those not detected."""
    if whitening is None:
        return None
    flat = joints.from_detector(whitening.reshape(*whitening.shape[:-2], 4), np.nan)
    ordered = flat.reshape(*flat.shape[:-1], 2, 2)
    return np.where(np.isnan(ordered), _ROUND, ordered)


def _check_common(recording: Recording, joints: ModelJoints) -> None:
    """Refuses a skeleton of which the prior has no joint."""
    if len(joints) == len(joints.prior) + len(joints.detector):
        raise InputError(
            f"{recording.source}: joint_names: none is a joint of the prior; joints: "
            f"{', '.join(joints.detector.names)}; prior: "
            f"{', '.join(joints.prior.names)}"
        )
