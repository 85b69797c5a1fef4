"""What λ does at the minimisers of a pipeline."""

import numpy as np
import pytest
import tensorflow as tf
from made_up_moments import bumps, made_up_batch, small_pipeline

from human_pose.calibrated.minimise import rule
from human_pose.pipeline.conditioning import diagnose

DAMPING = 1e-3


def test_the_rule_leaves_the_conditions_of_these_unknowns():
    assert rule(0.5) == 0.5
    assert rule("adaptive").condition == 1e7


@pytest.fixture(scope="module")
def found():
    """Of one moment of three views."""
    batch = made_up_batch(moments=1, views=3, input_size=16)
    pipeline = small_pipeline(batch)
    detections = pipeline.read(bumps(batch["joints_2d"]), batch)
    function = tf.function(
        lambda: diagnose(pipeline.head, detections, batch["projection"], DAMPING),
        autograph=False,
    )
    return function()


@pytest.mark.large
def test_a_minimiser_is_one(found):
    smallest, largest = found.smallest_eigenvalue, found.largest_eigenvalue
    assert float(smallest[0]) > 0
    np.testing.assert_allclose(
        found.condition, (largest + DAMPING) / (smallest + DAMPING)
    )


@pytest.mark.large
def test_damping_bounds_and_biases(found):
    assert float(found.bound[0]) <= float(found.mixed_norm[0]) / DAMPING
    # It takes most where the Hessian is flattest, and there 1 - s / (s + λ).
    flattest = DAMPING / (float(found.smallest_eigenvalue[0]) + DAMPING)
    assert 0 < float(found.change[0]) < flattest
