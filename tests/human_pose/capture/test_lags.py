import numpy as np
import pytest

from human_pose.capture.lags import Even


@pytest.mark.parametrize("frames", [300, 301, 400, 599, 1000])
def test_no_frame_is_compared_twice(frames):
    step = np.random.default_rng(0).normal(size=(frames, 1, 5, 2))
    seen = np.ones((frames, 1, 5))
    rows = Even(step.cumsum(axis=0), seen, 0.0, 100.0).moving()
    assert len(rows) <= 300
    assert (np.diff(rows) > 0).all()
