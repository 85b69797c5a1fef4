"""Points from images in several views: linear, robust, and what each point is worth."""

import itertools

import numpy as np
import tensorflow as tf

# Within it of a candidate, an image supports it.
_INLIER_PX = 15.0
_STEPS = 5
_HUBER_PX = 6.0


def view_pairs(views):
    """Pairs of views, `[P, 2]`."""
    return np.array(list(itertools.combinations(range(views), 2)), np.int32)


def images_of(points_mm, projection):
    """`[..., V, J, 2]` and depths `[..., V, J]`."""
    linear = tf.einsum("...jc,vdc->...vjd", points_mm, projection[..., :3])
    homogeneous = linear + projection[:, None, :, 3]
    depth = homogeneous[..., 2]
    safe = tf.where(tf.abs(depth) > 1.0, depth, tf.ones_like(depth))
    return homogeneous[..., :2] / safe[..., None], depth


def inverse_3x3_solve(matrix, right):
    """Solutions of symmetric 3 x 3 systems, elementwise: fast for many."""
    a, b, c = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 0, 2]
    d, e, f = matrix[..., 1, 1], matrix[..., 1, 2], matrix[..., 2, 2]
    aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
    bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
    det = a * aa + b * ab + c * ac
    x, y, z = tf.unstack(right, axis=-1)
    found = tf.stack(
        [aa * x + ab * y + ac * z, ab * x + bb * y + bc * z, ac * x + bc * y + cc * z],
        -1,
    )
    size = a * d * f
    fine = det > 1e-12 * size
    return tf.where(
        fine[..., None],
        found / tf.where(fine, det, tf.ones_like(det))[..., None],
        np.nan,
    )


def rows_of(points_px, projection):
    """Linear rows `[..., V, J, 2, 4]`, each of unit length in its direction."""
    rows = projection[:, None, :2] - points_px[..., None] * projection[:, None, 2:]
    return rows / tf.norm(rows[..., :3], axis=-1, keepdims=True)


def robust(points_px, seen, projection):
    """Triangulates by the best pair of views, and refines over its inliers.

    Args:
      points_px: `[F, V, J, 2]`, without distortion; any finite value where not seen.
      seen: `[F, V, J]`, weights, 0 where not seen.
      projection: `[V, 3, 4]`.

    Returns:
      `[F, J, 3]`, world mm, NaN where fewer than two views see the joint, and the
      weights of the views `[F, V, J]`.
    """
    rows = rows_of(points_px, projection)
    gram = tf.matmul(rows[..., :3], rows[..., :3], transpose_a=True)
    pull = -tf.einsum("...rc,...r->...c", rows[..., :3], rows[..., 3])
    gram, pull = gram * seen[..., None, None], pull * seen[..., None]
    pairs = view_pairs(projection.shape[0])
    first, second = pairs[:, 0], pairs[:, 1]

    def two(x):
        return tf.gather(x, first, axis=1) + tf.gather(x, second, axis=1)

    both = tf.gather(seen, first, axis=1) * tf.gather(seen, second, axis=1)
    candidates = inverse_3x3_solve(two(gram), two(pull))
    images, depth = images_of(candidates, projection)  # [F, P, V, J, 2]
    squared = tf.reduce_sum(tf.square(images - points_px[:, None]), -1)
    squared = tf.where(depth > 0, squared, np.inf)
    cost = tf.minimum(squared, _INLIER_PX**2)
    cost = tf.where(tf.math.is_nan(cost), tf.cast(_INLIER_PX**2, cost.dtype), cost)
    cost = tf.reduce_sum(cost * seen[:, None], 2)
    cost = tf.where(both > 0, cost, np.inf)
    best = tf.argmin(cost, 1)  # [F, J]
    point = tf.gather(
        tf.transpose(candidates, [0, 2, 1, 3]), best, axis=2, batch_dims=2
    )
    known = tf.reduce_any(both > 0, 1) & tf.reduce_all(tf.math.is_finite(point), -1)
    point = tf.where(known[..., None], point, tf.zeros_like(point))

    def weigh(point):
        images, depth = images_of(point, projection)
        residual = images - points_px
        size = tf.norm(residual, axis=-1)
        huber = tf.math.rsqrt(1 + tf.square(size / _HUBER_PX))
        return images, depth, residual, seen * huber

    for _ in range(_STEPS):
        images, depth, residual, weight = weigh(point)
        safe = tf.where(tf.abs(depth) > 1.0, depth, tf.ones_like(depth))
        slope = (
            projection[:, None, :2, :3]
            - images[..., None] * projection[:, None, 2:, :3]
        ) / safe[..., None, None]
        scaled = slope * weight[..., None, None]
        matrix = tf.einsum("fvjra,fvjrb->fjab", scaled, slope)
        right = tf.einsum("fvjra,fvjr->fja", scaled, residual)
        step = inverse_3x3_solve(matrix, right)
        step = tf.where(tf.math.is_finite(step), step, tf.zeros_like(step))
        point = point - step
    *_, weight = weigh(point)
    return tf.where(known[..., None], point, np.nan), weight
