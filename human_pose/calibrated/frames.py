"""Steps of frames by themselves: Gauss-Newton with expected weights."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.calibrated import energy as en
from human_pose.geometry.triangulation import inverse_3x3_solve


def joint_blocks(images, depth, observed, weights, layout):
    """Precision blocks `[F, J, 3, 3]` of the detections in the world."""
    squared = tf.reduce_sum(tf.square(images - observed.points_px), -1)
    precision = en.inlier_weight(squared, observed.sigma_px, observed.seen, weights)
    if len(layout.exchanges) > 1:
        _, logits = en.exchange_logits(images, observed, weights, layout)
        shares = tf.nn.softmax(logits, -1)
        members = tf.constant(layout.exchanges, images.dtype)
        exchanged = tf.einsum("...s,sj->...j", shares, members)
        flipped = tf.gather(images, layout.counterpart, axis=-2)
        squared = tf.reduce_sum(tf.square(flipped - observed.points_px), -1)
        other = en.inlier_weight(squared, observed.sigma_px, observed.seen, weights)
        # The exchanged detection of a joint is its counterpart's.
        back = tf.gather(exchanged * other, layout.counterpart, axis=-1)
        precision = (1 - exchanged) * precision + back
    slope = (
        observed.projection[:, None, :2, :3]
        - images[..., None] * observed.projection[:, None, 2:, :3]
    ) / depth[..., None]
    slope = tf.sqrt(precision)[..., None, None] * slope
    # [F, V, J, 2, 3] -> [F, J, 2V, 3]
    rows = tf.transpose(slope, [0, 2, 1, 3, 4])
    views = rows.shape[2]
    rows = tf.reshape(rows, [-1, rows.shape[1], 2 * views, 3])
    return tf.matmul(rows, rows, transpose_a=True)


def assembly(joints, bones):
    """Where each entry of the 3J x 3J matrix stands among blocks, 0: zero."""
    place = np.zeros((joints, 3, joints, 3), np.int32)
    entry = np.arange(9).reshape(3, 3)
    for j in range(joints):
        place[j, :, j] = 1 + 9 * j + entry
    for k, (a, b) in enumerate(bones):
        place[a, :, b] = place[b, :, a] = 1 + 9 * (joints + k) + entry
    return place.ravel()


def sparse_blocks(diagonal, x, body, weights, layout):
    """Adds bones: blocks of joints `[F, J, 3, 3]` and of bones `[F, B, 3, 3]`."""
    vectors = en.bone_vectors(x.joints_mm, layout)
    unit = vectors / tf.norm(vectors, axis=-1, keepdims=True) / weights.bone_mm
    outer = unit[..., :, None] * unit[..., None, :]
    ends = np.zeros((len(layout.counterpart), len(layout.bones)))
    for k, (a, b) in enumerate(layout.bones):
        ends[a, k] = ends[b, k] = 1
    ends = tf.constant(ends, outer.dtype)
    return diagonal + tf.einsum("jk,fkab->fjab", ends, outer), -outer


class System(NamedTuple):
    """Frames' expected Gauss-Newton matrices in the bodies' frames.

    Attributes:
      matrix: `[F, 3J, 3J]`, of the joints.
      cross: `[F, 3J, 3]`, of joints and turn.
      corner: `[F, 3, 3]`, of the turn.
      turn: `[F, 3, 3]`, body to world.
    """

    matrix: tf.Tensor
    cross: tf.Tensor
    corner: tf.Tensor
    turn: tf.Tensor


def body_system(x, start, observed, body, weights, layout):
    """The system at x."""
    images, depth = en.project(x.joints_mm, observed.projection)
    blocks = joint_blocks(images, depth, observed, weights, layout)
    turn = start @ en.rotation(x.turn_rad)
    diagonal, off = sparse_blocks(blocks, x, body, weights, layout)
    both = tf.concat([diagonal, off], 1)
    both = tf.matmul(turn[:, None], both @ turn[:, None], transpose_a=True)
    joints = len(layout.counterpart)
    size = 3 * joints
    flat = tf.reshape(both, [-1, both.shape[1] * 9])
    flat = tf.pad(flat, [[0, 0], [1, 0]])
    sparse = tf.gather(flat, assembly(joints, layout.bones), axis=1)
    poses = en.in_body(x, start)
    precision = expected_precision(poses, body, weights)
    wings = tf.reshape(en.skew(poses), [-1, size, 3])
    cross = precision @ wings
    corner = tf.matmul(wings, cross, transpose_a=True) + tilt_curvature(turn, weights)
    return System(tf.reshape(sparse, [-1, size, size]) + precision, cross, corner, turn)


def solve_frames(x, start, observed, body, weights, layout, damping, right):
    """(M + λ)⁻¹ right, for Unknowns `right`, M the expected Gauss-Newton matrix."""
    matrix, cross, corner, turn = body_system(x, start, observed, body, weights, layout)
    size = matrix.shape[-1]
    matrix = tf.linalg.set_diag(matrix, tf.linalg.diag_part(matrix) + damping[:, None])
    factor = tf.linalg.cholesky(matrix)
    corner += damping[:, None, None] * tf.eye(3, dtype=corner.dtype)
    force = tf.reshape(right.joints_mm @ turn, [-1, size, 1])
    solved = tf.linalg.cholesky_solve(factor, tf.concat([force, cross], -1))
    alone, coupled = solved[..., :1], solved[..., 1:]
    schur = corner - tf.matmul(cross, coupled, transpose_a=True)
    rest = right.turn_rad[..., None] - tf.matmul(cross, alone, transpose_a=True)
    turned = inverse_3x3_solve(schur, rest[..., 0])[..., None]
    moved = alone - coupled @ turned
    moved = tf.matmul(tf.reshape(moved, [-1, size // 3, 3]), turn, transpose_b=True)
    return en.Unknowns(moved, turned[..., 0])


def expected_precision(poses, body, weights):
    """`[F, 3J, 3J]`, of the prior: E-step over components and tails."""
    squared = en.distances(poses, body)
    shares = tf.nn.softmax(en.component_logits(squared, body, weights), -1)
    size = tf.cast(poses.shape[-2] * 3 - 3, poses.dtype)
    nu = weights.prior_freedom
    shares *= weights.prior * (nu + size) / (nu + squared)
    flat = tf.reshape(body.precisions, [body.precisions.shape[0], -1])
    return tf.reshape(shares @ flat, [-1, *body.precisions.shape[1:]])


def tilt_curvature(turn, weights):
    """`[F, 3, 3]`, of the tilt by turns after `turn`."""
    inverse = 1 / tf.square(weights.tilt_rad)
    upright = turn[:, 2, 2]
    share = (5 / 3) / (1 + 2 * (1 - upright) * inverse / 3)
    level = tf.constant([1.0, 1.0, 0.0], turn.dtype)
    tiny = tf.constant([0.0, 0.0, 1e-3], turn.dtype)
    return tf.linalg.diag(share[:, None] * inverse * level + tiny)
