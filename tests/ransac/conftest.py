"""What the tests of the toy share."""

import numpy as np
import pytest

from ransac.problems import Problems


class Given:
    """A stream of the problems it is made from."""

    def __init__(self, inliers, outliers):
        self._problems = Problems(np.float64(inliers), np.float64(outliers))
        self.points = sum(array.shape[1] for array in self._problems)
        self._taken = 0

    def take(self, count):
        start = self._taken
        self._taken += count
        return Problems(*(array[start : start + count] for array in self._problems))


@pytest.fixture
def given():
    return Given
