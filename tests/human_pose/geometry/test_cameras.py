import numpy as np
import pytest

from human_pose.geometry.cameras import Camera, look_at

POSITION = np.array([3000.0, -2000.0, 1500.0])
TARGET = np.array([100.0, 200.0, 900.0])


def camera(**options):
    return look_at(
        POSITION,
        TARGET,
        focal_px=np.array([1100.0, 1200.0]),
        centre_px=np.array([500.0, 520.0]),
        **options,
    )


def test_projection_follows_the_pinhole_formula():
    plain = Camera(
        np.eye(3),
        np.array([0.0, 0.0, 1000.0]),
        np.array([500.0, 400.0]),
        np.array([10.0, 20.0]),
    )
    # x = 500 * 200 / 2000 + 10, y = 400 * -300 / 2000 + 20
    np.testing.assert_allclose(
        plain.project(np.array([200.0, -300.0, 1000.0])), [60, -40]
    )


def test_the_target_is_seen_in_the_centre():
    np.testing.assert_allclose(camera().project(TARGET), [500, 520])
    np.testing.assert_allclose(camera().position_mm, POSITION)


@pytest.mark.parametrize("roll_rad", [0.0, 0.3])
def test_rotation_is_proper(roll_rad):
    rotation = camera(roll_rad=roll_rad).rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-15)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_up_is_up_and_right_is_right():
    centre = camera().project(TARGET)
    assert camera().project(TARGET + np.array([0, 0, 10]))[1] < centre[1]
    # Seen from (3, -2) towards the origin, world +y lies to the right.
    assert camera().project(TARGET + np.array([0, 10, 0]))[0] > centre[0]


def test_a_clockwise_roll_turns_the_image_counter_clockwise():
    right = TARGET + 10 * camera().rotation[0]
    x, y = camera(roll_rad=0.1).project(right) - [500, 520]
    assert x > 0
    assert y < 0  # image y points down


@pytest.mark.parametrize("batch", [(), (1,), (20,), (3, 4, 5)])
def test_any_batch(batch):
    points = np.random.default_rng(0).normal(0, 300, (*batch, 3))
    pixels = camera().project(points)
    assert pixels.shape == (*batch, 2)
    one = camera().project(points.reshape(-1, 3)[0])
    np.testing.assert_array_equal(pixels.reshape(-1, 2)[0], one)


def test_a_point_behind_the_camera_is_an_error():
    with pytest.raises(ValueError, match="1 points behind"):
        camera().project(np.stack([TARGET, 2 * POSITION - TARGET]))
