"""The numbers of the original's layers, NCHW as it has them."""

import numpy as np
import pytest

from human_pose.files.paths import PROJECT_ROOT

_GOLDEN = PROJECT_ROOT.parent / "shared" / "reference" / "i1_dev.npz"


class Golden:
    """One case of the original's layers after another: `golden("mpjpe", "top")`."""

    def __init__(self, path):
        self._arrays = np.load(path)

    def __call__(self, case, name):
        return self._arrays[f"{case}/{name}"]

    def nhwc(self, case, name):
        return np.moveaxis(self(case, name), 1, -1)


@pytest.fixture(scope="session")
def golden():
    if not _GOLDEN.exists():
        pytest.skip("needs the original's numbers, ../shared/reference/i1_dev.npz")
    return Golden(_GOLDEN)


@pytest.fixture(scope="session")
def assert_golden():
    """Asserts agreement to a part of the largest golden number."""

    def check(actual, expected, tolerance=1e-5):
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert actual.shape == expected.shape
        scale = np.max(np.abs(expected))
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)

    return check
