"""Points from their images in several views."""

import made_up_recording as made
import numpy as np
import pytest
import tensorflow as tf

from human_pose.geometry.triangulation import solve_3x3, triangulate, view_pairs

TRUTH = made.truth_mm(2)


def images(joints_mm, projection):
    shown = np.einsum("vdc,fjc->fvjd", projection[..., :3], joints_mm)
    shown += projection[:, None, :, 3]
    return shown[..., :2] / shown[..., 2:]


def rig(views):
    return np.stack([camera.projection for camera in made.cameras(views, lens=())])


def solved(points_px, seen, projection):
    pairs = view_pairs(projection)
    arrays = map(tf.constant, (points_px, seen, projection))
    return triangulate(*arrays, pairs)


@pytest.mark.parametrize("views", [2, 3, 16])
def test_exact_images_give_exact_points(views):
    projection = rig(views)
    points = images(TRUTH, projection)
    found = solved(points, np.ones(points.shape[:-1]), projection)
    assert found.known.numpy().all()
    np.testing.assert_allclose(found.points_mm, TRUTH, atol=1e-6)
    np.testing.assert_allclose(found.residual_px, 0, atol=1e-6)


def test_information_is_that_of_the_images_slopes():
    projection = rig(4)
    points = images(TRUTH, projection)
    weights = np.random.default_rng(1).uniform(0.2, 1, points.shape[:-1])
    found = solved(points, weights, projection)
    moves = 0.01 * np.eye(3)
    slope = np.stack(
        [
            (images(TRUTH + move, projection) - images(TRUTH - move, projection)) / 0.02
            for move in moves
        ],
        -1,
    )
    expected = np.einsum("fvj,fvjra,fvjrb->fjab", weights, slope, slope)
    np.testing.assert_allclose(found.information, expected, rtol=1e-5, atol=1e-8)


def test_an_outlier_does_not_speak():
    """Least squares would be off by half a metre; what is not seen does not count."""
    projection = rig(4)
    points, seen = images(TRUTH, projection), np.ones((2, 4, 17))
    points[:, 1, 3] += (300, -200)
    points[:, 2, 5], seen[:, 2, 5] = 1e5, 0
    found = solved(points, seen, projection)
    errors = np.linalg.norm(found.points_mm - TRUTH, axis=-1)
    assert errors[:, 3].max() < 30 and np.delete(errors, 3, 1).max() < 1e-6
    assert (found.residual_px.numpy()[:, 1, 3] > 300).all()
    assert (found.residual_px.numpy()[:, 2, 5] == 0).all()


def test_one_view_knows_nothing():
    projection = rig(4)
    points, seen = images(TRUTH, projection), np.zeros((2, 4, 17))
    seen[:, 0] = 1
    seen[:, 1, :5] = 1
    found = solved(points, seen, projection)
    assert found.known.numpy()[:, :5].all() and not found.known.numpy()[:, 5:].any()
    assert (found.points_mm.numpy()[:, 5:] == 0).all()
    single = solved(points[:, :1], seen[:, :1], projection[:1])
    assert not single.known.numpy().any()


def test_pairs_of_views():
    """All of a few; of many, some for each, whichever way the views are ordered."""
    assert view_pairs(rig(1)).shape == (0, 2)
    assert len(view_pairs(rig(4))) == 6
    projection = rig(16)
    pairs = view_pairs(projection)
    assert len(pairs) <= 96 and set(pairs.ravel()) == set(range(16))
    order = np.random.default_rng(2).permutation(16)
    again = {frozenset(order[pair]) for pair in view_pairs(projection[order])}
    assert again == {frozenset(pair) for pair in pairs}


@pytest.mark.parametrize("own_cameras", [False, True])
def test_neighbours_alone_know_what_they_see(own_cameras):
    """Of 16 views those beside each other are no pair; others see nothing here."""
    projection = rig(16)
    assert not {(0, 1), (0, 2), (1, 2)} & {*map(tuple, view_pairs(projection))}
    points = images(TRUTH, projection)
    seen = np.zeros(points.shape[:-1])
    seen[:, :2] = 0.5
    seen[:, 2, 9:] = 1
    seen[1, :2, 3] = 0, 1  # a single view
    rng = np.random.default_rng(0)
    points[seen == 0] = rng.uniform(0, 1000, points[seen == 0].shape)
    pairs = view_pairs(projection)
    if own_cameras:
        projection = np.stack([projection] * 2)
    found = triangulate(*map(tf.constant, (points, seen, projection)), pairs)
    known = found.known.numpy()
    assert not known[1, 3] and known.sum() == known.size - 1
    np.testing.assert_allclose(found.points_mm[known], TRUTH[known], atol=1e-6)
    assert (found.points_mm[~known].numpy() == 0).all()


def test_small_systems():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(5, 3, 3))
    matrix, right = root @ root.swapaxes(-1, -2), rng.normal(size=(5, 3))
    matrix[4] = np.diag([1.0, 1, 0])
    found = solve_3x3(tf.constant(matrix), tf.constant(right)).numpy()
    expected = np.linalg.solve(matrix[:4], right[:4, :, None])[..., 0]
    np.testing.assert_allclose(found[:4], expected, rtol=1e-8)
    assert np.isnan(found[4]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_makes_no_system_regular(dtype):
    """Two rows each, as of one view: determinants are what rounding leaves."""
    rng = np.random.default_rng(0)
    rows, right = rng.normal(size=(1000, 2, 3)), rng.normal(size=(1000, 3))
    matrix = tf.constant(rows.swapaxes(-1, -2).astype(dtype) @ rows.astype(dtype))
    assert np.isnan(solve_3x3(matrix, tf.constant(right, dtype))).all()
