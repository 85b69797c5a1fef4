"""Steps of sequences: block-banded systems, solved by chunks that overlap."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.calibrated import energy as en
from human_pose.calibrated import frames
from human_pose.geometry.triangulation import inverse_3x3_solve


class Chain(NamedTuple):
    """How frames follow one another.

    Attributes:
      inside: `[F]`, 1 where a frame has a neighbour of its sequence on both sides.
      turn: `[F, 3, 3]`, the body's frame of accelerations.
    """

    inside: tf.Tensor
    follows: tf.Tensor
    turn: tf.Tensor


def accelerations(joints_mm, chain):
    """`[F, 3J]`, in the body's frame; 0 at the ends."""
    inner = joints_mm[:-2] - 2 * joints_mm[1:-1] + joints_mm[2:]
    inner = tf.pad(inner, [[1, 1], [0, 0], [0, 0]])
    turned = inner @ chain.turn
    return tf.reshape(turned, [-1, joints_mm.shape[-2] * 3])


def time_energy(joints_mm, chain, body, weights):
    """`[F]`."""
    a = accelerations(joints_mm, chain)
    squared = tf.reduce_sum(a * tf.linalg.matmul(a, body.acceleration_precision), -1)
    nu = weights.time_freedom
    size = tf.cast(a.shape[-1], a.dtype)
    tail = 0.5 * (nu + size) * tf.math.log1p(squared / nu)
    return weights.time * chain.inside * tail


def time_weights(joints_mm, chain, body, weights):
    """Expected strength of each frame's acceleration, `[F]`."""
    a = accelerations(joints_mm, chain)
    squared = tf.reduce_sum(a * tf.linalg.matmul(a, body.acceleration_precision), -1)
    nu = weights.time_freedom
    size = tf.cast(a.shape[-1], a.dtype)
    return weights.time * chain.inside * (nu + size) / (nu + squared)


def changes(joints_mm, observed):
    """Residuals' differences `[F - 1, V, J, 2]`, whether both are seen, and images."""
    images, depth = en.project(joints_mm, observed.projection)
    residual = images - observed.points_px
    both = observed.seen[1:] * observed.seen[:-1]
    return residual[1:] - residual[:-1], both, images, depth


def change_energy(joints_mm, chain, observed, weights):
    difference, both, *_ = changes(joints_mm, observed)
    squared = tf.reduce_sum(tf.square(difference), -1)
    sigma = observed.sigma_px[1:] * tf.math.rsqrt(weights.change)
    both *= chain.follows[1:, None, None]
    return -tf.reduce_sum(en.log_density(squared, sigma, both, weights))


def change_blocks(joints_mm, chain, observed, weights):
    difference, both, images, depth = changes(joints_mm, observed)
    squared = tf.reduce_sum(tf.square(difference), -1)
    sigma = observed.sigma_px[1:] * tf.math.rsqrt(weights.change)
    both *= chain.follows[1:, None, None]
    precision = en.inlier_weight(squared, sigma, both, weights)
    slope = (
        observed.projection[:, None, :2, :3]
        - images[..., None] * observed.projection[:, None, 2:, :3]
    ) / depth[..., None]
    before = precision[..., None, None] * slope[:-1]
    after = precision[..., None, None] * slope[1:]
    first = tf.einsum("fvjra,fvjrb->fjab", before, slope[:-1])
    last = tf.einsum("fvjra,fvjrb->fjab", after, slope[1:])
    across = -tf.einsum("fvjra,fvjrb->fjab", before, slope[1:])
    pad = [[0, 0]] * 3
    diagonal = tf.pad(first, [[0, 1], *pad]) + tf.pad(last, [[1, 0], *pad])
    return diagonal, tf.pad(across, [[0, 1], *pad])


def in_world(matrix, turn):
    """R M R⊤ by joints: `[F, 3J, 3J]` or `[3J, 3J]` in the body's frame."""
    size = matrix.shape[-1]
    joints = size // 3
    split = tf.reshape(matrix, [-1, joints, 3, size])
    left = tf.reshape(turn[:, None] @ split, [-1, size, size])
    other = tf.reshape(tf.linalg.matrix_transpose(left), [-1, joints, 3, size])
    return tf.reshape(turn[:, None] @ other, [-1, size, size])


class Banded(NamedTuple):
    """Blocks of a symmetric matrix of five block diagonals, each `[F, n, n]`."""

    diagonal: tf.Tensor
    next: tf.Tensor
    second: tf.Tensor


def coupled(diagonal, strength, precision_world):
    """Adds the accelerations' precision to the frames'."""
    w = strength[:, None, None] * precision_world
    before = tf.pad(w[1:], [[0, 1], [0, 0], [0, 0]])
    after = tf.pad(w[:-1], [[1, 0], [0, 0], [0, 0]])
    return Banded(diagonal + 4 * w + before + after, -2 * (w + before), before)


