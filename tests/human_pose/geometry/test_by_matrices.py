"""Cameras of each frame's own, beside cameras that all frames share."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.datasets.synthetic import subject_cameras
from human_pose.geometry.projection import by_matrices
from human_pose.geometry.triangulation import triangulate, view_pairs

FRAMES, JOINTS = 3, 4


@pytest.fixture
def rigs():
    """Of each frame another subject's cameras, `[F, V, 3, 4]`."""
    return np.array([[c.projection for c in subject_cameras(s, 0)] for s in (1, 5, 6)])


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(0, 400, (FRAMES, JOINTS, 3)) + np.array([0, 0, 900])


def test_each_frame_is_seen_by_its_own(rigs, points):
    found = by_matrices(tf.constant(points), tf.constant(rigs)).numpy()
    for frame in range(FRAMES):
        alone = by_matrices(
            tf.constant(points[frame : frame + 1]), tf.constant(rigs[frame])
        )
        np.testing.assert_allclose(found[frame], alone[0], rtol=1e-12)
        direct = np.einsum("vdc,jc->vjd", rigs[frame][..., :3], points[frame])
        direct = direct + rigs[frame][:, None, :, 3]
        np.testing.assert_allclose(found[frame], direct, rtol=1e-12)


def test_candidates_stand_between_frames_and_joints(rigs, points):
    both = np.stack([points, 2 * points], axis=1)
    found = by_matrices(tf.constant(both), tf.constant(rigs)).numpy()
    for number in range(2):
        alone = by_matrices(tf.constant(both[:, number]), tf.constant(rigs))
        np.testing.assert_allclose(found[:, number], alone, rtol=1e-12)


def test_points_are_triangulated_by_each_frames_own(rigs, points):
    homogeneous = by_matrices(tf.constant(points), tf.constant(rigs)).numpy()
    images = homogeneous[..., :2] / homogeneous[..., 2:]
    images += np.random.default_rng(1).normal(0, 2, images.shape)
    seen, pairs = np.ones(images.shape[:-1]), view_pairs(rigs[0])
    together = triangulate(
        tf.constant(images), tf.constant(seen), tf.constant(rigs), pairs
    )
    for frame in range(FRAMES):
        one = slice(frame, frame + 1)
        alone = triangulate(
            tf.constant(images[one]),
            tf.constant(seen[one]),
            tf.constant(rigs[frame]),
            pairs,
        )
        np.testing.assert_allclose(together.points_mm[frame], alone.points_mm[0])
        np.testing.assert_allclose(together.information[frame], alone.information[0])
    assert np.abs(together.points_mm - points).max() < 50
