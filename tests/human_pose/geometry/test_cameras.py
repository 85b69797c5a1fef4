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


# Of Human3.6M's size; the last has all eight numbers.
LENSES = [
    (-0.2, 0.25, -0.001, 0.0005),
    (-0.2, 0.25, -0.001, 0.0005, -0.007),
    (-0.4, 0.0, 0.0, 0.0),
    (0.3, -0.1, 0.002, -0.003, 0.05, 0.1, -0.02, 0.01),
]


def distorting(lens, **options):
    return Camera(
        camera().rotation,
        camera().translation_mm,
        np.array([1145.0, 1143.0]),
        np.array([512.0, 515.0]),
        lens,
        **options,
    )


def around_target(count=200, spread=900):
    return TARGET + np.random.default_rng(0).uniform(-spread, spread, (count, 3))


def test_a_lens_distorts_as_opencvs():
    straight = Camera(
        np.eye(3),
        np.array([0.0, 0.0, 4000.0]),
        np.array([1145.0, 1143.0]),
        np.array([512.0, 515.0]),
        LENSES[-1],
    )
    # cv2.projectPoints of OpenCV 5.0.0
    expected = [
        [726.7244828030609, 354.2224820471698],
        [158.05747542180922, 779.9530296766902],
    ]
    points = np.array([[800.0, -600, 300], [-1200, 900, 0]])
    np.testing.assert_allclose(straight.project(points), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("lens", "expected"),
    [
        # At x = 0.2, y = -0.1, r² = 0.05, with focal length 1000.
        ((1.0, 0, 0, 0), (210, -105)),
        ((0, 1.0, 0, 0), (200.5, -100.25)),
        ((0, 0, 1.0, 0), (200 - 40, -100 + 70)),
        ((0, 0, 0, 1.0), (200 + 130, -100 - 40)),
        ((0, 0, 0, 0, 1.0), (200.025, -100.0125)),
        ((0, 0, 0, 0, 0, 1.0, 0, 0), (200 / 1.05, -100 / 1.05)),
        ((0, 0, 0, 0, 0, 0, 1.0, 0), (200 / 1.0025, -100 / 1.0025)),
        ((0, 0, 0, 0, 0, 0, 0, 1.0), (200 / 1.000125, -100 / 1.000125)),
    ],
)
def test_each_number_of_a_lens_has_its_closed_form(lens, expected):
    plain = Camera(np.eye(3), np.zeros(3), [1000, 1000], [0, 0], lens)
    point = np.array([0.4, -0.2, 2.0])
    np.testing.assert_allclose(plain.project(point), expected, rtol=1e-13)


@pytest.mark.parametrize("lens", [(), *LENSES])
def test_undistorting_is_the_way_back(lens):
    points = around_target()
    seen = distorting(lens).project(points)
    pinhole = distorting(()).project(points)
    np.testing.assert_allclose(
        distorting(lens).undistort(seen), pinhole, rtol=0, atol=1e-9
    )
    assert lens == () or np.abs(seen - pinhole).max() > 5


def test_undistorting_keeps_the_batch_and_what_was_not_seen():
    lens = distorting(LENSES[0])
    points = lens.project(around_target(12)).reshape(3, 4, 2)
    points[1, 2] = np.nan
    back = lens.undistort(points)
    assert back.shape == points.shape
    assert np.isnan(back[1, 2]).all()
    assert np.isfinite(np.delete(back.reshape(12, 2), 6, axis=0)).all()
    assert np.isnan(lens.project(np.full(3, np.nan))).all()