def chunk_places(count, chunk, overlap):
    """Frames of each chunk `[C, L]`, -1 for none, and which of them it answers for."""
    if count <= chunk + 2 * overlap:
        return np.arange(count)[None], np.ones((1, count), bool)
    number = -(-count // chunk)
    length = chunk + 2 * overlap
    first = np.minimum(np.arange(number) * chunk, count - chunk) - overlap
    first = np.clip(first, 0, count - length)
    places = first[:, None] + np.arange(length)
    owner = np.minimum(np.arange(count) // chunk, number - 1)
    return places, owner[places] == np.arange(number)[:, None]


def solve_banded(banded, right, chunk=192, overlap=16):
    """Approximate solutions `[F, n]`: exact within a chunk and its overlap."""
    count, size = right.shape
    places, owned = chunk_places(count, chunk, overlap)
    length = places.shape[1]
    by_step = places.T  # [L, C]
    edge1 = np.arange(length) < length - 1
    edge2 = np.arange(length) < length - 2
    dtype = right.dtype
    nxt, second = banded.next, banded.second
    zero = tf.zeros([by_step.shape[1], size, size], dtype)
    zero_v = tf.zeros([by_step.shape[1], size], dtype)

    factors = tf.TensorArray(
        dtype, length, element_shape=[by_step.shape[1], size, size]
    )
    wings = tf.TensorArray(
        dtype, length, element_shape=[by_step.shape[1], size, 2 * size]
    )
    solved = tf.TensorArray(dtype, length, element_shape=[by_step.shape[1], size])
    places_t = tf.constant(by_step)
    keep1 = tf.constant(edge1.astype(dtype.as_numpy_dtype))
    keep2 = tf.constant(edge2.astype(dtype.as_numpy_dtype))

    def body(t, d0, d1, o1, b0, b1, factors, wings, solved):
        """d0: corrections of this diagonal, d1 of the next, o1 of this coupling."""
        at = places_t[t]
        matrix = tf.gather(banded.diagonal, at) - d0
        first = tf.gather(nxt, at) * keep1[t] - o1
        other = tf.gather(second, at) * keep2[t]
        factor = tf.linalg.cholesky(matrix)
        vector = tf.gather(right, at) - b0
        both = tf.concat([first, other, vector[..., None]], -1)
        both = tf.linalg.triangular_solve(factor, both)
        wing, z = both[..., : 2 * size], both[..., 2 * size]
        y1, y2 = wing[..., :size], wing[..., size:]
        gram = tf.matmul(y1, wing, transpose_a=True)
        last = tf.matmul(y2, y2, transpose_a=True)
        pulls = tf.linalg.matvec(wing, z, transpose_a=True)
        return (
            t + 1,
            d1 + gram[..., :size],
            last,
            gram[..., size:],
            b1 + pulls[..., :size],
            pulls[..., size:],
            factors.write(t, factor),
            wings.write(t, wing),
            solved.write(t, z),
        )

    end = tf.while_loop(
        lambda t, *_: t < length,
        body,
        (0, zero, zero, zero, zero_v, zero_v, factors, wings, solved),
        parallel_iterations=1,
    )
    factors, wings, solved = end[-3:]

    def back(t, x1, x2, found):
        ahead = tf.concat([x1, x2], -1)
        z = solved.read(t) - tf.linalg.matvec(wings.read(t), ahead)
        x = tf.linalg.triangular_solve(factors.read(t), z[..., None], adjoint=True)
        x = x[..., 0]
        return t - 1, x, x1, found.write(t, x)

    found = tf.TensorArray(dtype, length, element_shape=[by_step.shape[1], size])
    *_, found = tf.while_loop(
        lambda t, *_: t >= 0,
        back,
        (length - 1, zero_v, zero_v, found),
        parallel_iterations=1,
    )
    where = np.argwhere(owned.T)
    order = np.argsort(by_step[owned.T])
    return tf.gather_nd(found.stack(), where[order].astype(np.int32))


def solve_chain(
    x, start, chain, observed, body, weights, layout, right, precise=None, raw=None
):
    """(M)⁻¹ right for the frames of sequences."""
    system = frames.body_system(x, start, observed, body, weights, layout)
    size = system.matrix.shape[-1]
    joints = size // 3
    # Without the turn: its Schur complement.
    inner = inverse_3x3(system.corner)
    matrix = system.matrix - tf.matmul(
        system.cross @ inner, system.cross, transpose_b=True
    )
    turn_right = tf.linalg.matvec(inner, right.turn_rad)
    force = tf.reshape(right.joints_mm @ system.turn, [-1, size])
    force -= tf.linalg.matvec(system.cross, turn_right)
    force_world = tf.matmul(
        tf.reshape(force, [-1, joints, 3]), system.turn, transpose_b=True
    )
    diagonal = in_world(matrix, system.turn)
    strength = time_weights(x.joints_mm, chain, body, weights)
    precision = in_world(body.acceleration_precision, chain.turn)
    if layout.lasting:
        own, across = change_blocks(x.joints_mm, chain, raw, weights)
        diagonal += spread(own)
        banded = coupled(diagonal, strength, precision)
        banded = banded._replace(next=banded.next + spread(across))
    else:
        banded = coupled(diagonal, strength, precision)
    kind = precise or right.joints_mm.dtype
    banded = Banded(*[tf.cast(b, kind) for b in banded])
    moved = solve_banded(banded, tf.cast(tf.reshape(force_world, [-1, size]), kind))
    moved = tf.cast(moved, right.joints_mm.dtype)
    moved = tf.reshape(moved, [-1, joints, 3])
    in_frame = tf.reshape(moved @ system.turn, [-1, size])
    turned = turn_right - tf.linalg.matvec(
        inner, tf.linalg.matvec(system.cross, in_frame, transpose_a=True)
    )
    return en.Unknowns(moved, turned)


def spread(blocks):
    """`[F, J, 3, 3]` as block diagonals `[F, 3J, 3J]`."""
    joints = blocks.shape[1]
    eye = tf.eye(joints, dtype=blocks.dtype)
    wide = tf.einsum("fjab,jk->fjakb", blocks, eye)
    return tf.reshape(wide, [-1, 3 * joints, 3 * joints])


def inverse_3x3(matrix):
    columns = [
        inverse_3x3_solve(
            matrix,
            tf.one_hot([i], 3, dtype=matrix.dtype)[0] + tf.zeros_like(matrix[..., 0]),
        )
        for i in range(3)
    ]
    return tf.stack(columns, -1)
