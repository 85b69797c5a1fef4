"""Sequences: accelerations, and the block-banded systems of their steps.

A step couples each frame with two before and two after. Long sequences are cut into
chunks that overlap and are solved side by side; each frame takes its own chunk's
answer, which is exact but for what reaches across an overlap. That changes how fast the
steps converge, not where.
"""

from typing import Any, Final, NamedTuple

import tensorflow as tf

from human_pose.calibrated import frames
from human_pose.calibrated.energy import (
    Body,
    Layout,
    Observed,
    Unknowns,
    Weights,
    frame_energy,
)

# Frames of a chunk beside its overlaps, at most: enough of them for the cores, and not
# much solved twice. There is an even number of them, for two cores share them.
_CHUNK: Final = 128


class Chain(NamedTuple):
    """How frames follow one another.

    Attributes:
      inside: `[F]`, 1 where a frame's neighbours on both sides are of its sequence.
      turn: `[F, 3, 3]`, body to world, in whose frame accelerations are seen.
    """

    inside: tf.Tensor
    turn: tf.Tensor


class Banded(NamedTuple):
    """A symmetric matrix of five block diagonals, by what it is made of.

    It is that of Σ_t x_tᵀ own_t x_t + strength_t a_tᵀ pull_t a_t, a_t being x_{t-1} -
    2 x_t + x_{t+1}. Its blocks are made where they are wanted, which takes less time
    than to write all of them and to read them again.

    Attributes:
      own: what the frames have by themselves, `[F, n, n]`.
      pull: precisions of the accelerations, `[F, n, n]`.
      strength: how much of it counts, `[F]`; 0 at the first and the last frame.
    """

    own: tf.Tensor
    pull: tf.Tensor
    strength: tf.Tensor

    def scaled(self, frame: tf.Tensor) -> tf.Tensor:
        """`strength · pull` of frames `[C]`; 0 for those beyond the ends."""
        frame = tf.clip_by_value(frame, 0, tf.shape(self.strength)[0] - 1)
        return tf.gather(self.strength, frame)[:, None, None] * tf.gather(
            self.pull, frame
        )


def sequence_energy(
    x: Unknowns,
    start: tf.Tensor,
    chain: Chain,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
) -> tf.Tensor:
    """The energy of all frames together, a scalar."""
    alone = frame_energy(x, start, observed, body, weights, layout)
    tails, _ = _accelerations(x.joints_mm, chain, body, weights)
    return tf.reduce_sum(alone + tails)


