import dataclasses

import numpy as np
import pytest
from scipy.optimize import brentq

from human_pose.calibrated.prior.acceleration import fit_scale
from human_pose.calibrated.prior.config import PriorConfig
from human_pose.calibrated.prior.em import (
    Mixture,
    centring,
    fit_mixture,
    fit_single,
    log_likelihood,
)
from human_pose.calibrated.prior.statistics import expected, log_density

CONFIG = PriorConfig(components=2, start_poses=500, shrinkage=1e-3)
JOINTS = 4
SIZE = 3 * JOINTS


def covariance(seed, size=SIZE):
    root = np.random.default_rng(seed).normal(size=(size, size))
    return root @ root.T + np.eye(size)


def without(rows, share, seed=1):
    """Rows that miss some of their joints, but never all."""
    lost = np.random.default_rng(seed).uniform(size=(len(rows), rows.shape[1] // 3))
    lost = np.where(lost.argmax(axis=1)[:, None] == np.arange(lost.shape[1]), 1, lost)
    return np.where(np.repeat(lost < share, 3, axis=1), np.nan, rows)


def test_what_is_missing_follows_from_the_precision_matrix():
    spread, mean = covariance(0), np.arange(12.0)
    rows = np.random.default_rng(1).normal(size=(3, 12))
    lost = np.isin(np.arange(12), [0, 5, 7])
    rows[1, lost] = np.nan
    found = expected(rows, mean, spread)
    precision = np.linalg.inv(spread)
    own = np.linalg.inv(precision[np.ix_(lost, lost)])
    pull = precision[np.ix_(lost, ~lost)] @ (rows[1, ~lost] - mean[~lost])
    np.testing.assert_allclose(found.rows[1, lost], mean[lost] - own @ pull)
    ((places, extra),) = found.spreads
    assert places.tolist() == [1]
    np.testing.assert_allclose(extra[np.ix_(lost, lost)], own)
    assert not extra[~lost].any()
    np.testing.assert_array_equal(found.rows[[0, 2]], rows[[0, 2]])
    away = found.rows - 1
    np.testing.assert_allclose(
        found.scatter(np.array([1, 2, 3.0]), np.ones(12)),
        (away * [[1], [2], [3]]).T @ away + 2 * extra,
    )


def test_densities_are_those_of_what_is_there():
    spread, rows = covariance(0), np.random.default_rng(1).normal(size=(2, 12))
    rows[1, 3:] = np.nan
    logs = log_density(rows, np.zeros(12), spread)
    for row, count, value in zip(rows, (12, 3), logs, strict=True):
        part, own = row[:count], spread[:count, :count]
        determinant = np.linalg.slogdet(2 * np.pi * own)[1]
        expected_value = -0.5 * (part @ np.linalg.solve(own, part) + determinant)
        assert value == pytest.approx(expected_value)


def test_one_gaussian_of_whole_poses_is_their_mean_and_covariance():
    poses = np.random.default_rng(0).normal(5, 40, (300, SIZE)) @ centring(JOINTS)
    single = fit_single(lambda: [poses[:100], poses[100:]], JOINTS, CONFIG)
    np.testing.assert_allclose(single.means_mm[0], poses.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(
        single.covariances_mm2[0], np.cov(poses.T, bias=True), atol=1e-8
    )


def drawn(count=4000):
    """Poses of two known components."""
    rng, centre = np.random.default_rng(0), centring(JOINTS)
    means = rng.normal(0, 200, (2, SIZE)) @ centre
    spreads = np.stack([centre @ covariance(n) @ centre * 30 for n in (1, 2)])
    part = (rng.uniform(size=count) < 0.3).astype(int)
    noise = np.stack(
        [rng.multivariate_normal(np.zeros(SIZE), s, count) for s in spreads]
    )
    return means[part] + noise[part, np.arange(count)], Mixture(
        np.array([0.7, 0.3]), means, spreads
    )


@pytest.mark.parametrize(("share", "tolerance"), [(0.0, 0.06), (0.25, 0.1)])
def test_a_mixture_is_recovered(share, tolerance):
    """Also where joints are missing, and the poses' centres with them."""
    poses, truth = drawn()
    poses = without(poses, share)
    own = poses.reshape(len(poses), JOINTS, 3)
    poses = (own - np.nanmean(own, axis=1, keepdims=True)).reshape(poses.shape)

    def chunks():
        return np.array_split(poses, 3)

    single = fit_single(chunks, JOINTS, CONFIG)
    found = fit_mixture(chunks, single, poses[:500], CONFIG)
    order = np.argsort(-found.shares)
    np.testing.assert_allclose(found.shares[order], truth.shares, atol=0.02)
    np.testing.assert_allclose(found.means_mm[order], truth.means_mm, atol=2)
    size = np.abs(truth.covariances_mm2).max()
    np.testing.assert_allclose(
        found.covariances_mm2[order], truth.covariances_mm2, atol=tolerance * size
    )
    flat = CONFIG.flat_mm
    assert log_likelihood(chunks, found, flat) > log_likelihood(chunks, single, flat)


def test_a_ppca_keeps_the_rank_and_the_variance():
    poses, _ = drawn(500)
    config = dataclasses.replace(CONFIG, components=1, covariance="ppca", rank=4)
    single = fit_single(lambda: [poses], JOINTS, config)
    found = fit_mixture(lambda: [poses], single, poses, config)
    values = np.linalg.eigvalsh(found.covariances_mm2[0])
    full = np.linalg.eigvalsh(single.covariances_mm2[0])
    np.testing.assert_allclose(values[-4:], full[-4:])
    np.testing.assert_allclose(values[3:-4], full[3:-4].mean())
    np.testing.assert_allclose(values[:3], 0, atol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_scale_of_a_student_is_recovered(share):
    rng, truth = np.random.default_rng(0), covariance(3)
    normal = rng.multivariate_normal(np.zeros(SIZE), truth, 6000)
    rows = normal / np.sqrt(rng.chisquare(2, (6000, 1)) / 2)
    rows = without(rows, share)
    found = fit_scale(lambda: np.array_split(rows, 2), SIZE, 2.0)
    np.testing.assert_allclose(found, truth, atol=0.1 * np.diag(truth).max())


def test_a_trace_that_is_right_by_chance_ends_nothing():
    """That of the first step, as the start's 100 mm² are, though the scale is not."""
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(3000, SIZE)) * np.linspace(0.1, 2, SIZE)
    rows /= np.sqrt(rng.chisquare(2.0, (3000, 1)) / 2)

    def off(factor):
        squared = np.square(factor * rows).sum(axis=1)
        weights = (2 + SIZE) / (2 + squared / 100)
        return (weights * squared).mean() / (100 * SIZE) - 1

    chance = brentq(off, 1.0, 1e3)
    found, near = (
        fit_scale(lambda f=f: [f * rows], SIZE, 2.0) for f in (chance, 1.1 * chance)
    )
    np.testing.assert_allclose(found, near / 1.1**2, atol=0.02 * np.diag(found).max())
