"""Rotations: closed forms, OpenCV's, and round trips at every angle."""

import itertools

import numpy as np
import pytest

from human_pose.geometry import rotations

RANDOM = np.random.default_rng(0)
AXES = RANDOM.normal(size=(50, 3))
AXES /= np.linalg.norm(AXES, axis=-1, keepdims=True)
ANGLES = np.array([0, 1e-300, 1e-9, 1e-4, 1.0, np.pi / 2, 3.0, np.pi - 1e-9, np.pi])
VECTORS = ANGLES[:, None, None] * AXES


def test_vectors_and_matrices():
    matrices = rotations.from_vector(VECTORS)
    squares = matrices @ np.swapaxes(matrices, -1, -2)
    np.testing.assert_allclose(squares - np.eye(3), 0, atol=1e-14)
    quarter = rotations.from_vector([0, 0, np.pi / 2])
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    back = rotations.to_vector(matrices)
    np.testing.assert_allclose(back[:-1], VECTORS[:-1], rtol=1e-14, atol=1e-15)
    # At half a turn both signs mean the same.
    np.testing.assert_allclose(rotations.from_vector(back), matrices, atol=1e-14)
    # More than half a turn is less than half of one the other way.
    far = rotations.to_vector(rotations.from_vector(4.0 * AXES))
    np.testing.assert_allclose(far, (4.0 - 2 * np.pi) * AXES, rtol=1e-14)


def test_vectors_are_opencvs():
    cv2 = pytest.importorskip("cv2")
    for vector in VECTORS[:, 0]:
        np.testing.assert_allclose(
            rotations.from_vector(vector), cv2.Rodrigues(vector)[0], atol=1e-14
        )


@pytest.mark.parametrize("order", [*map("".join, itertools.permutations("XYZ"))])
def test_three_angles(order):
    angles = RANDOM.uniform([-3, -1.5, -3], [3, 1.5, 3], (50, 3))
    matrices = rotations.from_euler(angles, order)
    first, second, third = (
        rotations.about(axis, angle)
        for axis, angle in zip(order, angles.T, strict=True)
    )
    np.testing.assert_allclose(matrices, first @ second @ third, atol=1e-15)
    np.testing.assert_allclose(rotations.to_euler(matrices, order), angles, atol=1e-13)
    # At a right middle angle others mean the same turn.
    angles[:, 1] = np.copysign(np.pi / 2 - np.geomspace(1e-12, 1e-4, 50), angles[:, 1])
    matrices = rotations.from_euler(angles, order)
    again = rotations.from_euler(rotations.to_euler(matrices, order), order)
    np.testing.assert_allclose(again, matrices, atol=2e-9)


def test_any_number_of_angles_and_an_order_that_is_none():
    np.testing.assert_array_equal(
        rotations.from_euler(np.empty((2, 0)), "")[1], np.eye(3)
    )
    np.testing.assert_allclose(
        rotations.from_euler([0.3, 0.4], "XX"), rotations.about("X", 0.7), atol=1e-15
    )
    with pytest.raises(ValueError, match="in any order"):
        rotations.to_euler(np.eye(3), "XYX")


def test_the_nearest_rotation():
    matrices = rotations.from_vector(AXES)
    np.testing.assert_allclose(rotations.nearest(2.5 * matrices), matrices, atol=1e-14)
    mirrored = rotations.nearest(matrices @ np.diag([1, 1, -1.0]))
    np.testing.assert_allclose(np.linalg.det(mirrored), 1.0)
    assert np.isnan(rotations.nearest(np.full((2, 3, 3), np.nan))).all()


def test_from_one_direction_to_another():
    start, end = RANDOM.normal(size=(2, 50, 3))
    end[0], end[1] = -2 * start[0], 3 * start[1]
    turns = rotations.between(start, end)
    turned = np.einsum("nij,nj->ni", turns, start)
    sizes = np.linalg.norm(start, axis=-1) / np.linalg.norm(end, axis=-1)
    np.testing.assert_allclose(turned, end * sizes[:, None], atol=1e-13)
    np.testing.assert_allclose(np.linalg.det(turns), 1.0)
    np.testing.assert_allclose(turns[1], np.eye(3), atol=1e-15)
    # The smallest turn is about an axis across both.
    across = np.einsum("ni,ni->n", rotations.to_vector(turns[2:]), start[2:])
    np.testing.assert_allclose(across, 0, atol=1e-13)
