"""Places in the picture: against the readouts that are known, and by differences."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1.readout import volume
from human_pose.i1.readout.plane import in_picture
from human_pose.i1.readout.spread import spread

BINS, ROWS, COLUMNS, JOINTS = 3, 5, 6, 2


@pytest.fixture
def heatmap2():
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.1, (2, ROWS, COLUMNS, JOINTS * BINS))


def test_the_mean_is_the_integral_readouts(heatmap2):
    found = in_picture(tf.constant(heatmap2), BINS).mean
    expected = volume.integral(tf.constant(heatmap2), BINS)[..., :2]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_spread_and_confidence_are_those_of_files(heatmap2):
    found = in_picture(tf.constant(heatmap2), BINS)
    known = spread(heatmap2.reshape(2, ROWS, COLUMNS, JOINTS, BINS))
    np.testing.assert_allclose(
        found.covariance, known.covariance[..., :2, :2], rtol=1e-9, atol=1e-15
    )
    np.testing.assert_allclose(found.confidence, known.confidence, rtol=1e-12)


def test_the_gradient_is_that_of_differences(heatmap2):
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=shape) for shape in ((2, 2, 2), (2, 2, 2, 2), (2, 2))]

    def value(volumes):
        parts = in_picture(volumes, BINS)
        pairs = zip(parts, weights, strict=True)
        return tf.add_n([tf.reduce_sum(tf.constant(w) * p) for p, w in pairs])

    x = tf.constant(heatmap2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = value(x)
    gradient = tape.gradient(total, x).numpy()
    for place in [(0, 1, 2, 3), (1, 4, 5, 0), (0, 0, 0, 5), (1, 2, 3, 2)]:
        step = np.zeros_like(heatmap2)
        step[place] = 1e-6
        ends = [float(value(tf.constant(heatmap2 + s * step))) for s in (1, -1)]
        expected = (ends[0] - ends[1]) / 2e-6
        assert gradient[place] == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_half_precision_is_read_in_single(heatmap2):
    found = in_picture(tf.cast(heatmap2, tf.bfloat16), BINS)
    assert {part.dtype for part in found} == {tf.float32}


def test_channels_must_be_joints_of_that_depth(heatmap2):
    with pytest.raises(ValueError, match="J D"):
        in_picture(tf.constant(heatmap2), 4)