def test_no_ray_is_invented():
    # r (1 - 0.4 r²) is highest at r² = 5 / 6, where it is 0.609.
    lens = Camera(np.eye(3), np.zeros(3), [1000, 1000], [0, 0], (-0.4, 0, 0, 0))
    edge = np.sqrt(5 / 6)
    highest = 1000 * edge * 2 / 3
    near = lens.undistort(np.array([0.999 * highest, 0]))
    assert 0.9 * 1000 * edge < near[0] < 1000 * edge
    for shown in ([1.001 * highest, 0], [0, -1e5], [1e300, 0], [np.inf, 0]):
        with pytest.raises(ValueError, match="Received: 1 points where it does not"):
            lens.undistort(np.array([[0, 0], shown]))
    # The same numbers would show a ray beyond the fold once more.
    lens.project(np.array([0.99 * edge, 0, 1]))
    for beyond in (1.01 * edge, 1.5, 1e6):
        with pytest.raises(ValueError, match=r"does not fold.*Received: 1 points"):
            lens.project(np.array([[0, 0, 1], [beyond, 0, 1]]))


def test_human36ms_numbers_are_put_in_order():
    placed = Camera.at(
        POSITION,
        camera().rotation,
        focal_px=[1145, 1143],
        centre_px=[512, 515],
        radial=(-0.2, 0.25, -0.007),
        tangential=(-0.001, 0.0005),
        size_px=(1000, 1002),
        name="54138969",
    )
    assert placed == distorting(LENSES[1], size_px=(1000, 1002), name="54138969")
    np.testing.assert_allclose(placed.position_mm, POSITION)
    np.testing.assert_array_equal(placed.intrinsics_px, [1145, 1143, 512, 515])
    plain = Camera.at(
        POSITION,
        np.eye(3),
        focal_px=[1, 1],
        centre_px=[0, 0],
        radial=(0, 0, 0),
        tangential=(0, 0),
    )
    assert plain.distortion == ()
    with pytest.raises(ValueError, match=r"three numbers and two, or none.*2 and 2"):
        Camera.at(
            POSITION,
            np.eye(3),
            focal_px=[1, 1],
            centre_px=[0, 0],
            radial=(1, 2),
            tangential=(0, 0),
        )


def test_a_camera_is_a_value():
    first, second = distorting(LENSES[0]), distorting(LENSES[0])
    assert first == second and hash(first) == hash(second)
    assert len({first, second, distorting(LENSES[0], name="b"), camera()}) == 3
    assert first != "camera"
    given = np.eye(3)
    own = Camera(given, np.zeros(3), [1, 1], [0, 0])
    given[0, 0] = 5
    np.testing.assert_array_equal(own.rotation, np.eye(3))
    with pytest.raises(ValueError, match="read-only"):
        own.rotation[0, 0] = 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotation": np.diag([1, 1, -1])}, "`rotation` must be orthonormal and right"),
        ({"rotation": 2 * np.eye(3)}, "`rotation` must be orthonormal"),
        ({"rotation": np.eye(4)}, r"`rotation` must be .* shape \[3, 3\]"),
        ({"translation_mm": [0, 0]}, r"`translation_mm` must be .* shape \[3\]"),
        ({"translation_mm": [0, np.nan, 0]}, "`translation_mm` must be finite"),
        ({"focal_px": [1, -1]}, "`focal_px` must be positive"),
        ({"focal_px": 1000}, r"`focal_px` must be .* shape \[2\]"),
        ({"distortion": (1, 2, 3)}, "`distortion` must be finite: k1 k2 p1 p2"),
        ({"distortion": (1, 2, 3, np.inf)}, "`distortion` must be finite"),
        ({"size_px": (0, 100)}, "`size_px` must be two whole numbers, and positive"),
        ({"size_px": (640.5, 480)}, "`size_px` must be two whole numbers"),
        ({"size_px": (640, np.nan)}, "`size_px` must be two whole numbers"),
        ({"size_px": (np.inf, 480)}, "`size_px` must be two whole numbers"),
        ({"size_px": (480, 640, 3)}, "`size_px` must be two whole numbers"),
    ],
)
def test_what_is_no_camera_is_refused(changes, message):
    plain = {
        "rotation": np.eye(3),
        "translation_mm": np.zeros(3),
        "focal_px": [1, 1],
        "centre_px": [0, 0],
    }
    Camera(**plain)
    with pytest.raises(ValueError, match=message):
        Camera(**(plain | changes))
