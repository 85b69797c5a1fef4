"""Where the minimiser starts: triangulated joints, completed by the prior."""

from typing import Final

import tensorflow as tf

from human_pose.calibrated.energy import Body, Observed, Weights, tilt_energy

# Joints farther from the median joint are none of this body (Design).
_WILD_MM: Final = 1300.0
# What triangulated joints are trusted to beside the prior, and the others.
_TRUST_MM: Final = 40.0
_UNKNOWN_MM: Final = 1e6
# A misfit of the mean pose of that size costs as much as one deviation.
_MISFIT_MM: Final = 60.0
_LARGE: Final = 1e12


def complete(
    points_mm: tf.Tensor, known: tf.Tensor, body: Body, weights: Weights
) -> tuple[tf.Tensor, tf.Tensor]:
    """Whole bodies from some joints.

    The turn is the one that brings a component's mean pose nearest to the joints: about
    the vertical, or in space where that is so much better that leaning explains it.

    Args:
      points_mm: `[F, J, 3]`; any finite value where unknown.
      known: bool `[F, J]`.
      body: the prior.
      weights: of the energy.

    Returns:
      Turns, body to world, `[F, 3, 3]`, and joints `[F, J, 3]`.
    """
    centre = _median(points_mm, known)
    near = tf.norm(points_mm - centre[:, None], axis=-1) < _WILD_MM
    share = tf.cast(known & near, points_mm.dtype)
    total = tf.reduce_sum(share, -1, keepdims=True)
    weight = share / tf.maximum(total, 1)
    middle = tf.einsum("fj,fjc->fc", weight, points_mm)
    x = share[..., None] * (points_mm - middle[:, None])
    means = body.means_mm
    m = means - tf.einsum("fj,mjc->fmc", weight, means)[:, :, None]
    together = tf.einsum("fj,fjc,fmjd->fmcd", weight, x, m)
    upright = _about_z(together)
    free = _nearest_rotation(together)
    turns = tf.concat([upright, free], 1)  # [F, 2M, 3, 3]
    both = tf.concat([m, m], 1)
    off = x[:, None] - tf.matmul(both, turns, transpose_b=True)
    misfit = tf.einsum("fj,fmjc->fm", weight, tf.square(off))
    # Mean poses say little where few joints are known: then bodies are upright.
    cost = 0.5 * tf.minimum(total, 9) * misfit / _MISFIT_MM**2
    cost += tilt_energy(turns, weights)
    best = tf.argmin(cost, -1)
    turn = tf.gather(turns, best, batch_dims=1)
    component = tf.math.floormod(best, means.shape[0])
    joints = _conditional(points_mm, share, turn, component, body)
    return turn, joints


def _median(points: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """The median of the known points, coordinate by coordinate, `[F, 3]`."""
    last = tf.constant(_LARGE, points.dtype)
    ordered = tf.sort(tf.where(known[..., None], points, last), axis=1)
    count = tf.reduce_sum(tf.cast(known, tf.int32), -1)
    middle = tf.maximum(count - 1, 0) // 2
    return tf.gather(ordered, middle, axis=1, batch_dims=1)


def _about_z(together: tf.Tensor) -> tf.Tensor:
    """Rotations about z that bring poses together, `[F, M, 3, 3]`."""
    cosine = together[..., 0, 0] + together[..., 1, 1]
    sine = together[..., 1, 0] - together[..., 0, 1]
    length = tf.sqrt(tf.square(cosine) + tf.square(sine))
    flat = length <= 0
    length = tf.where(flat, tf.ones_like(length), length)
    cosine = tf.where(flat, tf.ones_like(length), cosine / length)
    sine = sine / length
    zero, one = tf.zeros_like(sine), tf.ones_like(sine)
    rows = [[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]]
    return tf.stack([tf.stack(row, -1) for row in rows], -2)


def _nearest_rotation(together: tf.Tensor) -> tf.Tensor:
    """Rotations that bring poses together (Kabsch), `[F, M, 3, 3]`."""
    _, left, right = tf.linalg.svd(together)
    sign = tf.sign(tf.linalg.det(tf.matmul(left, right, transpose_b=True)))
    ones = tf.ones_like(sign)
    proper = tf.stack([ones, ones, tf.where(sign == 0, ones, sign)], -1)
    return tf.matmul(left * proper[..., None, :], right, transpose_b=True)


def _conditional(
    points: tf.Tensor,
    share: tf.Tensor,
    turn: tf.Tensor,
    component: tf.Tensor,
    body: Body,
) -> tf.Tensor:
    """The component's most likely pose beside the points, `[F, J, 3]`."""
    size = 3 * points.shape[1]
    precision = tf.gather(body.precisions, component)
    mean = tf.reshape(tf.gather(body.means_mm, component), [-1, size])
    trust = tf.repeat(share, 3, axis=1) / _TRUST_MM**2 + 1 / _UNKNOWN_MM**2
    matrix = tf.linalg.set_diag(precision, tf.linalg.diag_part(precision) + trust)
    flat = tf.reshape((share[..., None] * points) @ turn, [-1, size])
    right = trust * flat + tf.linalg.matvec(precision, mean)
    factor = tf.linalg.cholesky(matrix)
    found = tf.linalg.cholesky_solve(factor, right[..., None])
    return tf.matmul(tf.reshape(found, [-1, size // 3, 3]), turn, transpose_b=True)


def place_by_size(observed: Observed, body: Body) -> tuple[tf.Tensor, tf.Tensor]:
    """Joints at the depth where the body is as large as a view shows it.

    For frames whose joints no two views see: all in a plane in front of the view that
    shows most, `[F, J, 3]`, and which of them it shows.
    """
    count = tf.reduce_sum(observed.seen, -1)
    view = tf.argmax(count, -1)
    seen = tf.gather(observed.seen, view, batch_dims=1)
    points = tf.gather(observed.points_px, view, batch_dims=1)
    total = tf.maximum(tf.reduce_sum(seen, -1, keepdims=True), 1)
    middle = tf.reduce_sum(seen[..., None] * points, 1) / total
    off = seen[..., None] * (points - middle[:, None])
    shown_px = tf.sqrt(tf.reduce_sum(tf.square(off), [1, 2]) / total[:, 0])
    mean = body.means_mm[0]
    there = seen[..., None] * (
        mean - tf.einsum("fj,jc->fc", seen / total, mean)[:, None]
    )
    spread = tf.reduce_sum(tf.square(there), [1, 2]) / total[:, 0]
    # A body turned any way shows two of three directions.
    real_mm = tf.sqrt(2 / 3 * spread)
    linear, shift = observed.projection[..., :3], observed.projection[..., 3]
    # The third row has length 1, so that the determinant is that of both focal lengths.
    own = int(linear.shape.rank == 4)  # cameras of each frame's own
    focal_px = tf.gather(tf.sqrt(tf.abs(tf.linalg.det(linear))), view, batch_dims=own)
    depth = focal_px * real_mm / tf.maximum(shown_px, 1)
    homogeneous = tf.concat([points, tf.ones_like(points[..., :1])], -1)
    inverse = tf.gather(tf.linalg.inv(linear), view, batch_dims=own)
    shift = tf.gather(shift, view, batch_dims=own)
    place = depth[:, None, None] * homogeneous - shift[:, None]
    return tf.matmul(place, inverse, transpose_b=True), seen > 0
