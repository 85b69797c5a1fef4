"""Minimisers of the energy by reweighting, and damped solves with its Hessian."""

import tensorflow as tf

from human_pose.geometry.skeletons import VIEWS
from human_pose.lifting.blocks import ModelBlocks, Weights, solve_pairs
from human_pose.lifting.energy import (
    Unknowns,
    residuals,
    squared_distances,
    thresholds_of,
    weighted_rows,
)
from human_pose.lifting.method import Formulation
from human_pose.lifting.pairs import Pairs
from human_pose.lifting.quantities import Quantities


def minimise(
    shared: ModelBlocks,
    quantities: Quantities,
    pairs: Pairs,
    formulation: Formulation,
) -> Unknowns:
    """The original's minimiser: one unweighted solve, then its reweightings."""
    rows = tf.square(weighted_rows(quantities, pairs))
    # The first solve gives the regulariser's rows weight 1, not k.
    unweighted = tf.ones_like(pairs.targets[:, 0, 0])
    x = _weighted_solve(shared, quantities, pairs, formulation, rows, unweighted)
    return reweight(x, shared, quantities, pairs, formulation)


def reweight(
    x: Unknowns,
    shared: ModelBlocks,
    quantities: Quantities,
    pairs: Pairs,
    formulation: Formulation,
) -> Unknowns:
    """The formulation's steps of iteratively reweighted least squares, from x."""
    rows = weighted_rows(quantities, pairs)
    squared_rows = tf.square(rows)
    projections = tf.gather(quantities.projections, pairs.rotation)
    stiffness = tf.gather(quantities.stiffness, pairs.model)
    for _ in range(formulation.reweightings):
        residual = rows * (projections @ x.joints - pairs.targets)
        squared = squared_distances(residual, formulation.residual_shift)
        ratio = squared / tf.square(thresholds_of(quantities, pairs))
        weights = squared_rows * tf.tile(tf.math.rsqrt(1 + ratio), [1, 2, 1])
        x = _weighted_solve(shared, quantities, pairs, formulation, weights, stiffness)
    return x


def solve_hessian(
    x: Unknowns,
    shared: ModelBlocks,
    quantities: Quantities,
    pairs: Pairs,
    formulation: Formulation,
    damping: tf.Tensor,
    right: Unknowns,
) -> Unknowns:
    """Solves (H + λI) v = u with the energy's exact Hessian at x.

    Args:
      x: where H is taken.
      shared: of `quantities`.
      quantities: the energy's θ.
      pairs: the problems.
      formulation: Huber or L2.
      damping: λ, `[P]`.
      right: u, like x.
    """
    weights = hessian_weights(x, quantities, pairs, formulation, damping)
    return Unknowns(*solve_pairs(shared, quantities, pairs, weights, tuple(right)))


def hessian_weights(
    x: Unknowns,
    quantities: Quantities,
    pairs: Pairs,
    formulation: Formulation,
    damping: tf.Tensor,
) -> Weights:
    """The weights by which the structured system is H + λI, H exact and taken at x.

    For each (view, joint) the pseudo-Huber loss has the 2 x 2 Hessian u I -
    (u³/d²) r rᵀ with u = 1/√(1 + t²/d²), whose eigenvalues lie in [u³, u]: H is
    positive definite, with the block structure of the Gram matrix.

    Args:
      x: where H is taken.
      quantities: the energy's θ.
      pairs: the problems.
      formulation: Huber or L2.
      damping: λ, `[P]`.
    """
    rows = weighted_rows(quantities, pairs)
    squared_rows = tf.square(rows)
    crosses = None
    if formulation.robust:
        residual = residuals(x, quantities, pairs).reprojection
        inverse_square = 1 / tf.square(thresholds_of(quantities, pairs))
        ratio = squared_distances(residual, 0.0) * inverse_square
        slope = tf.math.rsqrt(1 + ratio)  # u, [P, 4, 17]
        bend = slope**3 * inverse_square
        both_rows = [1, 2, 1]
        squared_rows *= tf.tile(slope, both_rows) - tf.tile(
            bend, both_rows
        ) * tf.square(residual)
        pulls = rows * residual
        crosses = -bend * pulls[:, :VIEWS] * pulls[:, VIEWS:]
    stiffness = tf.gather(quantities.stiffness, pairs.model)
    return Weights(squared_rows, crosses, stiffness, damping + formulation.ridge)


def pull_of_size(quantities: Quantities) -> tf.Tensor:
    """The data term of the coefficients, Dᵀ (t e₀), `[M, 29]`; times k in use."""
    return quantities.size_target * quantities.regulariser[:, 0]


def _weighted_solve(
    shared: ModelBlocks,
    quantities: Quantities,
    pairs: Pairs,
    formulation: Formulation,
    rows: tf.Tensor,
    stiffness: tf.Tensor,
) -> Unknowns:
    shift = tf.fill(tf.shape(pairs.model), tf.constant(formulation.ridge, rows.dtype))
    projections = tf.gather(quantities.projections, pairs.rotation)
    right = (
        stiffness[:, None] * tf.gather(pull_of_size(quantities), pairs.model),
        tf.matmul(projections, rows * pairs.targets, transpose_a=True),
    )
    weights = Weights(rows, None, stiffness, shift)
    return Unknowns(*solve_pairs(shared, quantities, pairs, weights, right))
