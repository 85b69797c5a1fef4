"""The energy of poses: minus the logarithm of their posterior density.

For each frame, with the joints X (world mm) and the turn R of the body,

    E = -Σ_v log Σ_s π_s Π_j f(detection_vj | joint s(j))       detections and swaps
        - α log Σ_m w_m t_ν(Rᵀ(X - mean X); μ_m, Σ_m)            the body's poses
        + ½ Σ_k ((|d_k| - L_k) / s)²                             bones
        + a Student-t of the angle from upright                  leaning bodies

where f is a Gaussian about the joint's image or, with share ε, a wider one, and s runs
over the exchanges of left and right that a detector makes in a view. In a sequence the
joints' accelerations in the body's frame are a Student-t besides (`chains`). Constants
that do not depend on the unknowns or the weights are left out.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.geometry.projection import by_matrices

# What is nearer to a camera than this, or behind it, is taken to be this far: its image
# stays finite, and only the joint's other views move it.
_NEAREST_MM: Final = 300.0
# Below it a turn's series is exact to rounding.
_SMALL_RAD2: Final = 1e-6
_TILT_FREEDOM: Final = 3.0


class Unknowns(NamedTuple):
    """What is minimised over.

    Attributes:
      joints_mm: `[F, J, 3]`, world.
      turn_rad: `[F, 3]`, rotation vectors after the turn where the minimiser started.
    """

    joints_mm: tf.Tensor
    turn_rad: tf.Tensor


class Observed(NamedTuple):
    """Detections, freed of the lens' distortion, and the cameras.

    Attributes:
      points_px: `[F, V, J, 2]`; 0 where not seen.
      seen: `[F, V, J]`, 1 or 0.
      sigma_px: `[F, V, J]`, the detections' deviations.
      outlier_px: `[V]` or `[F, V]`, τ: outliers' deviation besides.
      projection: `[V, 3, 4]`, world mm to homogeneous pixels; or `[F, V, 3, 4]`.
      whitening: `[F, V, J, 2, 2]`, matrices W of determinant 1: of W r the deviation is
        σ in every direction, and σ² the root of the determinant of r's covariance; or
        () where it is so of r itself.
    """

    points_px: tf.Tensor
    seen: tf.Tensor
    sigma_px: tf.Tensor
    outlier_px: tf.Tensor
    projection: tf.Tensor
    whitening: tf.Tensor | tuple[()] = ()

    @property
    def directed(self) -> bool:
        """Whether detections are more exact in some directions."""
        return not isinstance(self.whitening, tuple)


class Body(NamedTuple):
    """The prior, retargeted to a person.

    Attributes:
      means_mm: `[M, J, 3]`.
      precisions: `[M, 3J, 3J]`, 1 / mm²; zero along translations.
      log_shares: `[M]`, with half the logarithms of the precisions' determinants.
      lengths_mm: `[B]`, of the bones.
      spreads_mm: `[B]`, how far the lengths may be wrong.
      acceleration: `[3J, 3J]`, precision of accelerations, 1 / mm².
    """

    means_mm: tf.Tensor
    precisions: tf.Tensor
    log_shares: tf.Tensor
    lengths_mm: tf.Tensor
    spreads_mm: tf.Tensor
    acceleration: tf.Tensor


class Weights(NamedTuple):
    """The energy's weights, scalars but for `swaps`; see `EnergyConfig`.

    Attributes:
      outlier_share: ε.
      swaps: `[S]`, prior probabilities of the exchanges of left and right.
      prior: α.
      prior_freedom: ν of the poses.
      bone_mm: s.
      tilt_rad: deviation of a body from upright.
      time: strength of the accelerations.
      time_freedom: ν of the accelerations.
    """

    outlier_share: tf.Tensor
    swaps: tf.Tensor
    prior: tf.Tensor
    prior_freedom: tf.Tensor
    bone_mm: tf.Tensor
    tilt_rad: tf.Tensor
    time: tf.Tensor
    time_freedom: tf.Tensor


class Layout(NamedTuple):
    """The skeleton as the energy uses it; static.

    Attributes:
      counterpart: `[J]`, of each joint its mirror image's.
      exchanges: bool `[S, J]`, joints that change sides, as of `ModelJoints`.
      bones: (parent, child) of each bone.
    """

    counterpart: tuple[int, ...]
    exchanges: np.ndarray
    bones: tuple[tuple[int, int], ...]


class Fit(NamedTuple):
    """How detections fit the joints that they are taken for.

    Attributes:
      log_density: `[F, V, J]`, of f; 0 where not seen.
      precision: `[F, V, J]`, expected 1 / σ² beside outliers, 1 / px²: E-step; matrices
        `[F, V, J, 2, 2]` where directions differ.
      inlier: `[F, V, J]`, probability that a detection is none.
    """

    log_density: tf.Tensor
    precision: tf.Tensor
    inlier: tf.Tensor


def trusted(points_px: tf.Tensor, confidence: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Detections `[..., 2]` and confidences, 0 both where nothing finite is seen."""
    finite = tf.math.is_finite(confidence)
    finite &= tf.reduce_all(tf.math.is_finite(points_px), -1)
    confidence = tf.where(finite & (confidence > 0), confidence, 0.0)
    return tf.where(confidence[..., None] > 0, points_px, 0.0), confidence


