"""The energy of poses: minus the logarithm of their posterior density.

For each frame, with the joints X (world mm) and the turn R of the body,

    E = Σ_v −log Σ_s π_s Π_j f(detection_vj | joint s(j))        detections, swaps
        − α log Σ_m π_m t_ν(R⊤(X − mean X); μ_m, Σ_m)             the body's poses
        + ½ Σ_k ((|d_k| − L_k) / s)²                              bones
        + tilt(R)                                                 upright bodies

where f is a Gaussian around the joint's image or, with share ε, a wider one, and s runs
over the exchanges of left and right that a detector makes in a view. For the frames of
a sequence, the acceleration in the body's frame is a Student-t.
"""

import math
from typing import NamedTuple

import tensorflow as tf

# Depths below it are no depths: what is behind a camera is seen nowhere.
_NEAREST_MM = 300.0


class Unknowns(NamedTuple):
    """What is minimised over: joints `[..., J, 3]`, world mm, and turns `[..., 3]`.

    A turn is a rotation vector, rad, after the turn where the minimiser started.
    """

    joints_mm: tf.Tensor
    turn_rad: tf.Tensor


class Observations(NamedTuple):
    """Detections, without the lens' distortion, and the cameras.

    Attributes:
      points_px: `[..., V, J, 2]`; 0 where not seen.
      seen: `[..., V, J]`, 1 or 0.
      sigma_px: `[..., V, J]`, of the detections, or to be broadcast so.
      projection: `[V, 3, 4]`, to homogeneous pixels.
    """

    points_px: tf.Tensor
    seen: tf.Tensor
    sigma_px: tf.Tensor
    projection: tf.Tensor


class Body(NamedTuple):
    """The prior, retargeted to a person.

    Attributes:
      means_mm: `[M, J, 3]`.
      precisions: `[M, 3J, 3J]`, 1 / mm²; zero along translations.
      log_weights: `[M]`, with half the logarithms of the determinants.
      lengths_mm: `[B]`, of the bones.
      acceleration_precision: `[3J, 3J]`, 1 / mm².
    """

    means_mm: tf.Tensor
    precisions: tf.Tensor
    log_weights: tf.Tensor
    lengths_mm: tf.Tensor
    acceleration_precision: tf.Tensor


class Weights(NamedTuple):
    """The energy's weights, each a scalar.

    Attributes:
      outlier_share: ε.
      outlier_px: τ, the wider Gaussian's additional deviation.
      swaps: `[S]`, prior probabilities of the exchanges of left and right.
      prior: α.
      prior_freedom: ν of the poses.
      bone_mm: s.
      tilt_rad: the deviation of a body from upright.
      time: strength of the accelerations.
      time_freedom: ν of the accelerations.
      steady: what a detection says of where a joint is, for 1 / σ².
      change: what two in succession say of how it moved, for 1 / σ².
    """

    outlier_share: tf.Tensor
    outlier_px: tf.Tensor
    swaps: tf.Tensor
    prior: tf.Tensor
    prior_freedom: tf.Tensor
    bone_mm: tf.Tensor
    tilt_rad: tf.Tensor
    time: tf.Tensor
    time_freedom: tf.Tensor
    steady: tf.Tensor
    change: tf.Tensor


class Layout(NamedTuple):
    """What does not change: of the skeleton, static.

    Attributes:
      counterpart: of each joint, its mirror image's.
      exchanges: S rows of J: whether a joint takes part in the exchange.
      bones: (parent, child) of each bone.
    """

    counterpart: tuple[int, ...]
    exchanges: tuple[tuple[bool, ...], ...]
    bones: tuple[tuple[int, int], ...]
    lasting: bool = False


def project(joints_mm, projection):
    """Images `[..., V, J, 2]` of joints `[..., J, 3]`, and their depths."""
    linear = tf.einsum("...jc,vdc->...vjd", joints_mm, projection[..., :3])
    homogeneous = linear + projection[:, None, :, 3]
    depth = tf.maximum(homogeneous[..., 2:], _NEAREST_MM)
    return homogeneous[..., :2] / depth, depth


class Seen(NamedTuple):
    """Log densities of detections, and what the steps need of them."""

    log_density: tf.Tensor
    residual: tf.Tensor


def log_density(squared, sigma_px, seen, weights):
    """Logarithms of the mixture of two Gaussians in the plane."""
    narrow = tf.square(sigma_px)
    wide = narrow + tf.square(weights.outlier_px)
    share = weights.outlier_share
    inside = tf.math.log1p(-share) - 0.5 * squared / narrow - tf.math.log(narrow)
    outside = tf.math.log(share) - 0.5 * squared / wide - tf.math.log(wide)
    high = tf.maximum(inside, outside)
    both = high + tf.math.log1p(tf.exp(-tf.abs(inside - outside)))
    return seen * (both - math.log(2 * math.pi))


