"""Crops: which point of the frame each pixel of the picture is."""

import numpy as np
import pytest

from human_pose.datasets.images.crop import box_of, cropped, inside, to_picture
from human_pose.files.errors import InputError


def ramps(width=300, height=250):
    """A frame whose channels say x / 2, y and how far x is from 256, at each pixel."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x // 2, y, np.clip(256 - x, 0, 255)], -1).astype(np.uint8)


def test_a_box_of_224_px_is_the_frame_itself():
    frame = ramps()
    picture = cropped(frame, np.array([13, 7, 237, 231]))
    np.testing.assert_array_equal(picture, frame[7:231, 13:237])


@pytest.mark.parametrize("side", [112, 150, 198])
def test_a_pixel_is_where_its_joint_would_be(side):
    x1, y1 = 20, 30
    box = np.array([x1, y1, x1 + side, y1 + side])
    picture = cropped(ramps(), box).astype(float)
    inner = slice(6, 218)  # cubic weights reach beyond the box
    # `to_picture` the other way round; a ramp stays one under interpolation.
    u = np.arange(224)[inner]
    x = x1 + u * side / 224
    np.testing.assert_allclose(to_picture(np.stack([x, x], -1), box)[:, 0], u)
    wanted = np.broadcast_to(256 - x, (len(u), len(u)))
    np.testing.assert_allclose(picture[inner, inner, 2], wanted, atol=0.75)
    y = y1 + u * side / 224
    wanted = np.broadcast_to(y[:, None], (len(u), len(u)))
    np.testing.assert_allclose(picture[inner, inner, 1], wanted, atol=0.75)


def test_grey_lies_outside_of_the_frame():
    frame = np.full((100, 100, 3), 200, np.uint8)
    picture = cropped(frame, np.array([-112, -112, 112, 112]))
    assert (picture[:112, :] == 128).all()
    assert (picture[:, :112] == 128).all()
    assert (picture[112:212, 112:212] == 200).all()
    assert (picture[212:, 212:] == 128).all()


def test_a_box_is_a_square_about_the_joints():
    joints = np.array([[100.0, 50.0], [140.0, 250.0], [120.0, 100.0]])
    box = box_of(joints, 1000, 1002)
    assert box.tolist() == [120 - 116, 150 - 116, 120 + 116, 150 + 116]


@pytest.mark.parametrize(
    ("joints", "rule"),
    [
        ([[5, 5], [5, 5]], "a side from 1 to 4008 px; it has 0"),
        ([[0, 0], [0, 9000]], "a side from 1 to 4008 px; it has 10440"),
        ([[1200, 5], [1300, 50]], "must show some of the 1000 x 1002 px frame"),
        ([[-300, 5], [-200, 50]], "must show some of the 1000 x 1002 px frame"),
    ],
)
def test_a_box_that_shows_nothing_is_refused(joints, rule):
    with pytest.raises(InputError, match=rule):
        box_of(np.array(joints, float), 1000, 1002)


@pytest.mark.parametrize(
    ("square", "columns"),
    [
        ((0, 0, 224, 224), range(100)),
        ((-400, 0, 0, 400), ()),  # the last middle is 400 / 224 px before the edge
        ((-399.9, 0, 0.1, 400), ()),
        ((-398.7, 0, 1.3, 400), (223,)),
        ((99.9, 0, 299.9, 200), range(1)),
        ((100, 0, 300, 200), ()),
    ],
)
def test_pixels_have_their_middles_inside(square, columns):
    found = inside(np.array(square), np.array([100, 50]))
    assert np.flatnonzero(found[0]).tolist() == [*columns]
    assert found[1].any()


def test_a_frame_between_two_middles_is_not_shown():
    """Five rows of a frame whose square has a row in eighteen."""
    with pytest.raises(InputError, match="must show some of the 1000 x 5 px frame"):
        box_of(np.array([[0.0, -1706.0], [1000.0, 1726.0]]), 1000, 5)
