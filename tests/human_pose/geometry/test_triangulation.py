"""Triangulated points: exact ones, outliers, and what they are worth."""

import made_up_recording as made
import numpy as np
import pytest
import tensorflow as tf

from human_pose.calibrated.observe import pinhole
from human_pose.geometry.triangulation import solve_3x3, triangulate, view_pairs

POINTS_MM = made.truth_mm(3)


def images(points, projection):
    shown = np.einsum("vdc,fjc->fvjd", projection[..., :3], points)
    shown = shown + projection[:, None, :, 3]
    return shown[..., :2] / shown[..., 2:]


def rig(views):
    return np.stack([pinhole(camera) for camera in made.cameras(views)])


def found(points_px, seen, projection):
    arrays = map(tf.constant, (points_px, seen, projection))
    return triangulate(*arrays, view_pairs(projection))


@pytest.mark.parametrize("views", [2, 3, 4, 9])
def test_exact_images_give_exact_points(views):
    projection = rig(views)
    shown = images(POINTS_MM, projection)
    result = found(shown, np.ones(shown.shape[:-1]), projection)
    np.testing.assert_allclose(result.points_mm, POINTS_MM, atol=1e-6)
    assert result.known.numpy().all()
    np.testing.assert_allclose(result.residual_px, 0, atol=1e-6)


def test_an_outlier_moves_a_point_by_little():
    projection = rig(4)
    shown = images(POINTS_MM, projection)
    shown[:, 2] += 200.0
    result = found(shown, np.ones(shown.shape[:-1]), projection)
    assert (
        np.linalg.norm(result.points_mm - POINTS_MM, axis=-1).max() < 30
    )  # DLT: hundreds


def test_points_that_one_view_sees_are_not_known():
    projection = rig(3)
    shown = images(POINTS_MM, projection)
    seen = np.ones(shown.shape[:-1])
    seen[0, 1:, 5] = 0
    seen[1, :, 6] = 0
    result = found(shown, seen, projection)
    known = np.ones(seen[:, 0].shape, bool)
    known[0, 5] = known[1, 6] = False
    np.testing.assert_array_equal(result.known, known)
    assert all(np.isfinite(array).all() for array in result)
    lone = found(shown[:, :1], seen[:, :1], projection[:1])
    assert not lone.known.numpy().any()
    # Two cameras in one place see no depth.
    same = found(shown[:, [0, 0]], seen[:, [0, 0]], projection[[0, 0]])
    assert not same.known.numpy().any()


def test_information_is_that_of_the_images():
    """Jᵀ W J of images' differences, W the weights of detections."""
    projection = rig(4)
    shown = images(POINTS_MM, projection)
    weight = np.random.default_rng(0).uniform(0.2, 1, shown.shape[:-1])
    result = found(shown, weight, projection)
    slopes = []
    for axis in np.eye(3):
        ends = [images(POINTS_MM + s * axis, projection) for s in (0.01, -0.01)]
        slopes.append((ends[0] - ends[1]) / 0.02)
    slope = np.stack(slopes, axis=-1)
    expected = np.einsum("fvj,fvjra,fvjrb->fjab", weight, slope, slope)
    np.testing.assert_allclose(result.information, expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("views, pairs", [(1, 0), (2, 1), (4, 6), (7, 21)])
def test_all_pairs_of_some_views(views, pairs):
    assert len(view_pairs(rig(views))) == pairs


def test_pairs_of_many_views_grow_with_these_and_do_not_depend_on_their_order():
    pairs = view_pairs(rig(16))
    assert len(pairs) <= 48 and set(pairs.ravel()) == set(range(16))
    order = np.random.default_rng(0).permutation(16)
    other = {frozenset(order[pair]) for pair in view_pairs(rig(16)[order])}
    assert other == set(map(frozenset, pairs))


def test_small_systems_are_solved_and_singular_ones_told():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(50, 3, 3))
    matrix, right = root @ np.swapaxes(root, 1, 2), rng.normal(size=(50, 3))
    solved = solve_3x3(tf.constant(matrix), tf.constant(right))
    np.testing.assert_allclose(
        solved, np.linalg.solve(matrix, right[..., None])[..., 0], rtol=1e-6
    )
    flat = tf.constant(np.diag([1.0, 1.0, 0.0]))
    assert np.isnan(solve_3x3(flat, tf.constant(right[0]))).all()
