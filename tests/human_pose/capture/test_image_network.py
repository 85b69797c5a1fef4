"""The image network as a detector: what its volumes say, in pixels of the picture."""

import numpy as np
import pytest

from human_pose.capture.config import DetectorConfig
from human_pose.capture.detectors import find_detector
from human_pose.capture.detectors.image_network import ImageNetwork, covariance_px2
from human_pose.i1.readout.spread import Spread


@pytest.mark.parametrize("number", [int, float])
def test_covariances_are_of_the_boxes_pixels(number):
    """Also of a box of whole pixels; a crop's sides are 256 / 224 * 1.12 of a box's."""
    box = tuple(map(number, (10, 20, 110, 220)))
    shape = np.array([[0.04, 0.01, 0], [0.01, 0.09, 0], [0, 0, 1]])
    seen = Spread(np.tile(shape, (16, 1, 1)), np.ones(16))
    x, y = 1.28 * np.array([100, 200])
    expected = [[0.04 * x * x, 0.01 * x * y], [0.01 * x * y, 0.09 * y * y]]
    np.testing.assert_allclose(covariance_px2(seen, box), [expected] * 16, rtol=1e-12)


def test_is_found_by_its_name(tmp_path):
    checkpoint = tmp_path / "d16.keras"
    found = find_detector(DetectorConfig("i1", (checkpoint,)))
    assert isinstance(found, ImageNetwork)
    assert found.checkpoint == checkpoint
