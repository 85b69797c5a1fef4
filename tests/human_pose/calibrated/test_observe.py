"""What a recording's covariances are to the lifter: deviations and directions."""

import made_up_recording as made
import numpy as np
import pytest

from human_pose.calibrated.config import CalibratedConfig
from human_pose.calibrated.joints import ModelJoints
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.calibrated.observe import observe
from human_pose.calibrated.prior.files import load_prior
from human_pose.calibrated.session import Session
from human_pose.geometry.skeletons import LIFTER_17

MODEL = ModelJoints.of(LIFTER_17, LIFTER_17)


def covariances(count, seed=5):
    """Long ones, in any direction, of a recording's detections, px²."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, np.pi, (count, 4, 1, 17))
    sine, cosine = np.sin(angle), np.cos(angle)
    axes = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    long = rng.uniform(4, 12, angle.shape)
    values = np.stack([long**2, np.full(angle.shape, 9.0)], -1)
    return np.einsum("...ik,...k,...jk->...ij", axes, values, axes)


def test_deviations_and_directions_are_the_covariances():
    truth = made.truth_mm(6)
    given = covariances(6)
    given[1, 2, 0, 3] = np.nan
    given[2, 0, 0, 4] = [[4.0, 9.0], [9.0, 4.0]]  # of nothing
    given[3, 1, 0, 5] = np.diag([1e6, 1.0])
    sight = observe(made.recording(truth, covariance_px2=given), MODEL)
    np.testing.assert_allclose(np.linalg.det(sight.whitening), 1)
    np.testing.assert_array_equal(sight.whitening[1, 2, 3], np.eye(2))
    np.testing.assert_array_equal(sight.whitening[2, 0, 4], np.eye(2))
    assert (sight.confidence[[1, 2], [2, 0], [3, 4]] == 1).all()
    # Directions that are known too well are no better than others by 25.
    np.testing.assert_allclose(sight.whitening[3, 1, 5], np.diag([25**-0.25, 25**0.25]))
    # All in all the inverse, but for the recording's own scale.
    inverse = np.einsum("fvjca,fvjcb->fvjab", *[sight.whitening] * 2)
    inverse *= sight.confidence[..., None, None]
    product = inverse[0] @ given[0, :, 0]
    expected = product[0, 0, 0, 0] * np.broadcast_to(np.eye(2), product.shape)
    np.testing.assert_allclose(product, expected, atol=1e-10)


def test_without_covariances_all_directions_are_alike():
    assert observe(made.recording(made.truth_mm(2)), MODEL).whitening is None


@pytest.mark.large
def test_directions_that_are_known_help():
    """Beside the same deviations with nothing known of directions."""
    truth = made.truth_mm(60)
    given = covariances(60)
    root = np.linalg.cholesky(given[:, :, 0])
    noise = np.random.default_rng(6).normal(size=root.shape[:-1])
    exact = made.recording(truth)
    moved = exact.joints_2d_px + np.einsum("...ij,...j->...i", root, noise)[:, :, None]
    scale = np.sqrt(np.linalg.det(given))[..., None, None]
    session = Session(
        CalibratedLifter(load_prior(), LIFTER_17, CalibratedConfig(temporal=False))
    )
    errors = [
        np.linalg.norm(
            session.lift(
                exact.replace(joints_2d_px=moved, covariance_px2=known)
            ).poses.joints_3d_mm
            - truth,
            axis=-1,
        ).mean()
        for known in (given, scale * np.eye(2))
    ]
    assert errors[0] < 0.92 * errors[1]
