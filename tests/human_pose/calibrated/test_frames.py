"""The matrix of a frame's steps: the energy's Hessian where no term pulls."""

import made_up_problem as made
import numpy as np
import pytest
import tensorflow as tf

from human_pose.calibrated import energy, frames


def dense(found):
    """The whole matrix of joints and turn, `[F, 3J + 3, 3J + 3]`."""
    top = np.concatenate([found.matrix, found.cross], axis=-1)
    low = np.concatenate([np.swapaxes(found.cross, 1, 2), found.corner], axis=-1)
    return np.concatenate([top, low], axis=1)


def hessian(problem):
    """Of each frame's energy by joints in the body's frame and the turn."""
    x, start, *rest = problem
    count = x.joints_mm.shape[0]

    @tf.function
    def of(flat):
        with tf.GradientTape() as tape:
            tape.watch(flat)
            moved = tf.reshape(flat[:, : made.SIZE], [-1, 17, 3])
            joints = x.joints_mm + tf.matmul(moved, start, transpose_b=True)
            unknowns = energy.Unknowns(joints, flat[:, made.SIZE :])
            value = energy.frame_energy(unknowns, start, *rest, made.LAYOUT)
        return tape.gradient(value, flat)

    step, zero = 1e-5, np.zeros((count, made.SIZE + 3))
    columns = []
    for column in range(made.SIZE + 3):
        ends = []
        for sign in (1, -1):
            flat = zero.copy()
            flat[:, column] = sign * step
            ends.append(of(tf.constant(flat)).numpy())
        columns.append((ends[0] - ends[1]) / (2 * step))
    return np.stack(columns, axis=-1)


def test_the_matrix_is_the_hessian_where_no_term_pulls():
    problem = made.problem(2, at_rest=True)
    found = dense(frames.system(*problem, made.LAYOUT))
    scale = np.sqrt(np.einsum("fii->fi", found))
    off = (found - hessian(problem)) / scale[:, :, None] / scale[:, None, :]
    # Turns about the body's axis have a trace of their own, and joints that nothing
    # confuses with their counterparts a chance of exchange below that.
    assert np.abs(off).max() < 1e-4


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_steps_solve_the_matrix(damping):
    problem = made.problem()
    rng = np.random.default_rng(0)
    right = energy.Unknowns(rng.normal(size=(3, 17, 3)), rng.normal(size=(3, 3)))
    found = frames.solve_frames(
        *problem,
        made.LAYOUT,
        tf.constant([damping] * 3, tf.float64),
        energy.Unknowns(*map(tf.constant, right)),
    )
    system = frames.system(*problem, made.LAYOUT)
    turn = system.turn.numpy()
    force = np.concatenate([(right[0] @ turn).reshape(3, -1), right[1]], axis=-1)
    matrix = dense(system) + damping * np.eye(made.SIZE + 3)
    solved = np.linalg.solve(matrix, force[..., None])[..., 0]
    joints = solved[:, : made.SIZE].reshape(3, 17, 3) @ turn.transpose(0, 2, 1)
    np.testing.assert_allclose(found.joints_mm, joints, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found.turn_rad, solved[:, made.SIZE :], rtol=1e-7)


def test_covariances_are_blocks_of_the_inverse():
    problem = made.problem()
    system = frames.system(*problem, made.LAYOUT)
    inverse = np.linalg.inv(dense(system))[:, : made.SIZE, : made.SIZE]
    blocks = np.einsum("fjajb->fjab", inverse.reshape(3, 17, 3, 17, 3))
    turn = system.turn.numpy()[:, None]
    expected = turn @ blocks @ np.swapaxes(turn, -1, -2)
    found = frames.covariances(*problem, made.LAYOUT)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert (np.linalg.eigvalsh(found) > 0).all()


def test_expected_precision_of_the_prior_pulls_as_its_gradient():
    _, _, _, body, weights = made.problem(components=1)
    pose = tf.constant(np.random.default_rng(1).normal(0, 100, (2, 17, 3)))
    with tf.GradientTape() as tape:
        tape.watch(pose)
        value = energy.prior_energy(pose, body, weights)
    slope = tf.reshape(tape.gradient(value, pose), [2, -1])
    pull = frames.prior_precision(pose, body, weights)
    offset = tf.reshape(pose - body.means_mm[0], [2, -1])
    np.testing.assert_allclose(tf.linalg.matvec(pull, offset), slope, rtol=1e-9)
