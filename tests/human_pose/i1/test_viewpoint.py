"""What a box means for a camera or depth that the user does not give."""

import pytest

from human_pose.files.errors import InputError
from human_pose.i1 import viewpoint

CAMERA = (900.0, 1000.0, 310.0, 240.0)
BOX = (100, 50, 460, 410)  # 360 px
SIZE = (640, 480)


def shown_mm(found, box):
    """What the longer side of a box shows at the hip's depth."""
    fx, fy = found.camera[:2]
    across, down = (box[2] - box[0]) / fx, (box[3] - box[1]) / fy
    return max(across, down) * found.root_depth_mm


def test_keeps_what_is_given():
    found = viewpoint.complete(CAMERA, 4000.0, BOX, *SIZE)
    assert found == viewpoint.Viewpoint(CAMERA, 4000.0)


@pytest.mark.parametrize("box", [BOX, (100, 50, 460, 210), (100, 50, 240, 410)])
def test_a_camera_gives_the_depth(box):
    found = viewpoint.complete(CAMERA, None, box, *SIZE)
    assert found.camera == CAMERA
    assert shown_mm(found, box) == pytest.approx(1800)


@pytest.mark.parametrize("box", [BOX, (100, 50, 460, 210), (100, 50, 240, 410)])
def test_a_depth_gives_the_camera(box):
    found = viewpoint.complete(None, 8000.0, box, *SIZE)
    # 360 px for 1.8 m at 8 m.
    assert found == viewpoint.Viewpoint((1600.0, 1600.0, 320.0, 240.0), 8000.0)


def test_a_box_of_most_of_the_picture_is_5_m_away():
    found = viewpoint.complete(None, None, (0, 0, 224, 224), 224, 224)
    focal_px = 224 * 5000 / 1800
    assert found.camera == pytest.approx((focal_px, focal_px, 112, 112))
    assert found.root_depth_mm == 5000


def test_a_small_box_is_farther_away_rather_than_the_camera_a_fisheye():
    """5 m would give 278 px, an angle of 121 degrees across the picture."""
    found = viewpoint.complete(None, None, (700, 400, 800, 500), 1000, 600)
    assert found.camera == pytest.approx((1145, 1145, 500, 300))
    assert found.root_depth_mm == pytest.approx(1.8 * 1145 * 1000 / 100)


@pytest.mark.parametrize(
    ("camera", "depth_mm", "box", "message"),
    [
        (CAMERA, None, (0, 0, 1, 1), "^root_depth_mm must be .*1000000.* 1.62e[+]06"),
        ((5.0, 5.0, 0.0, 0.0), None, BOX, "^root_depth_mm must be from 100 .* 25$"),
        (None, None, (0, 0, 1, 1), "^root_depth_mm must be .* by the box, 1.32e[+]06"),
        (None, 100.0, (0, 0, 9, 9), "^camera must be given: .* of 0.5 px, .* from 1"),
        (None, 1e6, (0, 0, 9, 2000), "^camera must be .* of 1.11e[+]06 px, .*1000000"),
        ((0.0, 5.0, 0.0, 0.0), None, BOX, "^camera must be focal lengths from 1 to"),
        (
            (5.0, 5.0, 2e6, 0.0),
            None,
            BOX,
            "^camera .* a centre at most 1000000",
        ),
        ((5.0, 5.0, 0.0), None, BOX, "^camera must be four numbers; received .5.0"),
        ((10**400, 5.0, 0.0, 0.0), None, BOX, "^camera must be four numbers; rec"),
        ((5.0, 5.0, 0.0, float("nan")), None, BOX, "^camera must be finite; received"),
        (None, 99.0, BOX, "^root_depth_mm must be from 100 to 1000000; .* 99$"),
    ],
)
def test_refuses_what_single_precision_and_no_camera_has(
    camera, depth_mm, box, message
):
    with pytest.raises(InputError, match=message):
        viewpoint.complete(camera, depth_mm, box, *SIZE)
