"""Points from their images in several views: by the best pair, refined over all.

Images are those of pinholes: a lens' distortion is undone before. Every joint of every
frame is a problem of its own, and all are solved at once.
"""

import itertools
from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.geometry.projection import by_matrices

# Images that far from a candidate's do not speak for it.
_INLIER_PX: Final = 15.0
# Where a residual begins to count as an outlier while points are refined.
_HUBER_PX: Final = 6.0
_REFINEMENTS: Final = 5
# Pairs for each view: all of up to seven views; linear in the views beyond.
_PAIRS_PER_VIEW: Final = 3
# Nearer to a camera's plane there is no image.
_PLANE_MM: Final = 1.0
# Of the product of the diagonal: a smaller determinant is that of parallel rays, or, in
# epsilons, nothing but rounding.
_SINGULAR: Final = 1e-12
_ROUNDING: Final = 10


class Triangulated(NamedTuple):
    """Points and what they are worth.

    Attributes:
      points_mm: `[F, J, 3]`, world; 0 where not known.
      known: bool `[F, J]`, whether two views or more see the point.
      information: `[F, J, 3, 3]`, of detections with a deviation of 1 px, 1 / mm².
      residual_px: `[F, V, J]`, distances of images from the points', 0 where not seen.
    """

    points_mm: tf.Tensor
    known: tf.Tensor
    information: tf.Tensor
    residual_px: tf.Tensor


def triangulate(
    points_px: tf.Tensor, seen: tf.Tensor, projection: tf.Tensor, pairs: np.ndarray
) -> Triangulated:
    """Triangulates by the pair of views that most others agree with, then refines.

    Args:
      points_px: `[F, V, J, 2]`, without distortion; any finite value where not seen.
      seen: `[F, V, J]`, 0 where not seen, else the weight of the detection.
      projection: `[V, 3, 4]`, world mm to homogeneous pixels; or `[F, V, 3, 4]`, where
        each frame has its own cameras.
      pairs: `[P, 2]`, of views, as `view_pairs` gives them.
    """
    point, known = _by_pairs(points_px, seen, projection, pairs)
    for _ in range(_REFINEMENTS):
        slope, residual, weight = _linearised(point, points_px, seen, projection)
        rows = tf.sqrt(weight)[..., None, None] * slope
        matrix = tf.einsum("fvjra,fvjrb->fjab", rows, rows)
        right = tf.einsum("fvjra,fvjr->fja", weight[..., None, None] * slope, residual)
        step = solve_3x3(matrix, right)
        point -= tf.where(tf.math.is_finite(step), step, tf.zeros_like(step))
    slope, residual, weight = _linearised(point, points_px, seen, projection)
    rows = tf.sqrt(weight)[..., None, None] * slope
    information = tf.einsum("fvjra,fvjrb->fjab", rows, rows)
    off = tf.norm(residual, axis=-1) * tf.cast(seen > 0, residual.dtype)
    return Triangulated(point, known, information, off)


def all_pairs(views: int) -> np.ndarray:
    """Every pair of views, `[P, 2]`; empty for a single one."""
    pairs = [*itertools.combinations(range(views), 2)]
    return np.array(pairs, np.int32).reshape(-1, 2)


def view_pairs(projection: np.ndarray) -> np.ndarray:
    """Pairs of views to start from, `[P, 2]`; empty for a single view.

    Of many views those whose axes are nearest to a right angle, a few for each; their
    choice does not depend on the views' order.

    Args:
      projection: `[V, 3, 4]`.
    """
    views = len(projection)
    pairs = all_pairs(views).tolist()
    axes = projection[:, 2, :3] / np.linalg.norm(projection[:, 2, :3], axis=-1)[:, None]
    slant = [abs(float(axes[a] @ axes[b])) for a, b in pairs]
    order = sorted(range(len(pairs)), key=slant.__getitem__)
    counts = [0] * views
    chosen = []
    for place in order:
        a, b = pairs[place]
        if min(counts[a], counts[b]) < _PAIRS_PER_VIEW * 2:
            counts[a] += 1
            counts[b] += 1
            chosen.append(pairs[place])
    # In one order, so that rigs of the same pairs are alike.
    return np.array(sorted(chosen), np.int32).reshape(-1, 2)