def solve_sequence(
    x: Unknowns,
    start: tf.Tensor,
    chain: Chain,
    observed: Observed,
    body: Body,
    weights: Weights,
    layout: Layout,
    overlap: tf.Tensor,
    pull: tf.Tensor,
    right: Unknowns,
) -> Unknowns:
    """M⁻¹ right, M the expected Gauss-Newton matrix at x, by chunks.

    Args:
      x: joints and turns; `start`, `observed`, `body`, `weights` and `layout` as of
        `energy.frame_energy`.
      start: see there.
      chain: of the frames.
      observed: see there.
      body: see there.
      weights: see there.
      layout: see there.
      overlap: frames that chunks share on each side, int32.
      pull: of `pulls`.
      right: like x.
    """
    found = frames.system(x, start, observed, body, weights, layout)
    size = found.matrix.shape[-1]
    inner = frames.inverse_3x3(found.corner)
    alone = tf.linalg.matvec(inner, right.turn_rad)
    force = tf.reshape(right.joints_mm @ found.turn, [-1, size])
    force = _turned(force - tf.linalg.matvec(found.cross, alone), found.turn, True)
    banded = matrices(x, found, chain, body, weights, pull)
    moved = solve_banded(banded, force, overlap)
    there = _turned(moved, found.turn, False)
    back = tf.linalg.matvec(found.cross, there, transpose_a=True)
    turned = alone - tf.linalg.matvec(inner, back)
    return Unknowns(tf.reshape(moved, [-1, size // 3, 3]), turned)


def pulls(chain: Chain, body: Body) -> tf.Tensor:
    """Precisions of the accelerations, world, `[F, 3J, 3J]`: the same at every x."""
    return in_world(body.acceleration, chain.turn)


def matrices(
    x: Unknowns,
    found: frames.System,
    chain: Chain,
    body: Body,
    weights: Weights,
    pull: tf.Tensor,
) -> Banded:
    """The banded matrix of the joints, world, once the turns are minimised over."""
    own = in_world(frames.without_turn(found), found.turn)
    _, strength = _accelerations(x.joints_mm, chain, body, weights)
    return Banded(own, pull, strength)


def in_world(matrix: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """R M Rᵀ by joints: `[F, 3J, 3J]` of `[F, 3J, 3J]` or one for all frames."""
    size = matrix.shape[-1]
    half = tf.reshape(matrix, [-1, size // 3, 3, size])
    half = tf.reshape(turn[:, None] @ half, [-1, size, size])
    other = tf.reshape(tf.linalg.matrix_transpose(half), [-1, size // 3, 3, size])
    return tf.reshape(turn[:, None] @ other, [-1, size, size])


def solve_banded(banded: Banded, right: tf.Tensor, overlap: tf.Tensor) -> tf.Tensor:
    """Solutions `[F, n]` for `right`, exact within chunks."""
    places, owner = _chunks(tf.shape(right)[0], overlap)
    solved, _ = _factorised(banded, right, places, want_inverse=False)
    return tf.gather_nd(solved, owner)


def inverse_blocks(banded: Banded, overlap: tf.Tensor) -> tf.Tensor:
    """Blocks on the diagonal of the inverse, `[F, n, n]`, exact within chunks."""
    places, owner = _chunks(tf.shape(banded.own)[0], overlap)
    nothing = tf.zeros_like(banded.own[:, 0])
    _, blocks = _factorised(banded, nothing, places, want_inverse=True)
    return tf.gather_nd(blocks, owner)


def _accelerations(
    joints_mm: tf.Tensor, chain: Chain, body: Body, weights: Weights
) -> tuple[tf.Tensor, tf.Tensor]:
    """Energies of the accelerations, and their expected strengths, each `[F]`."""
    inner = joints_mm[:-2] - 2 * joints_mm[1:-1] + joints_mm[2:]
    # A single frame has none, and its padding must not be negative.
    inner = tf.pad(inner, [[1, 1], [0, 0], [0, 0]])[: tf.shape(joints_mm)[0]]
    size = 3 * joints_mm.shape[-2]
    there = tf.reshape(inner @ chain.turn, [-1, size])
    squared = tf.reduce_sum(there * (there @ body.acceleration), -1)
    nu, share = weights.time_freedom, weights.time * chain.inside
    tail = 0.5 * share * (nu + size) * tf.math.log1p(squared / nu)
    return tail, share * (nu + size) / (nu + squared)


def _turned(flat: tf.Tensor, turn: tf.Tensor, to_world: bool) -> tf.Tensor:
    joints = tf.reshape(flat, [-1, flat.shape[-1] // 3, 3])
    return tf.reshape(
        tf.matmul(joints, turn, transpose_b=to_world), [-1, flat.shape[-1]]
    )


def _chunks(count: tf.Tensor, overlap: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Frames of each chunk by step, `[L, C]`, and each frame's step and chunk."""
    number = 2 * tf.maximum(-(-count // (2 * _CHUNK)), 1)
    size = -(-count // number)
    length = tf.minimum(size + 2 * overlap, count)
    number = tf.where(length == count, 1, number)
    first = tf.range(number) * size - overlap
    first = tf.clip_by_value(first, 0, count - length)
    places = tf.range(length)[:, None] + first
    frame = tf.range(count)
    chunk = tf.minimum(frame // size, number - 1)
    return places, tf.stack([frame - tf.gather(first, chunk), chunk], -1)


def _factorised(
    banded: Banded, right: tf.Tensor, places: tf.Tensor, want_inverse: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solutions `[L, C, n]`, and the inverse's blocks `[L, C, n, n]` if wanted.

    The Cholesky factor L of each chunk runs from its first frame to its last: of each
    frame the block on the diagonal, and `wing`, the two blocks below it, transposed.
    """
    size, dtype = right.shape[-1], right.dtype
    length, number = tf.shape(places)[0], tf.shape(places)[1]
    block = tf.zeros([number, size, size], dtype)
    vector = tf.zeros([number, size], dtype)

    def array(*shape: int) -> tf.TensorArray:
        return tf.TensorArray(dtype, length, element_shape=[None, *shape])

    def forward(
        step: tf.Tensor,
        before: tf.Tensor,
        now: tf.Tensor,
        here: tf.Tensor,
        ahead: tf.Tensor,
        coupling: tf.Tensor,
        pull: tf.Tensor,
        pull_ahead: tf.Tensor,
        *arrays: tf.TensorArray,
    ) -> tuple[Any, ...]:
        at = places[step]
        after = banded.scaled(at + 1)
        matrix = tf.gather(banded.own, at) + (before + 4 * now + after - here)
        # Beyond the chunk's end there is nothing.
        one = tf.cast(step < length - 1, dtype) * -2 * (now + after) - coupling
        two = tf.cast(step < length - 2, dtype) * after
        rest = (tf.gather(right, at) - pull)[..., None]
        factor = tf.linalg.cholesky(matrix)
        all_three = tf.linalg.triangular_solve(factor, tf.concat([one, two, rest], -1))
        wing, z = all_three[..., : 2 * size], all_three[..., 2 * size]
        first, second = wing[..., :size], wing[..., size:]
        gram = tf.matmul(first, wing, transpose_a=True)
        pulls = tf.linalg.matvec(wing, z, transpose_a=True)
        parts = (factor, wing, z)
        written = [a.write(step, v) for a, v in zip(arrays, parts, strict=True)]
        return (
            step + 1,
            now,
            after,
            ahead + gram[..., :size],
            tf.matmul(second, second, transpose_a=True),
            gram[..., size:],
            pull_ahead + pulls[..., :size],
            pulls[..., size:],
            *written,
        )

    outside = banded.scaled(places[0] - 1), banded.scaled(places[0])
    arrays = (array(size, size), array(size, 2 * size), array(size))
    *_, factors, wings, halves = tf.while_loop(
        lambda step, *_: step < length,
        forward,
        (0, *outside, block, block, block, vector, vector, *arrays),
        parallel_iterations=1,
    )

    def backward(
        step: tf.Tensor,
        later: tf.Tensor,
        covariance: tf.Tensor,
        found: tf.TensorArray,
        blocks: tf.TensorArray,
    ) -> tuple[Any, ...]:
        factor, wing = factors.read(step), wings.read(step)
        rest = (halves.read(step) - tf.linalg.matvec(wing, later))[..., None]
        if want_inverse:
            rest = tf.concat([rest, wing, _identity(rest, size)], -1)
        solved = tf.linalg.triangular_solve(factor, rest, adjoint=True)
        x = solved[..., 0]
        if want_inverse:
            # Σ = L⁻ᵀL⁻¹ + G Σ' Gᵀ with G = -L⁻ᵀ wing and Σ' of the two frames after.
            gain, root = -solved[..., 1 : 1 + 2 * size], solved[..., 1 + 2 * size :]
            cross = gain @ covariance
            own = tf.matmul(root, root, transpose_b=True)
            own += tf.matmul(cross, gain, transpose_b=True)
            # What rounding leaves unsymmetric would grow from frame to frame.
            own = 0.5 * (own + tf.linalg.matrix_transpose(own))
            blocks = blocks.write(step, own)
            near = cross[..., :size]
            top = tf.concat([own, near], -1)
            low = [tf.linalg.matrix_transpose(near), covariance[..., :size, :size]]
            covariance = tf.concat([top, tf.concat(low, -1)], -2)
        later = tf.concat([x, later[..., :size]], -1)
        return step - 1, later, covariance, found.write(step, x), blocks

    zero = tf.zeros([number, 2 * size], dtype)
    pair = tf.zeros([number, 2 * size, 2 * size] if want_inverse else [0], dtype)
    *_, found, blocks = tf.while_loop(
        lambda step, *_: step >= 0,
        backward,
        (length - 1, zero, pair, array(size), array(size, size)),
        parallel_iterations=1,
    )
    return found.stack(), blocks.stack() if want_inverse else block


def _identity(like: tf.Tensor, size: int) -> tf.Tensor:
    shape = [tf.shape(like)[0], size, size]
    return tf.broadcast_to(tf.eye(size, dtype=like.dtype), shape)