def inlier_weight(squared, sigma_px, seen, weights):
    """Expected precision of detections, `[...]`, 1 / px²: E-step."""
    narrow = tf.square(sigma_px)
    wide = narrow + tf.square(weights.outlier_px)
    share = weights.outlier_share
    inside = tf.math.log1p(-share) - 0.5 * squared / narrow - tf.math.log(narrow)
    outside = tf.math.log(share) - 0.5 * squared / wide - tf.math.log(wide)
    inlier = tf.sigmoid(inside - outside)
    return seen * (inlier / narrow + (1 - inlier) / wide)


def exchange_logits(images, observed, weights, layout):
    """Straight log densities `[..., V]`, summed, and logits of exchanges `[..., V, S]`."""
    straight = tf.reduce_sum(tf.square(images - observed.points_px), -1)
    straight = log_density(straight, observed.sigma_px, observed.seen, weights)
    flipped = tf.gather(images, layout.counterpart, axis=-2)
    exchanged = tf.reduce_sum(tf.square(flipped - observed.points_px), -1)
    exchanged = log_density(exchanged, observed.sigma_px, observed.seen, weights)
    members = tf.constant(layout.exchanges, images.dtype)
    gains = tf.einsum("...j,sj->...s", exchanged - straight, members)
    return tf.reduce_sum(straight, -1), gains + tf.math.log(weights.swaps)


def detection_energy(joints_mm, observed, weights, layout):
    """`[...]`."""
    images, _ = project(joints_mm, observed.projection)
    if len(layout.exchanges) == 1:
        squared = tf.reduce_sum(tf.square(images - observed.points_px), -1)
        fit = log_density(squared, observed.sigma_px, observed.seen, weights)
        return -tf.reduce_sum(fit, [-2, -1])
    straight, logits = exchange_logits(images, observed, weights, layout)
    return -tf.reduce_sum(straight + tf.reduce_logsumexp(logits, -1), -1)


def rotation(turn_rad):
    """Matrices `[..., 3, 3]` of rotation vectors `[..., 3]`, smooth at 0."""
    squared = tf.reduce_sum(tf.square(turn_rad), -1)[..., None, None]
    small = squared < 1e-8
    safe = tf.where(small, tf.ones_like(squared), squared)
    angle = tf.sqrt(safe)
    first = tf.where(small, 1 - squared / 6, tf.sin(angle) / angle)
    second = tf.where(small, 0.5 - squared / 24, (1 - tf.cos(angle)) / safe)
    cross = skew(turn_rad)
    return tf.eye(3, dtype=cross.dtype) + first * cross + second * (cross @ cross)


def skew(vector):
    """`[..., 3]` -> the matrices `[..., 3, 3]` of the cross product from the left."""
    x, y, z = tf.unstack(vector, axis=-1)
    zero = tf.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return tf.stack([tf.stack(row, -1) for row in rows], -2)


def in_body(x, start):
    """Joints in the body's frame `[..., J, 3]`, centred."""
    centred = x.joints_mm - tf.reduce_mean(x.joints_mm, -2, keepdims=True)
    return centred @ (start @ rotation(x.turn_rad))


def distances(poses, body):
    """Squared Mahalanobis distances `[..., M]`."""
    offset = poses[..., None, :, :] - body.means_mm
    flat = tf.reshape(offset, [*offset.shape[:-2], offset.shape[-2] * 3])
    return tf.einsum(
        "...mi,...mi->...m", flat, tf.einsum("...mi,mij->...mj", flat, body.precisions)
    )


def component_logits(squared, body, weights):
    """`[..., M]`."""
    size = tf.cast(body.means_mm.shape[-2] * 3 - 3, squared.dtype)
    nu = weights.prior_freedom
    tail = 0.5 * (nu + size) * tf.math.log1p(squared / nu)
    return body.log_weights - tail


def prior_energy(poses, body, weights):
    """`[...]`."""
    logits = component_logits(distances(poses, body), body, weights)
    return -weights.prior * tf.reduce_logsumexp(logits, -1)


def tilt_energy(x, start, weights):
    """`[...]`, of the angle between the body's axis and the vertical."""
    upright = (start @ rotation(x.turn_rad))[..., 2, 2]
    squared = 2 * (1 - upright) / tf.square(weights.tilt_rad)
    return 2.5 * tf.math.log1p(squared / 3)  # Student-t of 3 degrees in the plane


def bone_vectors(joints_mm, layout):
    """`[..., B, 3]`."""
    parents, children = zip(*layout.bones, strict=True)
    return tf.gather(joints_mm, children, axis=-2) - tf.gather(
        joints_mm, parents, axis=-2
    )


def bone_energy(joints_mm, body, weights, layout):
    """`[...]`."""
    lengths = tf.norm(bone_vectors(joints_mm, layout), axis=-1)
    return 0.5 * tf.reduce_sum(
        tf.square((lengths - body.lengths_mm) / weights.bone_mm), -1
    )


def frame_energy(x, start, observed, body, weights, layout):
    """`[...]`, of each frame by itself."""
    return (
        detection_energy(x.joints_mm, observed, weights, layout)
        + prior_energy(in_body(x, start), body, weights)
        + tilt_energy(x, start, weights)
        + bone_energy(x.joints_mm, body, weights, layout)
    )
