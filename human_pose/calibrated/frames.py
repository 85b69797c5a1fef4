"""Steps of frames by themselves: Gauss-Newton's matrix with expected weights.

Robust terms enter with the weights that their E-step gives: the matrix is positive
definite wherever the joints are, and near the Hessian at a minimiser. In the bodies'
frames the prior's part is the same for all frames.
"""

from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.calibrated import energy
from human_pose.calibrated.energy import Body, Layout, Observed, Unknowns, Weights
from human_pose.geometry.triangulation import solve_3x3

# Of a body that views show too little of to know where it is, 1 / mm²: within 100 m.
_SOMEWHERE: Final = 1e-10


class System(NamedTuple):
    """Frames' matrices in the bodies' frames, by joints and turn.

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


def system(
    x: Unknowns,
    start: tf.Tensor,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
    damping: tf.Tensor | float = 0.0,
) -> System:
    """The matrices at x, damped; arguments as of `energy.frame_energy`, and λ `[F]`."""
    joints = len(layout.counterpart)
    size = 3 * joints
    turn = start @ energy.rotation(x.turn_rad)
    bones = _bone_blocks(x.joints_mm, body, weights, layout)
    blocks = detection_blocks(x.joints_mm, observed, weights, layout)
    blocks += tf.einsum("jb,fbac->fjac", _ends(layout, bones.dtype), bones)
    units = tf.eye(3, dtype=blocks.dtype)
    damped = tf.convert_to_tensor(damping, blocks.dtype)[..., None, None] * units
    blocks += damped[..., None, :, :] + _SOMEWHERE * units
    both = tf.concat([blocks, -bones], 1)
    both = tf.einsum("fba,fjbc,fcd->fjad", turn, both, turn)
    flat = tf.reshape(both, [-1, 9 * (joints + len(layout.bones))])
    # Of what is gathered by its first axis, whole rows are copied.
    columns = tf.pad(tf.transpose(flat), [[1, 0], [0, 0]])
    sparse = tf.transpose(tf.gather(columns, _places(layout)))
    poses = energy.in_body(x, start)
    precision = prior_precision(poses, body, weights)
    # A turn by φ moves the pose p by p x φ.
    wings = tf.reshape(energy.skew(poses), [-1, size, 3])
    cross = precision @ wings
    corner = tf.matmul(wings, cross, transpose_a=True)
    corner += energy.tilt_curvature(turn, weights)
    corner += damped
    matrix = tf.reshape(sparse, [-1, size, size]) + precision
    return System(matrix, cross, corner, turn)


def solve_frames(
    x: Unknowns,
    start: tf.Tensor,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
    damping: tf.Tensor,
    right: Unknowns,
) -> Unknowns:
    """(M + λ)⁻¹ right, M the matrix at x, damping λ `[F]`."""
    matrix, cross, corner, turn = system(
        x, start, observed, body, weights, layout, damping
    )
    size = matrix.shape[-1]
    force = tf.reshape(right.joints_mm @ turn, [-1, size, 1])
    factor = tf.linalg.cholesky(matrix)
    solved = tf.linalg.cholesky_solve(factor, tf.concat([force, cross], -1))
    alone, coupled = solved[..., :1], solved[..., 1:]
    schur = corner - tf.matmul(cross, coupled, transpose_a=True)
    rest = right.turn_rad[..., None] - tf.matmul(cross, alone, transpose_a=True)
    turned = solve_3x3(schur, rest[..., 0])
    moved = alone - coupled @ turned[..., None]
    moved = tf.reshape(moved, [-1, size // 3, 3])
    return Unknowns(tf.matmul(moved, turn, transpose_b=True), turned)


def covariances(
    x: Unknowns,
    start: tf.Tensor,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
) -> tf.Tensor:
    """Laplace's covariance of each joint, world, `[F, J, 3, 3]`, mm²."""
    found = system(x, start, observed, body, weights, layout)
    inverse = tf.linalg.inv(without_turn(found))
    return joint_blocks(inverse, found.turn)


def without_turn(found: System) -> tf.Tensor:
    """The joints' matrix once the turn is minimised over, `[F, 3J, 3J]`."""
    inner = inverse_3x3(found.corner)
    return found.matrix - tf.matmul(found.cross @ inner, found.cross, transpose_b=True)


def inverse_3x3(matrix: tf.Tensor) -> tf.Tensor:
    """Inverses of symmetric positive definite matrices `[..., 3, 3]`."""
    units = tf.eye(3, dtype=matrix.dtype) + tf.zeros_like(matrix)
    return tf.stack([solve_3x3(matrix, units[..., i]) for i in range(3)], -1)