def project(joints_mm: tf.Tensor, projection: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Images `[..., V, J, 2]` of joints `[..., J, 3]`, px; depths `[..., V, J, 1]`."""
    homogeneous = by_matrices(joints_mm, projection)
    depth = tf.maximum(homogeneous[..., 2:], _NEAREST_MM)
    return homogeneous[..., :2] / depth, depth


def fit(images: tf.Tensor, observed: Observed, weights: Weights) -> Fit:
    """How well detections fit images `[F, V, J, 2]`."""
    residual = images - observed.points_px
    distance = tf.reduce_sum(tf.square(residual), -1)
    squared = distance
    if observed.directed:
        squared = tf.reduce_sum(
            tf.square(tf.linalg.matvec(observed.whitening, residual)), -1
        )
    narrow = tf.square(observed.sigma_px)
    wide = narrow + tf.square(observed.outlier_px)[..., None]
    share = weights.outlier_share
    inside = tf.math.log1p(-share) - 0.5 * squared / narrow - tf.math.log(narrow)
    # Outliers lie in any direction.
    outside = tf.math.log(share) - 0.5 * distance / wide - tf.math.log(wide)
    gap = tf.abs(inside - outside)
    density = tf.maximum(inside, outside) + tf.math.log1p(tf.exp(-gap))
    inlier = tf.sigmoid(inside - outside)
    seen = observed.seen
    known, far = seen * inlier / narrow, seen * (1 - inlier) / wide
    if observed.directed:
        shape = tf.matmul(observed.whitening, observed.whitening, transpose_a=True)
        known = known[..., None, None] * shape
        far = far[..., None, None] * tf.eye(2, dtype=shape.dtype)
    return Fit(seen * (density - math.log(2 * math.pi)), known + far, inlier)


def flipped(images: tf.Tensor, layout: Layout) -> tf.Tensor:
    """Images of each joint's counterpart."""
    return tf.gather(images, layout.counterpart, axis=-2)


def exchange_gains(straight: Fit, exchanged: Fit, layout: Layout) -> tf.Tensor:
    """What exchanges add to the logarithm of a view's density, `[F, V, S]`."""
    members = tf.constant(layout.exchanges, straight.log_density.dtype)
    gain = exchanged.log_density - straight.log_density
    return tf.einsum("...j,sj->...s", gain, members)


def detection_energy(
    joints_mm: tf.Tensor, observed: Observed, weights: Weights, layout: Layout
) -> tf.Tensor:
    """`[F]`."""
    images, _ = project(joints_mm, observed.projection)
    straight = fit(images, observed, weights)
    exchanged = fit(flipped(images, layout), observed, weights)
    logits = exchange_gains(straight, exchanged, layout) + tf.math.log(weights.swaps)
    swaps = tf.reduce_logsumexp(logits, -1)
    return -tf.reduce_sum(tf.reduce_sum(straight.log_density, -1) + swaps, -1)


def skew(vector: tf.Tensor) -> tf.Tensor:
    """Matrices `[..., 3, 3]` of the cross product with `[..., 3]` from the left."""
    x, y, z = tf.unstack(vector, axis=-1)
    zero = tf.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return tf.stack([tf.stack(row, -1) for row in rows], -2)


def rotation(turn_rad: tf.Tensor) -> tf.Tensor:
    """Matrices `[..., 3, 3]` of rotation vectors `[..., 3]`, smooth at 0."""
    squared = tf.reduce_sum(tf.square(turn_rad), -1)[..., None, None]
    small = squared < _SMALL_RAD2
    safe = tf.where(small, tf.ones_like(squared), squared)
    angle = tf.sqrt(safe)
    first = tf.where(small, 1 - squared / 6, tf.sin(angle) / angle)
    second = tf.where(small, 0.5 - squared / 24, (1 - tf.cos(angle)) / safe)
    cross = skew(turn_rad)
    return tf.eye(3, dtype=cross.dtype) + first * cross + second * (cross @ cross)


def restarted(x: Unknowns, turn: tf.Tensor) -> tuple[Unknowns, tf.Tensor]:
    """The same joints with their turns made part of the start."""
    turned = turn @ rotation(x.turn_rad)
    return Unknowns(x.joints_mm, tf.zeros_like(x.turn_rad)), turned


def in_body(x: Unknowns, start: tf.Tensor) -> tf.Tensor:
    """Joints in the body's frame, centred, `[F, J, 3]`."""
    centred = x.joints_mm - tf.reduce_mean(x.joints_mm, -2, keepdims=True)
    return centred @ (start @ rotation(x.turn_rad))


def pose_logits(
    poses_mm: tf.Tensor, body: Body, weights: Weights
) -> tuple[tf.Tensor, tf.Tensor]:
    """Log densities of the components, `[F, M]`, and the tails' expected precision."""
    size = 3 * poses_mm.shape[-2]
    parts = tf.shape(body.means_mm)[0]  # not known beforehand where it is 1
    offset = tf.reshape(poses_mm[:, None] - body.means_mm, [-1, parts, size])
    pulled = tf.einsum("fmi,mij->fmj", offset, body.precisions)
    squared = tf.reduce_sum(offset * pulled, -1)
    nu, free = weights.prior_freedom, size - 3
    tail = 0.5 * (nu + free) * tf.math.log1p(squared / nu)
    return body.log_shares - tail, (nu + free) / (nu + squared)


def prior_energy(poses_mm: tf.Tensor, body: Body, weights: Weights) -> tf.Tensor:
    """`[F]`."""
    logits, _ = pose_logits(poses_mm, body, weights)
    return -weights.prior * tf.reduce_logsumexp(logits, -1)


def tilt_energy(turn: tf.Tensor, weights: Weights) -> tf.Tensor:
    """`[F]`, of the angle between the bodies' axes and the vertical."""
    squared = 2 * (1 - turn[..., 2, 2]) / tf.square(weights.tilt_rad)
    return 0.5 * (_TILT_FREEDOM + 2) * tf.math.log1p(squared / _TILT_FREEDOM)


def tilt_curvature(turn: tf.Tensor, weights: Weights) -> tf.Tensor:
    """Its expected second derivative by turns after `turn`, `[F, 3, 3]`."""
    inverse = 1 / tf.square(weights.tilt_rad)
    squared = 2 * (1 - turn[..., 2, 2]) * inverse
    strength = inverse * (_TILT_FREEDOM + 2) / (_TILT_FREEDOM + squared)
    # Turns about the body's own axis do not tilt it; a trace keeps the block regular.
    level = tf.constant([1.0, 1.0, 1e-6], turn.dtype)
    return tf.linalg.diag(strength[..., None] * level)


def bone_vectors(joints_mm: tf.Tensor, layout: Layout) -> tf.Tensor:
    """From parents to children, `[F, B, 3]`."""
    parents, children = zip(*layout.bones, strict=True)
    begin = tf.gather(joints_mm, parents, axis=-2)
    return tf.gather(joints_mm, children, axis=-2) - begin


def bone_energy(
    joints_mm: tf.Tensor, body: Body, weights: Weights, layout: Layout
) -> tf.Tensor:
    """`[F]`."""
    lengths = tf.norm(bone_vectors(joints_mm, layout), axis=-1)
    off = tf.square(lengths - body.lengths_mm) / bone_variances(body, weights)
    return 0.5 * tf.reduce_sum(off, -1)


def bone_variances(body: Body, weights: Weights) -> tf.Tensor:
    """Of bones about the lengths that are taken for theirs, `[B]`, mm²."""
    return tf.square(weights.bone_mm) + tf.square(body.spreads_mm)


def frame_energy(
    x: Unknowns,
    start: tf.Tensor,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
) -> tf.Tensor:
    """The energy of each frame by itself, `[F]`.

    Args:
      x: joints and turns.
      start: `[F, 3, 3]`, body to world, before the turns of `x`.
      observed: what the views show.
      body: the prior.
      weights: of the terms.
      layout: of the skeleton.
    """
    turn = start @ rotation(x.turn_rad)
    return (
        detection_energy(x.joints_mm, observed, weights, layout)
        + prior_energy(in_body(x, start), body, weights)
        + tilt_energy(turn, weights)
        + bone_energy(x.joints_mm, body, weights, layout)
    )
