"""Fisheye lenses: OpenCV's model, its fold, and the way back."""

import numpy as np
import pytest

from human_pose.geometry import fisheye
from human_pose.geometry.cameras import Camera

LENS = (0.02, -0.01, 0.003, -0.001)
PLACE = {
    "rotation": np.eye(3),
    "translation_mm": [10.0, 20.0, 30.0],
    "focal_px": [400.0, 410.0],
    "centre_px": [500.0, 510.0],
}
POINTS = np.random.default_rng(0).normal(0, 2000, (200, 3)) * [1, 1, 0] + [0, 0, 1000]


def test_it_is_opencvs():
    cv2 = pytest.importorskip("cv2")
    camera = Camera(**PLACE, distortion=LENS, lens="fisheye")
    matrix = np.array([[400, 0, 500], [0, 410, 510], [0, 0, 1.0]])
    expected, _ = cv2.fisheye.projectPoints(
        POINTS[:, None], np.zeros(3), camera.translation_mm, matrix, np.array(LENS)
    )
    np.testing.assert_allclose(camera.project(POINTS), expected[:, 0], atol=1e-10)


@pytest.mark.parametrize("lens", [(), LENS, (-0.1, 0, 0, 0)])
def test_the_way_back(lens):
    camera = Camera(**PLACE, distortion=lens, lens="fisheye")
    straight = Camera(**PLACE).project(POINTS)
    seen = camera.project(POINTS)
    np.testing.assert_allclose(camera.undistort(seen), straight, rtol=1e-12)
    assert np.abs(seen - straight).max() > 100


def test_equidistant_without_numbers():
    camera = Camera(**PLACE, lens="fisheye")
    assert camera.distortion == (0.0,) * 4
    assert camera != Camera(**PLACE)
    at_60_degrees = np.array([np.tan(np.pi / 3), 0, 1.0]) * 1000 - [10, 20, 30]
    expected = [500 + 400 * np.pi / 3, 510.0]
    np.testing.assert_allclose(camera.project(at_60_degrees), expected)


def test_the_fold():
    numbers = (-0.4, 0.0, 0.0, 0.0)  # 1 - 1.2 θ² is 0 at 0.9129 rad
    assert fisheye.fold(numbers) == pytest.approx(np.sqrt(1 / 1.2))
    assert fisheye.fold(LENS) == np.pi / 2
    camera = Camera(**PLACE, distortion=numbers, lens="fisheye")
    highest = 400 * np.sqrt(1 / 1.2) * 2 / 3
    x = 500 + highest * np.array([0.999, 0, 1.001, np.nan, np.inf])
    points = np.stack([x, np.full(5, 510.0)], axis=-1)
    straight, found = camera.undistort_where(points)
    assert found.tolist() == [True, True, False, False, False]
    assert np.isnan(straight).all(axis=-1).tolist() == [False, False, True, True, True]
    with pytest.raises(ValueError, match="Received: 2 points where it does not"):
        camera.undistort(points)
    with pytest.raises(ValueError, match="does not fold"):
        camera.project(np.array([3000.0, 0, 1000]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"lens": "pinhole"},
            "`lens` must be one of brown_conrady, fisheye.*'pinhole'",
        ),
        ({"lens": "fisheye", "distortion": (0, 0, 0, 0, 0)}, "k1 k2 k3 k4. Received"),
        ({"distortion": (0.0,) * 12}, "thin prism or a tilted sensor.*12 numbers"),
    ],
)
def test_what_is_no_lens(changes, message):
    with pytest.raises(ValueError, match=message):
        Camera(**PLACE | changes)


def test_undistorting_where_a_straight_camera_sees():
    points = np.array([[1.0, 2.0], [np.nan, 3.0]])
    straight, found = Camera(**PLACE).undistort_where(points)
    assert found.tolist() == [True, False]
    np.testing.assert_array_equal(straight, [[1, 2], [np.nan, np.nan]])
