"""What the tests of the minimisers share."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(20190912)


@pytest.fixture
def slope():
    """Finite differences: `slope(function, at, along)`, right to about 1e-11."""

    def estimate(function, at, along, step=1e-3):
        # Six points, so that the error is of order step**6.
        weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
        total = 0.0
        for k, weight in weights.items():
            ahead = [a + k * step * d for a, d in zip(at, along, strict=True)]
            behind = [a - k * step * d for a, d in zip(at, along, strict=True)]
            total += weight * (float(function(*ahead)) - float(function(*behind)))
        return total / step

    return estimate
