"""Where the minimiser starts: triangulated joints, completed by the prior."""

import tensorflow as tf

from human_pose.calibrated import energy as en
from human_pose.calibrated.frames import assembly

# Joints farther from the median joint are no joints of this body.
_WILD_MM = 1300.0
# What triangulated joints are trusted to, beside the prior.
_TRIANGULATED_MM = 40.0


def complete(points_mm, body, layout):
    """Whole bodies from triangulated joints.

    Args:
      points_mm: `[F, J, 3]`, NaN where unknown.
      body: the prior of a person.
      layout: of the skeleton.

    Returns:
      Turns `[F, 3, 3]` and joints `[F, J, 3]`.
    """
    known = tf.reduce_all(tf.math.is_finite(points_mm), -1)
    points = tf.where(known[..., None], points_mm, tf.zeros_like(points_mm))
    centre = masked_median(points, known)
    near = tf.norm(points - centre[:, None], axis=-1) < _WILD_MM
    known &= near
    share = tf.cast(known, points.dtype)
    weight = share / tf.maximum(tf.reduce_sum(share, -1, keepdims=True), 1)
    # The most likely component's heading: the one that fits best.
    means = body.means_mm
    x = points - tf.reduce_sum(weight[..., None] * points, 1, keepdims=True)
    mean_there = tf.einsum("fj,mjc->fmc", weight, means)
    m = means - mean_there[:, :, None]  # [F, M, J, 3]
    dot = tf.einsum("fj,fmjc,fjc->fm", weight, m[..., :2], x[..., :2])
    cross = tf.einsum("fj,fmj,fj->fm", weight, m[..., 0], x[..., 1])
    cross -= tf.einsum("fj,fmj,fj->fm", weight, m[..., 1], x[..., 0])
    heading = tf.atan2(cross, dot)
    turns = about_z(heading)  # [F, M, 3, 3]
    turned = tf.einsum("fmab,fmjb->fmja", turns, m)
    misfit = tf.einsum(
        "fj,fmj->fm", weight, tf.reduce_sum((x[:, None] - turned) ** 2, -1)
    )
    best = tf.argmin(misfit, -1)
    turn = tf.gather(turns, best, batch_dims=1)
    return turn, conditional(points, share, turn, best, body, layout)


def about_z(angle):
    cosine, sine = tf.cos(angle), tf.sin(angle)
    zero, one = tf.zeros_like(angle), tf.ones_like(angle)
    rows = [[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]]
    return tf.stack([tf.stack(row, -1) for row in rows], -2)


def masked_median(points, known):
    """The median of the known joints, `[F, 3]`."""
    big = tf.where(
        known[..., None], points, tf.fill(tf.shape(points), tf.cast(1e9, points.dtype))
    )
    ordered = tf.sort(big, axis=1)
    count = tf.reduce_sum(tf.cast(known, tf.int32), -1)
    return tf.gather(ordered, tf.maximum(count - 1, 0) // 2, axis=1, batch_dims=1)


def conditional(points, share, turn, best, body, layout):
    """The prior's most likely pose beside points of one precision each, `[F, J, 3]`."""
    precision = tf.gather(body.precisions, best)
    mean = tf.gather(body.means_mm, best)
    joints = points.shape[1]
    trust = tf.repeat(share, 3, axis=1) / _TRIANGULATED_MM**2 + 1e-12
    matrix = tf.linalg.set_diag(precision, tf.linalg.diag_part(precision) + trust)
    flat = tf.reshape(points @ turn, [-1, joints * 3])
    right = trust * flat + tf.linalg.matvec(
        precision, tf.reshape(mean, [-1, joints * 3])
    )
    found = tf.linalg.cholesky_solve(tf.linalg.cholesky(matrix), right[..., None])
    return tf.matmul(tf.reshape(found, [-1, joints, 3]), turn, transpose_b=True)
