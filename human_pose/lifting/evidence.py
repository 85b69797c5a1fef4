"""The full evidence of a mixture component: how probable it makes a frame's views.

The energy E of one problem is, but for a noise variance s, the negative logarithm of a
density over coefficients, joints and detections. Its integral over the unknowns, by
Laplace's method at the minimiser and exact in the L2 formulation, is the evidence

  log p = -E/s - ν/2 log(2π s) - Σ log(1 + s/d²)              the fit, and its noise
          + Σ log(w v) + ½ log det Λ - ½ log det H             what the model spends

with Λ the precision of the learned coefficients, H the Hessian, and ν the visible image
rows less the four coefficients of size and place, which have no density of their own.
The derivation is in docs/mathematics.md.
"""

import math
from typing import Final

import numpy as np
import tensorflow as tf

from human_pose.geometry.skeletons import JOINTS
from human_pose.lifting.blocks import ModelBlocks, factorise
from human_pose.lifting.energy import Unknowns, energy, thresholds_of, weighted_rows
from human_pose.lifting.method import METHOD, Formulation
from human_pose.lifting.pairs import Pairs
from human_pose.lifting.quantities import Quantities
from human_pose.lifting.solver import hessian_weights

# Coefficients of the mean pose and the translations: size and place.
_FREE: Final = 1 + METHOD.translations


def log_evidence(
    x: Unknowns,
    shared: ModelBlocks,
    quantities: Quantities,
    pairs: Pairs,
    formulation: Formulation,
) -> tf.Tensor:
    """The logarithm of each problem's evidence at its best noise variance, `[P]`.

    Args:
      x: the problems' minimisers.
      shared: of `quantities`; gradients reach the evidence through it too.
      quantities: the energy's θ.
      pairs: the problems.
      formulation: Huber or L2.
    """
    undamped = tf.zeros_like(x.joints[:, 0, 0])
    weights = hessian_weights(x, quantities, pairs, formulation, undamped)
    hessian = factorise(shared, pairs, weights).log_determinant()
    prior = tf.gather(_prior_log_determinant(quantities, formulation), pairs.model)
    rows = tf.where(pairs.visibility > 0, weighted_rows(quantities, pairs), 1)
    seen = tf.reduce_sum(tf.math.log(tf.abs(rows)), [1, 2])
    return _best_fit(x, quantities, pairs, formulation) + seen + (prior - hessian) / 2


def _best_fit(
    x: Unknowns, quantities: Quantities, pairs: Pairs, formulation: Formulation
) -> tf.Tensor:
    """The first row of the evidence, at the noise variance s that makes it largest."""
    dtype = x.joints.dtype
    # A perfect fit has no noise, and its evidence no bound.
    least = tf.maximum(
        energy(x, quantities, pairs, formulation), np.finfo(dtype.as_numpy_dtype).tiny
    )
    rows = tf.reduce_sum(tf.cast(pairs.visibility > 0, dtype), [1, 2])
    half = tf.maximum(rows - _FREE, 1) / 2
    if not formulation.robust:
        variance = least / half
        return -half * (1 + tf.math.log(2 * math.pi * variance))
    # The pseudo-Huber loss of a view's joint, x and y, integrates to 2π s (1 + s/d²).
    square = tf.square(thresholds_of(quantities, pairs)[:, 0, 0])
    joints = rows / 2
    slope = half * square - least
    root = tf.sqrt(tf.square(slope) + 4 * (half + joints) * least * square)
    variance = 2 * least * square / (slope + root)
    return (
        -least / variance
        - half * tf.math.log(2 * math.pi * variance)
        - joints * tf.math.log1p(variance / square)
    )


def _prior_log_determinant(
    quantities: Quantities, formulation: Formulation
) -> tf.Tensor:
    """The log det of the precision of learned coefficients and joints: `[M]`.

    Given size and place. With the joints integrated out the coefficients' precision is
    k DᵀD, and the ridge on both.
    """
    ridge = formulation.ridge
    learned = quantities.regulariser[:, :, _FREE:]
    precision = quantities.stiffness[:, None, None] * tf.matmul(
        learned, learned, transpose_a=True
    )
    bases = quantities.bases[:, _FREE:]
    precision += ridge * tf.eye(METHOD.basis, dtype=bases.dtype)
    precision += ridge / (1 + ridge) * tf.matmul(bases, bases, transpose_b=True)
    joints = 3 * JOINTS * math.log1p(ridge)
    return tf.linalg.slogdet(precision).log_abs_determinant + joints
