"""Round cones: against closed forms, and against the balls that they are made of."""

import numpy as np
import pytest

from human_pose.datasets.rendered.raycast import Grid, RoundCones, cast


def _cones(*rows):
    """Round cones from rows of start, end and two radii."""
    rows = np.array(rows, np.float32).reshape(-1, 8)
    return RoundCones(rows[:, :3], rows[:, 3:6] - rows[:, :3], rows[:, 6:])


def _grid(size=41, width=0.5):
    line = np.linspace(-width, width, size)
    return Grid(line, line)


def _middle(size=41):
    return (size * size) // 2


def test_a_ball_straight_ahead():
    hits = cast(_grid(), _cones((0, 0, 5, 0, 0, 5, 1, 1)))
    middle = hits.pixels == _middle()
    np.testing.assert_allclose(hits.points[middle], [[0, 0, 4]], atol=1e-5)
    np.testing.assert_allclose(hits.normals[middle], [[0, 0, -1]], atol=1e-5)
    # Its outline is the cone of tangents: tan = r / sqrt(z² − r²).
    slope = np.abs(_grid().columns[hits.pixels % 41]).max()
    assert slope < 1 / np.sqrt(24) < slope + 0.025 * 1.01


def test_a_cylinder_and_a_cone_from_the_side():
    # Across the view at depth 5: the surface is at 5 − r there.
    hits = cast(_grid(), _cones((-2, 0, 5, 2, 0, 5, 1, 1)))
    middle = hits.pixels == _middle()
    np.testing.assert_allclose(hits.points[middle], [[0, 0, 4]], atol=1e-5)
    np.testing.assert_allclose(hits.along[middle], 0.5, atol=1e-5)
    # A growing radius leans the surface: sin = (r1 − r0) / length.
    hits = cast(_grid(), _cones((-2, 0, 5, 2, 0, 5, 0.5, 1.5)))
    normal = hits.normals[hits.pixels == _middle()]
    sine = 1 / 4
    np.testing.assert_allclose(normal, [[-sine, 0, -np.sqrt(1 - sine**2)]], atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_any_round_cone_is_its_balls(seed):
    rng = np.random.default_rng(seed)
    start, end = rng.uniform(-1, 1, (2, 3)) + np.array([0, 0, 5])
    radii = rng.uniform(0.2, 0.9, 2)
    hits = cast(_grid(), _cones((*start, *end, *radii)))
    rays = _grid().directions().reshape(3, -1).T.astype(np.float64)
    s = np.linspace(0, 1, 2001)
    centres = start + s[:, None] * (end - start)
    sizes = radii[0] + s * (radii[1] - radii[0])
    along = rays @ centres.T
    inside = along**2 - np.sum(centres**2, axis=1) + sizes**2
    depth = np.where(inside > 0, along - np.sqrt(np.maximum(inside, 0)), np.inf)
    expected = depth.min(axis=1)
    found = np.full(len(rays), np.inf)
    found[hits.pixels] = np.linalg.norm(hits.points, axis=1)
    # The outlines may differ by the rays that graze.
    both = np.isfinite(found) & np.isfinite(expected)
    assert np.sum(np.isfinite(found) != np.isfinite(expected)) <= 4
    assert both.sum() > 20
    np.testing.assert_allclose(found[both], expected[both], atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(hits.normals, axis=1), 1, atol=2e-2)
    facing = np.sum(hits.normals * rays[hits.pixels], axis=1)
    assert facing.max() < 0.05


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_part_is_seen_whichever_comes_first(order):
    near, far = (-1, 0, 4, 1, 0, 4, 0.2, 0.2), (0, -1, 5, 0, 1, 5, 0.4, 0.4)
    rows = [(near, far)[i] for i in order]
    hits = cast(_grid(), _cones(*rows))
    part = dict(zip(hits.pixels, hits.part, strict=True))
    assert part[_middle()] == order.index(0)
    # Above the near bar the far one shows.
    assert part[_middle() - 41 * 6] == order.index(1)


def test_parts_outside_the_picture_are_not_there():
    assert not len(cast(_grid(), _cones((9, 0, 5, 9, 1, 5, 0.5, 0.5))).pixels)
