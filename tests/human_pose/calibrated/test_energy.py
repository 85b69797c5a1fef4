"""The energy's terms against closed forms, and its gradient against differences."""

import itertools

import made_up_problem as made
import made_up_recording
import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation
from scipy.special import logsumexp

from human_pose.calibrated import energy


def test_images_are_the_cameras():
    joints = made_up_recording.truth_mm(2)
    rig = made_up_recording.cameras(lens=())
    projection = np.stack([made.pinhole(camera) for camera in rig])
    images, depth = energy.project(tf.constant(joints), tf.constant(projection))
    expected = np.stack([camera.project(joints) for camera in rig], axis=1)
    np.testing.assert_allclose(images, expected, atol=1e-9)
    assert (depth.numpy() > 3000).all()
    # Behind a camera images stay finite.
    behind, _ = energy.project(tf.constant(joints + 1e5), tf.constant(projection))
    assert np.isfinite(behind).all()


def normal(squared, variance):
    return np.exp(-squared / (2 * variance)) / (2 * np.pi * variance)


def test_detections_and_exchanges_are_summed_out():
    """-Σ_v log Σ_s π_s Π_j f(detection_vj | joint s(j)), by its definition."""
    x, _, observed, _, weights = made.problem(2)
    # The second view exchanges the legs.
    points = observed.points_px.numpy()
    legs = np.where(made.MODEL.exchanges[2], made.MODEL.counterpart, range(17))
    points[:, 1] = points[:, 1][:, legs]
    observed = observed._replace(points_px=tf.constant(points))
    found = energy.detection_energy(x.joints_mm, observed, weights, made.LAYOUT)
    images = energy.project(x.joints_mm, observed.projection)[0].numpy()
    expected = np.zeros(2)
    narrow = observed.sigma_px.numpy() ** 2
    wide = narrow + observed.outlier_px.numpy()[:, None] ** 2
    for frame, view in itertools.product(range(2), range(4)):
        ways = []
        for members, prior in zip(
            made.MODEL.exchanges, weights.swaps.numpy(), strict=True
        ):
            taken = np.where(members, made.MODEL.counterpart, range(17))
            squared = np.sum(
                (points[frame, view] - images[frame, view, taken]) ** 2, -1
            )
            density = 0.97 * normal(squared, narrow[frame, view])
            density += 0.03 * normal(squared, wide[frame, view])
            seen = observed.seen.numpy()[frame, view] > 0
            ways.append(np.log(prior) + np.log(density[seen]).sum())
        expected[frame] -= logsumexp(ways)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_poses_are_a_mixture_of_student_ts():
    _, _, _, body, weights = made.problem()
    poses = np.random.default_rng(1).normal(0, 100, (2, 17, 3))
    found = energy.prior_energy(tf.constant(poses), body, weights)
    offset = (poses[:, None] - body.means_mm.numpy()).reshape(2, 2, 51)
    squared = np.einsum("fmi,mij,fmj->fm", offset, body.precisions, offset)
    logits = np.log(0.5) - (10 + 48) / 2 * np.log1p(squared / 10)
    np.testing.assert_allclose(found, -0.5 * logsumexp(logits, axis=-1), rtol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.05, 0.7, np.pi / 2, np.pi])
def test_leaning_costs_by_its_angle_alone(angle):
    turn = Rotation.from_euler("zx", [0.7, angle]).as_matrix()[None]
    found = energy.tilt_energy(tf.constant(turn), made.weights())
    squared = 2 * (1 - np.cos(angle)) / 0.1**2
    np.testing.assert_allclose(found, [2.5 * np.log1p(squared / 3)], atol=1e-12)


def test_bones_are_gaussian():
    x, _, _, body, weights = made.problem()
    joints = x.joints_mm.numpy()
    parents, children = np.array(made.MODEL.bones).T
    length = np.linalg.norm(joints[:, children] - joints[:, parents], axis=-1)
    variance = 3.0**2 + body.spreads_mm.numpy() ** 2
    expected = (0.5 * (length - body.lengths_mm.numpy()) ** 2 / variance).sum(-1)
    found = energy.bone_energy(x.joints_mm, body, weights, made.LAYOUT)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-9, 9e-4, 1.1e-3, 1.0, 3.1])
def test_rotations_are_smooth_at_nothing(size):
    vector = size * np.array([0.48, -0.6, 0.64])
    found = energy.rotation(tf.constant(vector))
    expected = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    variable = tf.constant(vector)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        value = tf.reduce_sum(energy.rotation(variable) * np.arange(9.0).reshape(3, 3))
    assert np.isfinite(tape.gradient(value, variable)).all()


def test_gradients_equal_differences():
    x, *rest = made.problem()

    def energies(x):
        return tf.reduce_sum(energy.frame_energy(x, *rest, made.LAYOUT))

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = energies(x)
    slope = tape.gradient(value, x)
    rng = np.random.default_rng(2)
    for step, index in ((1e-3, 0), (1e-6, 1)):  # mm, radians
        for _ in range(4):
            way = rng.normal(size=x[index].shape)
            ends = []
            for sign in (1, -1):
                moved = [*x]
                moved[index] = x[index] + sign * step * way
                ends.append(energies(energy.Unknowns(*moved)).numpy())
            found = np.sum(slope[index] * way)
            assert found == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_flips_and_gains_are_those_of_joints_that_change_sides():
    fit = energy.Fit(tf.constant(np.zeros((1, 1, 17))), None, None)
    other = energy.Fit(tf.constant(np.arange(17.0)[None, None]), None, None)
    gains = energy.exchange_gains(fit, other, made.LAYOUT).numpy()[0, 0]
    for gain, members in zip(gains, made.MODEL.exchanges, strict=True):
        assert gain == np.flatnonzero(members).sum()
    twice = energy.flipped(energy.flipped(other.log_density[..., None], made.LAYOUT),
                           made.LAYOUT)  # fmt: skip
    np.testing.assert_array_equal(twice[..., 0], other.log_density)
