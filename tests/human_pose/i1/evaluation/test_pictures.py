"""Drawings of joints lie on the image that the network was shown."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1.evaluation.pictures import places_in
from human_pose.i1.input import placement, resampling
from human_pose.i1.input.picture import network_inputs


@pytest.mark.parametrize("size", [256, 128, 64])
def test_joints_are_drawn_where_the_pixels_are(size):
    """The mean place of a spot of light, in the network's image and by its joint."""
    picture = np.zeros((224, 224, 3), np.uint8)
    picture[96:113, 120:141] = 200
    joint = tf.constant([[[130.0, 104.0]]])
    where = placement.at_test([1])
    joints_2d = placement.place_joints(joint, where) / 256
    image = network_inputs([tf.constant(picture)], size)[0].numpy().mean(axis=-1)
    inside = resampling.network_input(
        resampling.crop_published(tf.zeros([1, 224, 224, 3], tf.uint8), where), size
    )
    light = image - inside.numpy()[0].mean(axis=-1)
    place = np.arange(size)
    seen = np.array([light.sum(axis) @ place for axis in (0, 1)]) / light.sum()
    np.testing.assert_allclose(places_in(joints_2d, size)[0, 0], seen, atol=0.06)
