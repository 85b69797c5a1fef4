import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.lifting.prior.mixture_em import PPCAMixture, fit_mixture

SIZE, RANK = 8, 2


def sampled_mixture(points, seed=0):
    """Three known components, and `points` drawn from them with their labels."""
    rng = np.random.default_rng(seed)
    weights = np.array([0.5, 0.3, 0.2])
    axes = np.stack([np.linalg.qr(rng.normal(size=(SIZE, RANK)))[0].T for _ in weights])
    truth = PPCAMixture(
        weights,
        rng.normal(0, 10, size=(3, SIZE)),
        axes,
        np.array([[25.0, 9.0], [16.0, 6.0], [30.0, 12.0]]),
        np.array([0.25, 1.0, 0.5]) ** 2,
    )
    labels = rng.choice(3, points, p=weights)
    deviations = np.sqrt(truth.variances - truth.noise_variances[:, None])
    latent = rng.normal(size=(points, RANK)) * deviations[labels]
    noise = (
        rng.normal(size=(points, SIZE)) * np.sqrt(truth.noise_variances)[labels, None]
    )
    drawn = truth.means[labels] + np.einsum("nk,nkd->nd", latent, axes[labels]) + noise
    return truth, drawn


def largest_angle(first, second):
    """The largest principal angle between two row spaces, in degrees."""
    cosines = np.linalg.svd(first @ second.T, compute_uv=False)
    return np.rad2deg(np.arccos(np.clip(cosines.min(), -1, 1)))


def test_a_sampled_mixture_is_recovered():
    truth, points = sampled_mixture(8000)
    fit = fit_mixture(points, 3, RANK, noise_floor=1e-3, tolerance=1e-9)
    assert fit.converged
    found = fit.mixture
    # Components come in order of weight, as the truth's. Deviations are about 5 over
    # sqrt(1600) points = 0.12.
    np.testing.assert_allclose(found.weights, truth.weights, atol=0.02)
    np.testing.assert_allclose(found.means, truth.means, atol=0.45)
    for m in range(3):
        assert largest_angle(found.axes[m], truth.axes[m]) < 2
    np.testing.assert_allclose(found.variances, truth.variances, rtol=0.12)
    np.testing.assert_allclose(found.noise_variances, truth.noise_variances, rtol=0.05)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise_floor", [1e-3, 0.6, 3.0])
@pytest.mark.parametrize("components", [1, 4])
def test_log_likelihood_never_falls(seed, noise_floor, components):
    # Overlapping groups make EM work; the larger floors are active.
    _, points = sampled_mixture(300, seed)
    points = 0.2 * points
    fit = fit_mixture(
        points,
        components,
        RANK,
        noise_floor=noise_floor,
        seed=seed,
        max_iterations=60,
        tolerance=1e-13,
    )
    assert len(fit.log_likelihoods) > 1
    assert np.diff(fit.log_likelihoods).min() > -1e-11
    assert np.all(fit.mixture.noise_variances >= noise_floor**2)
    assert np.all(fit.mixture.variances >= fit.mixture.noise_variances[:, None])


def test_one_component_is_the_closed_form():
    _, points = sampled_mixture(500)
    mixture = fit_mixture(points, 1, RANK, noise_floor=1e-6).mixture
    eigenvalues = np.linalg.eigvalsh(np.cov(points.T, bias=True))[::-1]
    np.testing.assert_allclose(mixture.means[0], points.mean(axis=0))
    np.testing.assert_allclose(mixture.variances[0], eigenvalues[:RANK])
    np.testing.assert_allclose(mixture.noise_variances[0], eigenvalues[RANK:].mean())


def test_density_is_the_gaussian_of_the_whole_covariance():
    truth, points = sampled_mixture(20)
    log_joint = truth.log_joint(points)
    for m in range(3):
        axes, noise = truth.axes[m], truth.noise_variances[m]
        covariance = noise * np.eye(SIZE)
        covariance += axes.T @ np.diag(truth.variances[m] - noise) @ axes
        offset = points - truth.means[m]
        expected = np.log(truth.weights[m]) - 0.5 * (
            np.sum(offset @ np.linalg.inv(covariance) * offset, axis=1)
            + np.linalg.slogdet(2 * np.pi * covariance)[1]
        )
        np.testing.assert_allclose(log_joint[:, m], expected, rtol=1e-10)


def test_reported_likelihood_is_that_of_the_result():
    _, points = sampled_mixture(400)
    seen = []
    fit = fit_mixture(
        points,
        2,
        RANK,
        noise_floor=0.1,
        max_iterations=7,
        tolerance=0,
        progress=lambda iteration, value: seen.append((iteration, value)),
    )
    assert not fit.converged
    assert seen == list(enumerate(fit.log_likelihoods))
    assert len(seen) == 8
    evidence = np.log(np.exp(fit.mixture.log_joint(points)).sum(axis=1)).mean()
    assert fit.log_likelihoods[-1] == pytest.approx(evidence, rel=1e-12)


def test_equal_seeds_give_equal_fits():
    _, points = sampled_mixture(400)
    first, second = (
        fit_mixture(points, 3, RANK, noise_floor=0.1, seed=4).mixture for _ in range(2)
    )
    np.testing.assert_array_equal(first.axes, second.axes)


def test_data_without_full_rank_rest_on_the_noise_floor():
    rng = np.random.default_rng(0)
    points = np.zeros((200, SIZE))
    points[:, 0] = rng.normal(0, 5, 200)  # one dimension only
    mixture = fit_mixture(points, 2, RANK, noise_floor=0.5).mixture
    np.testing.assert_allclose(mixture.noise_variances, 0.25)
    np.testing.assert_allclose(mixture.variances[:, 1], 0.25)
    axes = mixture.axes
    np.testing.assert_allclose(
        axes @ axes.transpose(0, 2, 1), np.stack([np.eye(RANK)] * 2), atol=1e-12
    )


def test_fewer_distinct_points_than_components():
    points = np.repeat(np.eye(SIZE)[:2], 30, axis=0)
    fit = fit_mixture(points, 4, RANK, noise_floor=0.1)
    assert np.all(np.isfinite(fit.log_likelihoods))
    assert fit.mixture.weights.sum() == pytest.approx(1)


def test_an_empty_component_explains_nothing():
    truth, points = sampled_mixture(50)
    truth.weights[:] = [0.6, 0.4, 0.0]
    assert np.all(truth.log_joint(points)[:, 2] == -np.inf)


def test_mistakes_are_named():
    _, points = sampled_mixture(30)
    with pytest.raises(InputError, match="need at least 33 frames; received 30"):
        fit_mixture(points, 11, RANK, noise_floor=0.1)
    points[7, 3] = np.nan
    with pytest.raises(InputError, match="frame 7"):
        fit_mixture(points, 2, RANK, noise_floor=0.1)
    for arguments in [(0, RANK, 0.1), (2, SIZE, 0.1), (2, 0, 0.1), (2, RANK, 0.0)]:
        with pytest.raises(ValueError, match="noise_floor"):
            fit_mixture(points, *arguments[:2], noise_floor=arguments[2])
