import numpy as np
import pytest

from human_pose.geometry.axes import UP_AXES, upright


@pytest.mark.parametrize("up", UP_AXES)
def test_the_axis_that_points_upwards_becomes_z(up):
    turn = upright(np.eye(3), up).T  # its columns are the axes' images
    np.testing.assert_allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)
    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1 if up.startswith("-") else 1
    assert upright(axis, up).tolist() == [0, 0, 1]
