"""Lenses: derivatives, folds, and the way back near them."""

import numpy as np
import pytest

from human_pose.geometry import distortion

LENS = (0.3, -0.1, 0.02, -0.03, 0.05, 0.1, -0.02, 0.01)


def test_newtons_slope_is_the_derivative():
    plane = np.random.default_rng(0).uniform(-0.8, 0.8, (50, 2))
    _, slope = distortion._distorted(plane, LENS)
    for axis in (0, 1):
        step = np.zeros(2)
        step[axis] = 1e-6
        change = distortion.distort(plane + step, LENS)
        change -= distortion.distort(plane - step, LENS)
        np.testing.assert_allclose(slope[..., axis], change / 2e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("numbers", "fold"),
    [
        ((-0.4, 0, 0, 0), 1 / 1.2),  # 1 + 3 k1 s
        ((0.4, 0, 0, 0), np.inf),
        ((0, -0.1, 0, 0), np.sqrt(2)),  # 1 + 5 k2 s²
        ((0, 0, 0, 0, -0.1), (1 / 0.7) ** (1 / 3)),  # 1 + 7 k3 s³
        ((0, 0, 0, 0, 0, 0.5, 0, 0), 2.0),  # r / (1 + s / 2) is highest there
        ((0, 0, 0, 0, 0, -0.5, 0, 0), 2.0),  # 1 - s / 2, its pole
        ((1e-300, 1e-300, 0, 0, 1e-300), np.inf),
    ],
)
def test_the_fold_has_its_closed_form(numbers, fold):
    assert distortion._fold(distortion._full(numbers)) == pytest.approx(fold)
    if np.isfinite(fold):
        rays = np.sqrt(fold) * np.array([[0.999, 0], [1.001, 0]])
        assert distortion.unfolded(rays, numbers).tolist() == [True, False]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.9999])
def test_rays_are_found_up_to_the_fold(share):
    numbers = (-0.4, 0.0, 0.0005, -0.0005)
    angle = np.linspace(0, 2 * np.pi, 60)
    rays = np.stack([np.cos(angle), np.sin(angle)], -1) * share * np.sqrt(5 / 6)
    rays = rays[distortion.unfolded(rays, numbers)]
    assert len(rays) > 25  # the tangential numbers move the very edge
    back, found = distortion.undistort(distortion.distort(rays, numbers), numbers)
    assert found.all()
    # Near the fold the lens hardly moves: an error of the point is one of the ray times
    # 1 / (1 - share²).
    np.testing.assert_allclose(back, rays, rtol=0, atol=1e-13 / (1 - share**2) ** 2)


def test_a_point_does_not_depend_on_its_batch():
    rays = np.random.default_rng(0).uniform(-0.6, 0.6, (40, 2))
    shown = distortion.distort(rays, LENS)
    together, _ = distortion.undistort(shown, LENS)
    for number in (0, 17):
        alone, _ = distortion.undistort(shown[number], LENS)
        np.testing.assert_array_equal(alone, together[number])
