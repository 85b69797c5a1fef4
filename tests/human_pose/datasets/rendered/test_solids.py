"""Boxes and ellipsoids: distances, normals and outlines against closed forms."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from human_pose.datasets.rendered.raycast import Grid
from human_pose.datasets.rendered.solids import Solid, meet
from human_pose.geometry.cameras import Camera

# At the origin, looking along z: camera and world are the same.
CAMERA = Camera(np.eye(3), np.zeros(3), np.ones(2), np.zeros(2))
GRID = Grid(np.linspace(-0.5, 0.5, 101), np.linspace(-0.4, 0.4, 81))
HALF = np.array([300.0, 200.0, 100.0])


def solid(centre=(0, 0, 2000), turn=(0, 0, 0), half=HALF, red=1.0, **changes):
    axes = Rotation.from_rotvec(turn).as_matrix()
    return Solid(np.array(centre, float), axes, half, np.array([red, 0, 0]), **changes)


def test_a_box_is_met_at_its_front():
    found = meet(GRID, [solid()], CAMERA)
    x, y = np.meshgrid(GRID.columns, GRID.rows)
    # The front is at a depth of 1.9 m; the sides are hidden behind it.
    expected = np.where(
        (np.abs(x) < 0.3 / 1.9) & (np.abs(y) < 0.2 / 1.9),
        1.9 * np.sqrt(x * x + y * y + 1),
        np.inf,
    )
    np.testing.assert_allclose(found.distance, expected, rtol=1e-5)
    met = np.isfinite(found.distance)
    np.testing.assert_array_equal(
        found.normals[met], np.tile([0, 0, -1], (met.sum(), 1))
    )
    np.testing.assert_array_equal(found.colours[met][:, 0], 1)


@pytest.mark.parametrize("rounded", [False, True])
def test_points_lie_on_the_surface_and_normals_point_outward(rounded):
    thing = solid((200, -100, 2500), (0.4, 0.9, -0.3), rounded=rounded)
    camera = Camera(
        Rotation.from_rotvec([0.1, -0.1, 0.2]).as_matrix(),
        [50, 30, 400],
        [1, 1],
        [0, 0],
    )
    found = meet(GRID, [thing], camera)
    met = np.isfinite(found.distance)
    assert 100 < met.sum()
    rays = np.moveaxis(GRID.directions(), 0, -1)[met]
    points = rays * found.distance[met][:, None] * 1000
    world = (points - camera.translation_mm) @ camera.rotation
    local = (world - thing.centre_mm) @ thing.axes.T / thing.half_mm
    size = np.linalg.norm(local, axis=-1) if rounded else np.abs(local).max(axis=-1)
    np.testing.assert_allclose(size, 1, atol=1e-4)
    normals = found.normals[met]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, rtol=1e-5)
    assert ((normals * rays).sum(axis=-1) < 1e-6).all()  # towards the camera
    outward = local / thing.half_mm if rounded else np.where(
        np.abs(local) > 1 - 1e-4, np.sign(local), 0
    )  # fmt: skip
    outward = outward @ thing.axes @ camera.rotation.T
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    inner = np.abs(local).max(axis=-1) - np.sort(np.abs(local))[:, 1] > 1e-3
    inner |= rounded  # edges of boxes have two normals
    np.testing.assert_allclose(normals[inner], outward[inner], atol=2e-4)


def test_the_nearest_counts_in_any_order():
    far, near = solid((0, 0, 3000), half=3 * HALF, red=0.2), solid(red=0.9)
    for order in ([far, near], [near, far]):
        found = meet(GRID, order, CAMERA)
        assert found.colours[40, 50, 0] == np.float32(0.9)
        assert found.colours[40, 80, 0] == np.float32(0.2)


def test_an_ellipsoid_fills_its_box_as_a_ball_does():
    share = [
        np.isfinite(meet(GRID, [solid(rounded=r)], CAMERA).distance).sum()
        for r in (True, False)
    ]
    np.testing.assert_allclose(share[0] / share[1], np.pi / 4, atol=0.1)


@pytest.mark.parametrize("centre", [(0, 0, 150), (0, 0, -2000), (9000, 0, 2000)])
def test_what_is_too_near_behind_or_aside_is_not_met(centre):
    assert np.isinf(meet(GRID, [solid(centre)], CAMERA).distance).all()
