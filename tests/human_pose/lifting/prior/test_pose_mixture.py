import numpy as np
import pytest

from human_pose.datasets.synthetic import BODIES
from human_pose.datasets.synthetic.motion import perform
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import LIFTER_17
from human_pose.lifting.prior.pose_mixture import align, fit_pose_mixture


@pytest.fixture(scope="module")
def poses_mm():
    rng = np.random.default_rng(0)
    takes = [
        perform(action, BODIES[subject], rng, 40).joints_3d_mm
        for action in ("Walking", "Sitting", "Photo")
        for subject in (1, 6)
    ]
    return np.concatenate(takes)


def rotation_about_z(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def test_alignment_forgets_place_heading_and_size(poses_mm):
    rng = np.random.default_rng(1)
    moved = np.stack(
        [
            rng.uniform(0.5, 2) * pose @ rotation_about_z(rng.uniform(0, 7)).T
            + rng.normal(0, 1000, 3)
            for pose in poses_mm
        ]
    )
    first, second = align(poses_mm), align(moved)
    # Sizes are brought to the mean of what was given.
    second *= np.linalg.norm(first[0]) / np.linalg.norm(second[0])
    np.testing.assert_allclose(second, first, atol=1e-9)


def test_aligned_poses_stand_as_documented(poses_mm):
    aligned = align(poses_mm)
    np.testing.assert_allclose(aligned.mean(axis=1), 0, atol=1e-10)
    right = aligned[:, 1] - aligned[:, 4] + aligned[:, 14] - aligned[:, 11]
    np.testing.assert_allclose(right[:, 1], 0, atol=1e-10)
    assert np.all(right[:, 0] > 0)
    # The nose is in front of the head on the whole, the head above the hips.
    assert (aligned[:, 9] - aligned[:, 10])[:, 1].mean() > 0
    assert np.all(aligned[:, 10, 2] > aligned[:, 0, 2])
    size = sum(
        np.linalg.norm(aligned[:, a] - aligned[:, b], axis=1)
        for a, b in LIFTER_17.limbs
    )
    np.testing.assert_allclose(size, size[0])


def test_parameters_describe_the_aligned_poses(poses_mm):
    aligned = align(poses_mm)
    mixture, fit = fit_pose_mixture(poses_mm, 1, deviation_floor_mm=0.5)
    flat = np.swapaxes(aligned, 1, 2).reshape(len(aligned), 51)
    np.testing.assert_allclose(mixture.mean_poses_mm.reshape(51), flat.mean(axis=0))
    basis = mixture.bases.reshape(25, 51)
    np.testing.assert_allclose(basis @ basis.T, np.eye(25), atol=1e-12)
    # A basis vector moves no pose as a whole.
    np.testing.assert_allclose(mixture.bases.sum(axis=-1), 0, atol=1e-12)
    coefficients = (flat - flat.mean(axis=0)) @ basis.T
    np.testing.assert_allclose(
        1 / mixture.inverse_deviations[0, :25], coefficients.std(axis=0), rtol=1e-9
    )
    rest = flat - flat.mean(axis=0) - coefficients @ basis
    # 48 dimensions without translation, less 25 axes, share the rest.
    expected = max(np.sqrt(np.mean(np.sum(rest**2, axis=1)) / 23), 0.5)
    assert 1 / mixture.inverse_deviations[0, 25] == pytest.approx(expected)
    assert fit.converged


def test_several_models_and_the_floor(poses_mm):
    mixture, fit = fit_pose_mixture(poses_mm, 3)
    assert mixture.mean_poses_mm.shape == (3, 3, 17)
    assert mixture.bases.shape == (3, 25, 3, 17)
    assert mixture.inverse_deviations.max() <= 0.1 * (1 + 1e-12)
    assert np.diff(fit.log_likelihoods).min() > -1e-10
    assert np.all(np.diff(fit.mixture.weights) <= 0)


def test_mistakes_are_named(poses_mm):
    with pytest.raises(InputError, match="need at least 260 frames; received 240"):
        fit_pose_mixture(poses_mm, 10)
    with pytest.raises(
        InputError, match=r"shape \[F, 17, 3\].*received \[240, 16, 3\]"
    ):
        align(poses_mm[:, :16])
    with pytest.raises(InputError, match="received"):
        align(poses_mm[:0])
    broken = poses_mm.copy()
    broken[5, 2, 1] = np.inf
    with pytest.raises(InputError, match="frame 5 has a value that is not finite"):
        align(broken)
    broken[5] = 700.0
    with pytest.raises(InputError, match="frame 5 has no size"):
        align(broken)
    broken[5] = [[0.0, 0.0, 10.0 * j] for j in range(17)]
    with pytest.raises(InputError, match="frame 5 has no heading"):
        align(broken)
