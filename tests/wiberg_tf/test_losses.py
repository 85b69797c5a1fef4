"""Robust losses: values, weights, and what they have in common."""

import numpy as np
import pytest
import tensorflow as tf

from wiberg_tf import losses

_D = 1.7
# ρ and its derivative, written independently in the residual r and the width d.
_EXPECTED = {
    losses.Squared: (lambda r: r**2, lambda r: 1 + 0 * r),
    losses.Huber: (
        lambda r: np.where(r < _D, r**2, 2 * _D * r - _D**2),
        lambda r: np.minimum(1, _D / np.maximum(r, 1e-9)),
    ),
    losses.PseudoHuber: (
        lambda r: 2 * _D**2 * (np.hypot(1, r / _D) - 1),
        lambda r: 1 / np.hypot(1, r / _D),
    ),
    losses.Cauchy: (
        lambda r: _D**2 * np.log(1 + (r / _D) ** 2),
        lambda r: 1 / (1 + (r / _D) ** 2),
    ),
    losses.Welsch: (
        lambda r: _D**2 * (1 - np.exp(-((r / _D) ** 2))),
        lambda r: np.exp(-((r / _D) ** 2)),
    ),
    losses.GemanMcClure: (
        lambda r: r**2 * _D**2 / (_D**2 + r**2),
        lambda r: (_D**2 / (_D**2 + r**2)) ** 2,
    ),
}
each = pytest.mark.parametrize("kind", _EXPECTED, ids=lambda kind: kind.__name__)


def _make(kind):
    return kind() if kind is losses.Squared else kind(_D)


@each
def test_values_and_weights(kind):
    r = np.array([0, 1e-3, 0.5, 1.6999, 1.7001, 4, 40])
    value, weight = _EXPECTED[kind]
    squared = tf.constant(r**2)
    np.testing.assert_allclose(_make(kind)(squared), value(r), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(_make(kind).weight(squared), weight(r), rtol=1e-9)


@each
def test_curvatures_are_the_slope_of_the_weight(kind):
    squared, step = tf.constant([0.0, 0.3, 2.0, 5.0, 90.0], tf.float64), 1e-6
    _, curvature = _make(kind).weight_and_curvature(squared + step)
    ahead, behind = _make(kind).weight(squared + 2 * step), _make(kind).weight(squared)
    np.testing.assert_allclose(curvature, (ahead - behind) / (2 * step), atol=1e-8)
    assert np.all(curvature <= 0)  # Concave in s: what reweighting relies on.


@each
def test_small_residuals_count_as_squares(kind):
    squared = tf.constant([1e-14], tf.float64)
    np.testing.assert_allclose(_make(kind)(squared), squared, rtol=1e-10)


def test_the_width_is_differentiable():
    width = tf.constant(2.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(width)
        value = losses.Huber(width)(tf.constant([1.0, 9.0], tf.float64))
    # d/dd (2d√s − d²) = 2√s − 2d for the outlier only.
    np.testing.assert_allclose(tape.gradient(value, width), 2)