def joint_blocks(matrix: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Blocks on the diagonal of `[F, 3J, 3J]`, turned to the world, `[F, J, 3, 3]`."""
    joints = matrix.shape[-1] // 3
    apart = tf.reshape(matrix, [-1, joints, 3, joints, 3])
    blocks = tf.einsum("fjajb->fjab", apart)
    blocks = 0.5 * (blocks + tf.linalg.matrix_transpose(blocks))
    return turn[:, None] @ tf.matmul(blocks, turn[:, None], transpose_b=True)


def detection_blocks(
    joints_mm: tf.Tensor, observed: Observed, weights: Weights, layout: Layout
) -> tf.Tensor:
    """What the views say of each joint: expected precision `[F, J, 3, 3]`, world."""
    images, depth = energy.project(joints_mm, observed.projection)
    straight = energy.fit(images, observed, weights)
    exchanged = energy.fit(energy.flipped(images, layout), observed, weights)
    logits = energy.exchange_gains(straight, exchanged, layout)
    shares = tf.nn.softmax(logits + tf.math.log(weights.swaps), -1)
    members = tf.constant(layout.exchanges, images.dtype)
    # Shares sum up to 1 but for rounding, and a precision below 0 has no root.
    crossed = tf.minimum(tf.einsum("...s,sj->...j", shares, members), 1.0)
    if observed.directed:
        crossed = crossed[..., None, None]
    # An exchanged detection speaks of its joint's counterpart.
    other = tf.gather(crossed * exchanged.precision, layout.counterpart, axis=2)
    precision = (1 - crossed) * straight.precision + other
    slope = image_slopes(images, depth, observed.projection)
    if observed.directed:
        return tf.matmul(_rows(slope), _rows(precision @ slope), transpose_a=True)
    rows = _rows(tf.sqrt(precision)[..., None, None] * slope)
    return tf.matmul(rows, rows, transpose_a=True)


def _rows(slopes: tf.Tensor) -> tf.Tensor:
    """Slopes `[F, V, J, 2, 3]` of all views below each other, `[F, J, 2V, 3]`."""
    rows = tf.transpose(slopes, [0, 2, 1, 3, 4])
    return tf.reshape(rows, [-1, rows.shape[1], 2 * rows.shape[2], 3])


def image_slopes(
    images: tf.Tensor, depth: tf.Tensor, projection: tf.Tensor
) -> tf.Tensor:
    """Derivatives of images by joints, `[F, V, J, 2, 3]`, px / mm."""
    ahead = projection[..., None, 2:, :3]
    return (projection[..., None, :2, :3] - images[..., None] * ahead) / depth[
        ..., None
    ]


def prior_precision(poses_mm: tf.Tensor, body: Body, weights: Weights) -> tf.Tensor:
    """Expected precision of the prior `[F, 3J, 3J]`: E-step of components, tails."""
    logits, tails = energy.pose_logits(poses_mm, body, weights)
    shares = weights.prior * tf.nn.softmax(logits, -1) * tails
    size = body.precisions.shape[-1]
    flat = tf.reshape(body.precisions, [-1, size * size])
    return tf.reshape(shares @ flat, [-1, size, size])


def _bone_blocks(
    joints_mm: tf.Tensor, body: Body, weights: Weights, layout: Layout
) -> tf.Tensor:
    """Precision along each bone, `[F, B, 3, 3]`."""
    vectors = energy.bone_vectors(joints_mm, layout)
    unit = vectors / tf.norm(vectors, axis=-1, keepdims=True)
    unit *= tf.math.rsqrt(energy.bone_variances(body, weights))[:, None]
    return unit[..., :, None] * unit[..., None, :]


def _ends(layout: Layout, dtype: tf.DType) -> tf.Tensor:
    """1 where a joint is an end of a bone, `[J, B]`."""
    ends = np.zeros((len(layout.counterpart), len(layout.bones)))
    for bone, joints in enumerate(layout.bones):
        ends[list(joints), bone] = 1
    return tf.constant(ends, dtype)


def _places(layout: Layout) -> np.ndarray:
    """Where each entry of the matrix stands among 0, joints' blocks and bones'."""
    joints = len(layout.counterpart)
    place = np.zeros((joints, 3, joints, 3), np.int32)
    entry = 1 + np.arange(9).reshape(3, 3)
    for joint in range(joints):
        place[joint, :, joint] = 9 * joint + entry
    for bone, (a, b) in enumerate(layout.bones):
        place[a, :, b] = place[b, :, a] = 9 * (joints + bone) + entry
    return place.ravel()
