"""The modern crop: where its pixels come from, and pictures kept in memory."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.datasets.images import open_dataset
from human_pose.i1.input import Stream, batches, colours, placement, projection

PLAIN = colours.Change(tf.ones([3, 3]), tf.zeros([3, 3]))


@pytest.fixture
def where():
    """Small and turned, large and turned the other way, mirrored."""
    draws = [[0, 0.1, 0.1, 0.5, 0.5, 0.9], [0, 0.9, 0.8, 0.5, 0.5, 0.9], [0.4] * 6]
    return placement.from_draws(tf.constant(draws, tf.float64))


def ramp():
    """A picture whose first channel is its column and second its row."""
    line = np.arange(224, dtype=np.uint8)
    column, row = np.meshgrid(line, line)
    return tf.constant(np.stack([column, row, 0 * row], axis=-1))


@pytest.mark.parametrize("size", (64, 128, 256))
def test_pixels_show_what_joints_there_would_be_at(where, size):
    pictures = projection.reduced(tf.stack([ramp()] * 3), size)
    crop = projection.crop(pictures, where, PLAIN, size).numpy() * 256 + 128
    crop = crop[..., ::-1]  # red first, as the picture
    inside = [(80, 100), (112, 112), (140, 90)]
    places = placement.place_joints(tf.constant([inside] * 3, tf.float64), where)
    step = 256 // size
    for sample, joints in enumerate(places.numpy()):
        for (column, row), (x, y) in zip(inside, joints, strict=True):
            # Bilinear between the four pixels around, to whose middles a ramp is exact.
            x, y = (x + 0.5) / step - 0.5, (y + 0.5) / step - 0.5
            left, top = int(x), int(y)
            four = crop[sample, top : top + 2, left : left + 2, :2]
            across = four[:, 0] + (x - left) * (four[:, 1] - four[:, 0])
            seen = across[0] + (y - top) * (across[1] - across[0])
            # Means of reduced pictures are rounded to whole grey levels.
            np.testing.assert_allclose(seen, [column, row], atol=0.51)


def test_outside_is_gray_and_colours_change_everything(where):
    pictures = tf.zeros([3, 112, 112, 3], tf.uint8)
    change = colours.Change(tf.fill([3, 3], 0.5), tf.fill([3, 3], 0.125))
    crop = projection.crop(pictures, where, change, 64).numpy()
    np.testing.assert_allclose(crop[0, 0, 0], 0.125, atol=1e-6)
    np.testing.assert_allclose(crop[0, 32, 32], -0.125, atol=1e-6)


@pytest.mark.parametrize("augment", ("modern", "mild"))
def test_pictures_kept_in_memory_are_the_same(root, augment):
    dataset = open_dataset(root)
    options = {"augment": augment, "shuffle": True, "input_size": 64}
    kept = next(iter(batches(dataset, Stream(3, repeat=True, **options))))
    read = next(iter(batches(dataset, Stream(3, **options))))
    np.testing.assert_array_equal(kept["index"], read["index"])
    np.testing.assert_array_equal(kept["image"], read["image"])


def test_mild_mirrors_nobody_and_turns_little():
    draws = np.random.default_rng(0).uniform(size=(200, placement.DRAWS))
    placed = placement.from_draws(tf.constant(draws), placement.MILD)
    assert not placed.flipped.numpy().any()
    angles = np.degrees(np.arctan2(placed.sin, placed.cos))
    assert 6 < np.abs(angles).max() <= 7
    assert 0.3 < (angles == 0).mean() < 0.5
    scales = placed.scale.numpy() * 1.12
    assert 0.93 <= scales.min() < 0.94 and 1.06 < scales.max() <= 1.07
