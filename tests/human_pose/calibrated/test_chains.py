"""Banded systems against dense ones, and accelerations against closed forms."""

import made_up_problem as made
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from human_pose.calibrated import chains, frames
from human_pose.calibrated.chains import Banded, Chain
from human_pose.calibrated.energy import Unknowns, frame_energy


def banded(count, size, near, seed=0):
    """Random blocks whose inverse falls off by `near`, and the dense matrix."""
    rng = np.random.default_rng(seed)
    root = np.zeros((count, size, count, size))
    for lag, weight in ((0, 1.0), (1, near), (2, near / 2)):
        for frame in range(count - lag):
            root[frame + lag, :, frame] = weight * rng.normal(size=(size, size)) / size
            if not lag:
                root[frame, :, frame] += 2 * np.eye(size)
    root = root.reshape(count * size, -1)
    dense = root @ root.T
    apart = dense.reshape(count, size, count, size)

    def blocks(lag):
        found = np.zeros((count, size, size))
        for frame in range(count - lag):
            found[frame] = apart[frame, :, frame + lag]
        return tf.constant(found)

    return Banded(blocks(0), blocks(1), blocks(2)), dense


@pytest.mark.parametrize("count", [1, 2, 3, 40, 330])
def test_solutions_and_inverses_are_the_dense_ones(count):
    """330 frames are three chunks, each exact but for what crosses 40 frames."""
    system, dense = banded(count, 3, near=0.5)
    right = np.random.default_rng(1).normal(size=(count, 3))
    overlap = tf.constant(40)
    found = chains.solve_banded(system, tf.constant(right), overlap)
    expected = np.linalg.solve(dense, right.ravel()).reshape(count, 3)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    inverse = np.linalg.inv(dense).reshape(count, 3, count, 3)
    blocks = chains.inverse_blocks(system, overlap)
    np.testing.assert_allclose(blocks, np.einsum("fifj->fij", inverse), atol=1e-9)


def moving(count, cut=None, **changes):
    """A problem of a sequence, and its chain; the frame `cut` begins another."""
    problem = made.problem(count, **changes)
    follows = np.ones(count)
    follows[0] = 0
    if cut is not None:
        follows[cut] = 0
    inside = follows * np.append(follows[1:], 0)
    turn = Rotation.from_rotvec(np.linspace(0, 1, count)[:, None] * [0, 0, 1])
    return problem, Chain(tf.constant(inside), tf.constant(turn.as_matrix()))


def sequence_energy(problem, chain):
    x, start, *rest = problem
    return chains.sequence_energy(x, start, chain, *rest, made.LAYOUT)


def test_accelerations_are_student_ts_within_sequences():
    problem, chain = moving(7, cut=4)
    joints = problem.x.joints_mm.numpy()
    alone = frame_energy(*problem, made.LAYOUT).numpy().sum()
    expected = 0.0
    for frame in (1, 2, 5):
        second = joints[frame - 1] - 2 * joints[frame] + joints[frame + 1]
        there = (second @ chain.turn.numpy()[frame]).ravel()
        squared = there @ problem.body.acceleration.numpy() @ there
        expected += 0.35 * (15 + 51) / 2 * np.log1p(squared / 15)
    found = sequence_energy(problem, chain) - alone
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("count", [1, 2])
def test_sequences_too_short_for_accelerations_are_their_frames(count):
    problem, chain = moving(count)
    alone = tf.reduce_sum(frame_energy(*problem, made.LAYOUT))
    np.testing.assert_allclose(sequence_energy(problem, chain), alone)


def dense_accelerations(problem, chain):
    """The matrix of the accelerations with expected strengths, world."""
    count, size = len(problem.start), made.SIZE
    joints = problem.x.joints_mm.numpy()
    whole = np.zeros((count * size, count * size))
    for frame in np.flatnonzero(chain.inside):
        turn = np.kron(np.eye(17), chain.turn.numpy()[frame])
        matrix = turn @ problem.body.acceleration.numpy() @ turn.T
        rows = np.zeros((size, count, size))
        for place, factor in ((-1, 1), (0, -2), (1, 1)):
            rows[:, frame + place] = factor * np.eye(size)
        rows = rows.reshape(size, -1)
        second = rows @ joints.ravel()
        strength = 0.35 * (15 + 51) / (15 + second @ matrix @ second)
        whole += strength * rows.T @ matrix @ rows
    return whole


def test_steps_of_sequences_solve_frames_and_accelerations_together():
    problem, chain = moving(6, cut=4)
    count, size = 6, made.SIZE
    rng = np.random.default_rng(0)
    right = rng.normal(size=(count, 17, 3)), rng.normal(size=(count, 3))
    x, start, *rest = problem
    found = chains.solve_sequence(
        x, start, chain, *rest, made.LAYOUT, tf.constant(9),
        Unknowns(*map(tf.constant, right)),
    )  # fmt: skip
    system = frames.system(*problem, made.LAYOUT)
    turn = np.stack([np.kron(np.eye(17), t) for t in system.turn.numpy()])
    joints, turns = count * size, count * 3
    whole = np.zeros((joints + turns, joints + turns))
    whole[:joints, :joints] = dense_accelerations(problem, chain)
    for f in range(count):
        own = slice(f * size, (f + 1) * size)
        axes = slice(joints + 3 * f, joints + 3 * f + 3)
        whole[own, own] += turn[f] @ system.matrix.numpy()[f] @ turn[f].T
        whole[own, axes] = turn[f] @ system.cross.numpy()[f]
        whole[axes, own] = whole[own, axes].T
        whole[axes, axes] = system.corner.numpy()[f]
    solved = np.linalg.solve(whole, np.concatenate([r.ravel() for r in right]))
    np.testing.assert_allclose(
        np.ravel(found.joints_mm), solved[:joints], rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(np.ravel(found.turn_rad), solved[joints:], rtol=1e-6)
