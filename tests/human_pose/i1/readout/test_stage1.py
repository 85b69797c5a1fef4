import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1.readout import stage1


def test_normalisation_agrees_with_the_original(golden, assert_golden):
    heatmap = tf.constant(golden.nhwc("normresp2d", "bottom"))
    normalized = stage1.normalize(heatmap)
    assert_golden(normalized, golden.nhwc("normresp2d", "top"))
    gradient = stage1.normalize_backward(heatmap, golden.nhwc("normresp2d", "top_diff"))
    assert_golden(gradient, golden.nhwc("normresp2d", "grad"))


def test_coordinates_agree_with_the_original(golden, assert_golden):
    heatmap = tf.constant(golden.nhwc("numcoord2d", "bottom"))
    position = stage1.coordinates(heatmap)
    assert_golden(position, golden("numcoord2d", "top").reshape(2, 16, 2))
    upstream = golden("numcoord2d", "top_diff").reshape(2, 16, 2)
    gradient = stage1.coordinates_backward(heatmap, upstream)
    assert_golden(gradient, golden.nhwc("numcoord2d", "grad"))


def test_true_gradient_is_the_derivative():
    maps = tf.random.stateless_uniform([1, 3, 4, 2], [0, 1], 0.1, 1, dtype="float64")
    weights = tf.constant([[[1.0, -2.0], [0.5, 3.0]]], "float64")

    def loss(x):
        return tf.reduce_sum(weights * stage1.integral(x, "true"))

    with tf.GradientTape() as tape:
        tape.watch(maps)
        value = loss(maps)
    gradient = tape.gradient(value, maps).numpy()
    step = 1e-6
    for place in np.ndindex(*maps.shape):
        moved = np.zeros(maps.shape)
        moved[place] = step
        slope = (loss(maps + moved) - loss(maps - moved)) / (2 * step)
        np.testing.assert_allclose(gradient[place], slope, rtol=1e-6, atol=1e-8)


def test_an_empty_map_is_spread_evenly_with_those_before_it():
    maps = np.zeros((1, 4, 4, 3), np.float32)
    maps[0, 2, 1, 0] = maps[0, 1, 3, 2] = 1
    position = stage1.integral(maps, "true")[0]
    middle = [1.5 / 4, 1.5 / 4]
    np.testing.assert_allclose(position, [middle, middle, [3 / 4, 1 / 4]])


def test_refuses_unknown_gradients():
    with pytest.raises(ValueError, match="gradient must be published or true"):
        stage1.integral(np.ones((1, 2, 2, 1), np.float32), "exact")
