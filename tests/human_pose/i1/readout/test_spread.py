"""Spreads of volumes beside closed forms, and boxes about joints."""

import numpy as np
import pytest
import tensorflow as tf

from human_pose.capture.detectors.boxes import box_about
from human_pose.i1.readout import volume
from human_pose.i1.readout.spread import spread


def test_the_spread_of_a_gaussian_is_its_covariance():
    rows, columns, bins = 40, 50, 30
    centre = np.array([0.45, 0.55, 0.5])
    covariance = np.array([[40, 15, -4], [15, 30, 6], [-4, 6, 20]]) * 1e-4
    places = [(np.arange(n) + 0.5) / n for n in (columns, rows, bins)]
    y, x, z = np.meshgrid(places[1], places[0], places[2], indexing="ij")
    off = np.stack([x, y, z], axis=-1) - centre
    density = -0.5 * np.einsum("...a,ab,...b", off, np.linalg.inv(covariance), off)
    # Joint 0 is the Gaussian, joint 1 is sure of one voxel.
    one = np.zeros((rows, columns, bins))
    one[12, 7, 3] = 9.0
    heatmap2 = np.stack([density / volume.SOFTMAX_SCALE, one], axis=-2)[None]
    found = spread(heatmap2.astype(np.float32))
    within = np.diag([1 / columns**2, 1 / rows**2, 1 / bins**2]) / 12
    np.testing.assert_allclose(found.covariance[0, 0], covariance + within, rtol=0.02)
    np.testing.assert_allclose(found.covariance[0, 1], within, atol=1e-9)
    assert found.confidence[0, 1] == pytest.approx(1.0)
    assert 0.05 < found.confidence[0, 0] < 0.4
    # The means are those of the readout.
    flat = heatmap2.reshape(1, rows, columns, -1).astype(np.float32)
    mean = volume.integral(tf.constant(flat), bins).numpy()
    np.testing.assert_allclose(mean[0, 0], centre, atol=1e-3)


def test_boxes_are_squares_about_what_was_found():
    points = np.array([[10.0, 20.0], [30.0, 120.0], [np.nan, np.nan]])
    x1, y1, x2, y2 = box_about(points)
    assert (x1 + x2) / 2 == 20 and (y1 + y2) / 2 == 70
    assert x2 - x1 == y2 - y1 == pytest.approx(121)
    assert box_about(points[2:]) is None
