"""Detections that are more exact in some directions: matrices, and what is measured."""

import numpy as np
import pytest
import tensorflow as tf
from near_a_minimiser import COUNT, Problem

from human_pose.calibrated import energy, frames, noise


@pytest.fixture(scope="module")
def directed():
    return Problem(directed=True)


def test_blocks_of_directed_detections(directed):
    """Without outliers and exchanges slopes between inverse covariances."""
    weights = directed.weights._replace(
        outlier_share=tf.constant(1e-300, tf.float64),
        swaps=tf.constant([1.0, 0, 0, 0], tf.float64),
    )
    found = frames.detection_blocks(
        directed.x.joints_mm, directed.observed, weights, directed.layout
    )
    observed = directed.observed
    images, depth = energy.project(directed.x.joints_mm, observed.projection)
    slope = frames.image_slopes(images, depth, observed.projection)
    inverse = np.einsum("fvjca,fvjcb->fvjab", *[observed.whitening] * 2)
    inverse *= (observed.seen / observed.sigma_px**2).numpy()[..., None, None]
    expected = np.einsum("fvjar,fvjab,fvjbs->fjrs", slope, inverse, slope)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_round_whitening_is_none():
    """Energies, matrices and statistics are those of detections without any."""
    problem = Problem()
    round_ = problem.observed._replace(
        whitening=tf.eye(2, batch_shape=problem.observed.seen.shape, dtype=tf.float64)
    )
    rest = problem.body, problem.weights, problem.layout
    follows = tf.ones([COUNT], tf.float64)
    for observed in (problem.observed, round_):
        at = problem.x, problem.start, observed, *rest
        system = frames.system(*at)
        found = (energy.frame_energy(*at), *system, *noise.statistics(*at, follows))
        if observed is problem.observed:
            expected = found
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_statistics_of_directed_residuals(directed):
    """Squares are Mahalanobis', and shifts are in the picture."""
    rest = directed.body, directed.weights, directed.layout
    follows = tf.ones([COUNT], tf.float64)
    observed = directed.observed
    found = noise.statistics(directed.x, directed.start, observed, *rest, follows)
    images, _ = energy.project(directed.x.joints_mm, observed.projection)
    inlier = observed.seen * energy.fit(images, observed, directed.weights).inlier
    off = (images - observed.points_px).numpy()
    inverse = np.einsum("fvjca,fvjcb->fvjab", *[observed.whitening] * 2)
    squares = np.einsum("fvja,fvjab,fvjb->fvj", off, inverse, off)
    weight = (inlier / observed.sigma_px**2).numpy()
    np.testing.assert_allclose(found.squares, (weight * squares).sum(0), rtol=1e-9)
    shifts = (weight[..., None] * off).sum((0, 2))
    np.testing.assert_allclose(found.shifts, shifts, rtol=1e-9)
