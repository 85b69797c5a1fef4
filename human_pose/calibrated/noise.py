"""The detectors' noise as a recording shows it: σ of joint and view, what lasts."""

from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.calibrated import energy, frames
from human_pose.calibrated.energy import Body, Layout, Observed, Unknowns, Weights

# Residual coordinates that a joint's, and a view's, own deviation weighs against those
# of all.
_OF_JOINT: Final = 200.0
_OF_VIEW: Final = 400.0
# Of the coordinates of residuals at least that share counts as not taken by the fit.
_LEAST_FREE: Final = 0.1
# Below it detections are exact for every purpose here.
_LEAST_PX: Final = 1e-4
# Correlations of frames apart by one and by two below it are chance.
_CHANCE: Final = 0.1
_MOST_LASTING: Final = 0.95
# Of σ: views that are off by less, on the average of all joints, are not.
_SHIFTED: Final = 0.1


class Statistics(NamedTuple):
    """Sums over frames of what residuals say, each `[V, J]` unless said.

    Attributes:
      squares: of residuals, in units of σ, of detections that are no outliers.
      coordinates: of those residuals, their number.
      taken: how many of them the fit took.
      lags: `[3]`, products of residuals apart by 0, 1 and 2 frames, in units of σ.
      shifts: `[V, 2]`, of images from detections, in units of σ².
      weight: `[V]`, of the shifts.
    """

    squares: np.ndarray
    coordinates: np.ndarray
    taken: np.ndarray
    lags: np.ndarray
    shifts: np.ndarray
    weight: np.ndarray

    def __add__(self, other: "Statistics") -> "Statistics":  # type: ignore[override]
        """The sums of both."""
        return Statistics(*(a + b for a, b in zip(self, other, strict=True)))


def statistics(
    x: Unknowns,
    start: tf.Tensor,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
    follows: tf.Tensor,
) -> Statistics:
    """Statistics of frames at their minimisers.

    Args:
      x: joints and turns, as what follows up to `layout` of `energy.frame_energy`.
      start: see there.
      observed: see there.
      body: see there.
      weights: see there.
      layout: see there.
      follows: `[F]`, 1 where a frame follows the one before it in a sequence.
    """
    images, depth = energy.project(x.joints_mm, observed.projection)
    found = energy.fit(images, observed, weights)
    inlier = observed.seen * found.inlier
    plain = residual = (images - observed.points_px) / observed.sigma_px[..., None]
    covariance = frames.covariances(x, start, observed, body, weights, layout)
    slope = frames.image_slopes(images, depth, observed.projection)
    if observed.directed:
        residual = tf.linalg.matvec(observed.whitening, residual)
        slope = observed.whitening @ slope
    taken = tf.einsum("fvjra,fjab,fvjrb->fvj", slope, covariance, slope)
    taken /= tf.square(observed.sigma_px)
    weighted = tf.sqrt(inlier)[..., None] * residual
    one = follows[1:, None, None, None] * weighted[1:] * weighted[:-1]
    both = (follows[2:] * follows[1:-1])[:, None, None, None]
    two = both * weighted[2:] * weighted[:-2]
    lags = [tf.reduce_sum(tf.square(weighted)), tf.reduce_sum(one), tf.reduce_sum(two)]
    return Statistics(
        tf.reduce_sum(tf.square(weighted), [0, 3]),
        2 * tf.reduce_sum(inlier, 0),
        tf.reduce_sum(inlier * tf.minimum(taken, 2.0), 0),
        tf.stack(lags),
        tf.reduce_sum((inlier / observed.sigma_px)[..., None] * plain, [0, 2]),
        tf.reduce_sum(inlier / tf.square(observed.sigma_px), [0, 2]),
    )


def estimate(
    found: Statistics, sigma_px: np.ndarray, pairs: tuple[int, ...]
) -> np.ndarray:
    """Deviations that the residuals show, beside what all of them show.

    A joint's are those of its mirror image; those of a view are its own as far as it
    has enough of them.

    Args:
      found: of residuals in units of `sigma_px`.
      sigma_px: `[V, J]`, of detections with confidence 1.
      pairs: `[J]`, each joint's counterpart.

    Returns:
      `[V, J]`.
    """
    free = np.maximum(found.coordinates - found.taken, _LEAST_FREE * found.coordinates)
    squares = found.squares * sigma_px**2
    # Both sides together.
    free, squares = free + free[:, pairs], squares + squares[:, pairs]
    if not free.sum() > 0:
        return sigma_px
    profile = sigma_px**2 / np.mean(sigma_px**2)
    overall = np.sum(squares / profile) / np.sum(free)
    joint = (squares.sum(axis=0) + _OF_JOINT * overall * profile.mean(axis=0)) / (
        free.sum(axis=0) + _OF_JOINT
    )
    view = (squares + _OF_VIEW * joint) / (free + _OF_VIEW)
    return np.maximum(np.sqrt(view), _LEAST_PX)


def lasting_share(found: Statistics) -> float:
    """The share of the noise that lasts, of correlations that fall geometrically."""
    none, one, two = found.lags
    if none <= 0:
        return 0.0
    one, two = one / none, two / none
    if one < _CHANCE or two < _CHANCE:
        return 0.0
    return float(min(one**2 / two, _MOST_LASTING))


def view_shifts(found: Statistics, sigma_px: np.ndarray) -> np.ndarray:
    """How far each view shows everything beside where its camera says, `[V, 2]`, px.

    Cameras that have moved since they were calibrated, by a little, show a body beside
    its place. Shifts that are small beside the noise are none.
    """
    shifts = found.shifts / np.maximum(found.weight, np.finfo(float).tiny)[:, None]
    large = np.linalg.norm(shifts, axis=-1) > _SHIFTED * np.mean(sigma_px, axis=-1)
    return np.where(large[:, None], shifts, 0.0)