def solve_3x3(matrix: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Solutions `[..., 3]` of symmetric systems by the adjugate; NaN where singular.

    Elementwise, which for many small systems is much faster than a factorisation each.

    Args:
      matrix: `[..., 3, 3]`, positive semidefinite.
      right: `[..., 3]`.
    """
    a, b, c = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 0, 2]
    d, e, f = matrix[..., 1, 1], matrix[..., 1, 2], matrix[..., 2, 2]
    aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
    bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = a * aa + b * ab + c * ac
    x, y, z = tf.unstack(right, axis=-1)
    found = tf.stack(
        [aa * x + ab * y + ac * z, ab * x + bb * y + bc * z, ac * x + bc * y + cc * z],
        -1,
    )
    least = max(_SINGULAR, _ROUNDING * np.finfo(matrix.dtype.as_numpy_dtype).eps)
    regular = determinant > least * a * d * f
    divisor = tf.where(regular, determinant, tf.ones_like(determinant))
    nan = tf.constant(np.nan, found.dtype)
    return tf.where(regular[..., None], found / divisor[..., None], nan)


def _by_pairs(
    points_px: tf.Tensor, seen: tf.Tensor, projection: tf.Tensor, pairs: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    """The best pair's points `[F, J, 3]`, and whether there is one, bool `[F, J]`.

    Of many views not all pairs are tried. All that see a joint, together, stand beside
    those: of neighbours that alone see one none may be a pair.
    """
    if not len(pairs):
        nothing = tf.zeros_like(seen[:, 0])
        return tf.stack([nothing] * 3, -1), tf.zeros_like(nothing, tf.bool)
    own = projection[..., None, :, :]
    rows = own[..., :2, :] - points_px[..., None] * own[..., 2:, :]
    rows /= tf.norm(rows[..., :3], axis=-1, keepdims=True)
    gram = tf.matmul(rows[..., :3], rows[..., :3], transpose_a=True)
    pull = -tf.einsum("...rc,...r->...c", rows[..., :3], rows[..., 3])

    def of_pairs(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first, second = (tf.gather(values, pairs[:, i], axis=1) for i in (0, 1))
        return first, second

    see_first, see_second = of_pairs(seen > 0)
    both = see_first & see_second
    grams, pulls = sum(of_pairs(gram)), sum(of_pairs(pull))
    if len(pairs) < len(all_pairs(projection.shape[-3])):
        share = tf.cast(seen > 0, gram.dtype)[..., None]
        whole = tf.reduce_sum(share[..., None] * gram, 1, keepdims=True)
        grams = tf.concat([grams, whole], 1)
        pulls = tf.concat([pulls, tf.reduce_sum(share * pull, 1, keepdims=True)], 1)
        count = tf.reduce_sum(tf.cast(seen > 0, tf.int32), 1, keepdims=True)
        both = tf.concat([both, count >= 2], 1)
    candidates = solve_3x3(grams, pulls)  # [F, P, J, 3]
    images, depth = _images(candidates, projection)
    squared = tf.reduce_sum(tf.square(images - points_px[:, None]), -1)
    limit = tf.constant(_INLIER_PX**2, squared.dtype)
    # NaN, of parallel rays, is no agreement, either.
    agrees = (squared < limit) & (depth > 0)
    cost = tf.where(agrees, squared, limit)
    cost = tf.reduce_sum(cost * seen[:, None], 2)
    possible = both & tf.reduce_all(tf.math.is_finite(candidates), -1)
    cost = tf.where(possible, cost, tf.constant(np.inf, cost.dtype))
    best = tf.argmin(cost, 1)
    point = tf.gather(
        tf.transpose(candidates, [0, 2, 1, 3]), best, axis=2, batch_dims=2
    )
    known = tf.reduce_any(possible, 1)
    return tf.where(known[..., None], point, tf.zeros_like(point)), known


def _images(points_mm: tf.Tensor, projection: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Images `[..., V, J, 2]` and depths `[..., V, J]`."""
    homogeneous = by_matrices(points_mm, projection)
    depth = homogeneous[..., 2]
    safe = tf.where(tf.abs(depth) > _PLANE_MM, depth, tf.ones_like(depth))
    return homogeneous[..., :2] / safe[..., None], depth


def _linearised(
    point: tf.Tensor, points_px: tf.Tensor, seen: tf.Tensor, projection: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Images' slopes `[F, V, J, 2, 3]`, residuals, and their weights `[F, V, J]`."""
    images, depth = _images(point, projection)
    residual = images - points_px
    ahead = projection[..., None, 2:, :3]
    safe = tf.where(tf.abs(depth) > _PLANE_MM, depth, tf.ones_like(depth))
    slope = projection[..., None, :2, :3] - images[..., None] * ahead
    size = tf.reduce_sum(tf.square(residual), -1) / _HUBER_PX**2
    return slope / safe[..., None, None], residual, seen * tf.math.rsqrt(1 + size)
