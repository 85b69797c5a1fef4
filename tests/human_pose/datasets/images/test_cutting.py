"""Squares of stored pictures: `crop.cropped` in a graph, and where the two differ."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.datasets.images.crop import WHOLE, cropped, inside, to_picture
from human_pose.datasets.images.cutting import cut, shown


def waves(width=400, height=300):
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [128 + 100 * np.sin((x + c * y) / (7.0 + c)) for c in range(3)], -1
    ).astype(np.uint8)


def of(picture, square):
    return cut(tf.constant(picture), tf.constant(square, tf.float32)).numpy()


@pytest.mark.parametrize(
    "square", [(40, 30, 264, 254), (50, 20, 150, 120), (60, 10, 340, 290)]
)
def test_inside_of_a_picture_it_is_what_frames_of_videos_become(square):
    """Pillow rounds to 8 bits after one axis, and again after the other."""
    off = of(waves(), square).astype(int) - cropped(waves(), np.array(square))
    assert np.abs(off).max() <= 2
    assert np.abs(off).mean() < 0.3


@pytest.mark.parametrize("corner", [(-100, -50), (300, 200), (-224, 0), (399, 299)])
def test_grey_is_outside_as_in_frames_of_videos(corner):
    """Bit for bit, where no size changes."""
    square = np.array([*corner, *np.add(corner, 224)])
    if corner[0] == -224:
        square += [1, 0, 1, 0]
    np.testing.assert_array_equal(of(waves(), square), cropped(waves(), square))


@pytest.mark.parametrize(
    "square",
    [
        (-50.0, -50.0, 130.0, 130.0),
        (-398.7, -0.5, 1.3, 399.5),
        (-399.9, -0.5, 0.1, 399.5),
    ],
)
def test_grey_is_outside_where_sizes_change(square):
    """By the rule that refuses squares which show nothing."""
    white = np.full((100, 120, 3), 250, np.uint8)
    across, down = inside(np.float32(square), np.array([120, 100]))
    wanted = np.where(down[:, None] & across, 250, 128)
    found = of(white, square)
    np.testing.assert_array_equal(found, wanted[..., None].repeat(3, -1))


@pytest.mark.parametrize("size", [56, 160, 300, 1024])
def test_no_grey_shines_in_at_the_edges_of_a_crop(size):
    white = np.full((size, size, 3), 250, np.uint8)
    assert (of(white, (0.0, 0.0, size, size)) == 250).all()


@pytest.mark.parametrize(
    "square",
    [(30.3, 21.7, 142.9, 134.3), (10.25, 5.5, 234.25, 229.5), (8, 9, 272, 273)],
)
def test_a_pixel_is_where_its_joint_would_be(square):
    """A ramp stays one; `to_picture` the other way round says where."""
    y, x = np.mgrid[:300, :280]
    ramps = np.stack([x * 0.9, y * 0.8, 255 - x * 0.9], -1).round().astype(np.uint8)
    found = of(ramps, square).astype(float)
    inner = slice(8, 216)  # cubic weights reach beyond the square
    u = np.arange(224)[inner]
    points = np.stack([u, u], -1) * (square[2] - square[0]) / 224 + square[:2]
    np.testing.assert_allclose(
        to_picture(points, np.array(square)), np.stack([u, u], -1), atol=1e-9
    )
    across, down = np.broadcast_arrays(points[:, 0], points[:, 1:])
    wanted = np.stack([across * 0.9, down * 0.8, 255 - across * 0.9], -1)
    # Levels are rounded before and after.
    np.testing.assert_allclose(found[inner, inner], wanted, atol=1.1)


def test_a_whole_picture_is_itself_in_a_graph_of_any_size():
    graph = tf.function(shown, input_signature=[
        tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([4], tf.float32)
    ])  # fmt: skip
    picture = waves(224, 224)
    np.testing.assert_array_equal(graph(picture, WHOLE), picture)
    square = np.float32([10, 20, 210, 220])
    np.testing.assert_array_equal(graph(waves(), square), of(waves(), square))
    assert graph.get_concrete_function().output_shapes == (224, 224, 3)
