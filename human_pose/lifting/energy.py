"""The energy of a 3D pose: its residuals, value, score, and second derivatives."""

from typing import NamedTuple

import tensorflow as tf

from human_pose.geometry.skeletons import JOINTS, VIEWS
from human_pose.lifting.method import METHOD, Formulation
from human_pose.lifting.pairs import Pairs, per_model_product
from human_pose.lifting.quantities import Quantities


class Unknowns(NamedTuple):
    """x of P problems: coefficients a `[P, 29]` and joints q `[P, 3, 17]`."""

    coefficients: tf.Tensor
    joints: tf.Tensor


class Residuals(NamedTuple):
    """Residuals of P problems.

    Attributes:
      model: Bᵀa - q, `[P, 51]`.
      reprojection: w v (P q - p), `[P, 8, 17]`.
      regulariser: D a - t e₀, `[P, 29]`.
    """

    model: tf.Tensor
    reprojection: tf.Tensor
    regulariser: tf.Tensor


def weighted_rows(quantities: Quantities, pairs: Pairs) -> tf.Tensor:
    """The weights w v of the image rows, `[P, 8, 17]`."""
    return tf.gather(quantities.row_weights, pairs.model) * pairs.visibility


def residuals(x: Unknowns, quantities: Quantities, pairs: Pairs) -> Residuals:
    """All residuals at x."""
    counts = pairs.counts
    modelled = per_model_product(x.coefficients, quantities.bases, counts)
    seen = tf.gather(quantities.projections, pairs.rotation) @ x.joints
    regularised = per_model_product(
        x.coefficients, quantities.regulariser, counts, transpose=True
    )
    first = tf.one_hot(0, METHOD.coefficients, dtype=regularised.dtype)
    return Residuals(
        modelled - tf.reshape(x.joints, [-1, 3 * JOINTS]),
        weighted_rows(quantities, pairs) * (seen - pairs.targets),
        regularised - quantities.size_target * first,
    )


def squared_distances(reprojection: tf.Tensor, shift: float) -> tf.Tensor:
    """t² of each (view, joint), `[..., 4, 17]`, from residuals `[..., 8, 17]`."""
    squares = tf.square(reprojection + shift)
    return squares[..., :VIEWS, :] + squares[..., VIEWS:, :] + METHOD.distance_floor


def thresholds_of(quantities: Quantities, pairs: Pairs) -> tf.Tensor:
    """The threshold d of each problem, `[P, 1, 1]`."""
    return tf.gather(quantities.threshold, pairs.model)[:, None, None]


def energy(
    x: Unknowns, quantities: Quantities, pairs: Pairs, formulation: Formulation
) -> tf.Tensor:
    """The energy whose minimiser the reweighting finds, `[P]`.

    ½|r_model|² + Σ d²(√(1 + t²/d²) - 1) + ½ k |r_reg|² + ½ ridge |x|², or in the L2
    formulation ½ of all squared residuals.
    """
    r = residuals(x, quantities, pairs)
    if formulation.robust:
        reprojection = _pseudo_huber(
            squared_distances(r.reprojection, 0.0), thresholds_of(quantities, pairs)
        )
    else:
        reprojection = 0.5 * tf.reduce_sum(tf.square(r.reprojection), [-2, -1])
    stiffness = tf.gather(quantities.stiffness, pairs.model)
    unknowns = tf.reduce_sum(tf.square(x.coefficients), -1) + tf.reduce_sum(
        tf.square(x.joints), [1, 2]
    )
    return (
        0.5 * tf.reduce_sum(tf.square(r.model), -1)
        + reprojection
        + 0.5 * stiffness * tf.reduce_sum(tf.square(r.regulariser), -1)
        + 0.5 * formulation.ridge * unknowns
    )


def score(
    x: Unknowns, quantities: Quantities, pairs: Pairs, formulation: Formulation
) -> tf.Tensor:
    """How badly a rotation fits, `[P]`, as the original measures it.

    Huber: the energy without its ridge, with `residual_shift` added to every absolute
    residual. L2: all squared residuals, without the ½.
    """
    r = residuals(x, quantities, pairs)
    if not formulation.robust:
        return sum_of_squares(r)
    return huber_score(
        r,
        tf.gather(quantities.stiffness, pairs.model),
        thresholds_of(quantities, pairs),
        formulation.residual_shift,
    )


def sum_of_squares(r: Residuals) -> tf.Tensor:
    """All squared residuals, `[...]`."""
    return (
        tf.reduce_sum(tf.square(r.model), -1)
        + tf.reduce_sum(tf.square(r.reprojection), [-2, -1])
        + tf.reduce_sum(tf.square(r.regulariser), -1)
    )


def huber_score(
    r: Residuals, stiffness: tf.Tensor, threshold: tf.Tensor, shift: float
) -> tf.Tensor:
    """The score of the Huber formulation, `[...]`.

    Args:
      r: residuals.
      stiffness: k, broadcasts to `[...]`.
      threshold: d, broadcasts to `[..., 1, 1]`.
      shift: added to every absolute residual.
    """
    model, reprojection, regulariser = (tf.abs(part) for part in r)
    return (
        0.5 * tf.reduce_sum(tf.square(model + shift), -1)
        + _pseudo_huber(squared_distances(reprojection, shift), threshold)
        + 0.5 * stiffness * tf.reduce_sum(tf.square(regulariser + shift), -1)
    )


def _pseudo_huber(squared: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Σ d²(√(1 + t²/d²) - 1) over views and joints, `[...]`."""
    square = tf.square(threshold)
    return tf.reduce_sum(square * (tf.sqrt(1 + squared / square) - 1), [-2, -1])
