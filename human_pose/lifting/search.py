"""Which rotations matter: the score of every rotation that can, without gradients.

A rotation enters a model's average with weight exp(-5000 |w| (S_i - min S)). The
first, unweighted solve is nearly free, because its systems are the same for all
frames, and its score S⁰ is within a few percent of the final S. So only rotations
whose S could still matter are reweighted; how far S falls below S⁰ is measured on
those, and widens the search until what is left out is out by a wide margin.
"""

from typing import NamedTuple

import tensorflow as tf

from human_pose.geometry.skeletons import JOINTS
from human_pose.lifting.averaging import Averaging, model_logits
from human_pose.lifting.blocks import ModelBlocks, invert_joint_blocks, system_columns
from human_pose.lifting.energy import (
    Residuals,
    Unknowns,
    huber_score,
    score,
    sum_of_squares,
)
from human_pose.lifting.method import METHOD, Formulation
from human_pose.lifting.pairs import pick
from human_pose.lifting.quantities import Quantities
from human_pose.lifting.sizes import NormalisedViews
from human_pose.lifting.solver import pull_of_size, reweight

# S may lie this fraction below S⁰ where nothing is known yet, and this many times the
# largest fraction met in the frame and model where something is. On 256 real frames, as
# they are and with outliers, masks and other parameters, S lay 0-5 % below S⁰ (up to
# 27 % for k far from its start), and 1.2 times the largest fraction met was enough.
_FIRST_MARGIN = 0.03
_MARGIN_FACTOR = 2.5


class Found(NamedTuple):
    """The search's result, on the grid of models, frames and rotations.

    Attributes:
      scores: S, `[M, N, R]`; the dtype's largest number where it cannot matter.
      best: min_i S_i of each model, `[M, N]`; S⁰'s for a model left out.
      minimisers: a `[M, N, R, 29]` and q `[M, N, R, 3, 17]`, where S is known.
    """

    scores: tf.Tensor
    best: tf.Tensor
    minimisers: Unknowns


def search(
    shared: ModelBlocks,
    quantities: Quantities,
    views: NormalisedViews,
    formulation: Formulation,
    exponents: Averaging,
    *,
    all_models: bool,
    exhaustive: bool,
) -> Found:
    """Scores the rotations that can matter.

    Args:
      shared: of `quantities`.
      quantities: the energy's θ.
      views: the frames.
      formulation: Huber or L2.
      exponents: of the soft averages.
      all_models: find the best rotation of every model, also of those that carry no
        weight beside the others.
      exhaustive: score every rotation.
    """
    first = _first_solve(shared, quantities, views, formulation)
    grid = tf.shape(first.coefficients)[:3]
    on_grid = _grid_residuals(first, quantities, views)
    if not formulation.reweightings:
        scores = sum_of_squares(on_grid)
        return Found(scores, tf.reduce_min(scores, -1), first)
    rough = huber_score(
        on_grid,
        quantities.stiffness[:, None, None],
        quantities.threshold[:, None, None, None, None],
        formulation.residual_shift,
    )

    def body(
        scores: tf.Tensor, x: Unknowns, done: tf.Tensor, wanted: tf.Tensor
    ) -> tuple[tf.Tensor, Unknowns, tf.Tensor, tf.Tensor]:
        pairs, where = pick(wanted, views), tf.where(wanted)
        start = Unknowns(*(tf.gather_nd(part, where) for part in x))
        found = reweight(start, shared, quantities, pairs, formulation)
        scores = tf.tensor_scatter_nd_update(
            scores, where, score(found, quantities, pairs, formulation)
        )
        parts = zip(x, found, strict=True)
        x = Unknowns(*(tf.tensor_scatter_nd_update(a, where, b) for a, b in parts))
        done |= wanted
        return scores, x, done, _wanted(rough, scores, done, exponents, all_models)

    done = tf.zeros(grid, tf.bool)
    wanted = ~done if exhaustive else _wanted(rough, rough, done, exponents, all_models)
    scores, x, done, _ = tf.while_loop(
        lambda scores, x, done, wanted: tf.reduce_any(wanted),
        body,
        (rough, first, done, wanted),
    )
    scores = tf.where(done, scores, rough.dtype.max)
    left_out = ~tf.reduce_any(done, -1)
    best = tf.where(left_out, tf.reduce_min(rough, -1), tf.reduce_min(scores, -1))
    return Found(scores, best, x)


def _wanted(
    rough: tf.Tensor,
    scores: tf.Tensor,
    done: tf.Tensor,
    exponents: Averaging,
    all_models: bool,
) -> tf.Tensor:
    """Which rotations could matter, given what is known: bool `[M, N, R]`.

    Args:
      rough: S⁰.
      scores: S where `done`, else S⁰.
      done: which rotations have been reweighted.
      exponents: of the soft averages.
      all_models: as in `search`.
    """
    fallen = tf.where(done, 1 - scores / rough, 0)
    largest = tf.reduce_max(fallen, -1, keepdims=True)
    untried = ~tf.reduce_any(done, -1, keepdims=True)
    largest = tf.where(untried, tf.reduce_max(largest, 0), largest)
    margin = tf.maximum(_MARGIN_FACTOR * largest, _FIRST_MARGIN)
    lower = tf.where(done, scores, rough * tf.maximum(1 - margin, 0))
    known = tf.reduce_min(tf.where(done, scores, scores.dtype.max), -1)
    best = tf.where(untried[..., 0], tf.reduce_min(rough, -1), known)
    log_dead = tf.math.log(tf.constant(METHOD.live_weight, rough.dtype))
    # A model's largest possible weight, its score being at least its lower bound.
    above = tf.reduce_min(lower, -1) / 2 - tf.reduce_min(best, 0) / 2
    bound = exponents.between[:, None] * above + exponents.offset[:, None]
    largest_logit = tf.reduce_max(model_logits(exponents, best / 2), 0)
    # What the model's own weight takes from the average narrows its band.
    share = -tf.nn.relu(bound) - largest_logit
    band = tf.nn.relu(share - log_dead) / exponents.within[:, None]
    limit = best + tf.where(share >= log_dead, band, 0 if all_models else -best)
    return ~done & (lower <= limit[..., None])


def _grid_residuals(
    x: Unknowns, quantities: Quantities, views: NormalisedViews
) -> Residuals:
    """The residuals of every problem, with leading axes `[M, N, R]`."""
    a, q = x
    models, size = quantities.bases.shape[:2]
    rows = tf.reshape(a, [models, -1, size])
    modelled = tf.reshape(rows @ quantities.bases, tf.shape(q))
    regularised = tf.matmul(rows, quantities.regulariser, transpose_b=True)
    first = tf.one_hot(0, size, dtype=a.dtype)
    weights = (quantities.row_weights[:, None] * views.visibility)[:, :, None]
    model = tf.reshape(modelled - q, tf.concat([tf.shape(a)[:3], [3 * JOINTS]], 0))
    return Residuals(
        model,
        weights * (quantities.projections @ q - views.targets[:, None]),
        tf.reshape(regularised, tf.shape(a)) - quantities.size_target * first,
    )


def _first_solve(
    shared: ModelBlocks,
    quantities: Quantities,
    views: NormalisedViews,
    formulation: Formulation,
) -> Unknowns:
    """The unweighted solve everywhere: a `[M, N, R, 29]`, q `[M, N, R, 3, 17]`.

    Its systems depend on a frame only through the mask, so with one mask for all
    frames there is one factor per model and rotation.
    """
    visibility = views.visibility
    alike = tf.reduce_all(visibility == visibility[:1])
    masks = tf.cond(alike, lambda: visibility[:1], lambda: visibility)
    rotations = METHOD.rotations
    models = quantities.bases.shape[0]
    size = METHOD.coefficients
    rows = tf.square(quantities.row_weights)[:, None] * tf.square(masks)
    joints = invert_joint_blocks(
        shared.squares @ rows[:, :, None], 1 + formulation.ridge
    )  # [M, N or 1, R, 6, 17]
    ones = tf.ones_like(joints.inverse[..., 0, 0])
    columns = system_columns(joints.inverse, ones, formulation.ridge * ones)
    system = tf.reshape(columns, [models, -1, columns.shape[-1]]) @ shared.system
    system = tf.reshape(system, [models, -1, rotations, size, size])
    seen = (rows * views.targets)[:, :, None]  # [M, N, 1, 8, 17]
    right = tf.matmul(quantities.projections, seen, transpose_a=True)
    flat = tf.reshape(joints.solve(right), [models, -1, 3 * JOINTS])
    moved = tf.matmul(flat, quantities.bases, transpose_b=True)
    moved += pull_of_size(quantities)[:, None]
    moved = tf.reshape(moved, [models, -1, rotations, size])
    # Frames that share a system are columns of one right-hand side.
    shared_axis = tf.shape(masks)[0]
    moved = tf.reshape(moved, [models, shared_axis, -1, rotations, size])
    columns = tf.transpose(moved, [0, 1, 3, 4, 2])
    a = tf.linalg.cholesky_solve(tf.linalg.cholesky(system), columns)
    a = tf.reshape(tf.transpose(a, [0, 1, 4, 2, 3]), [models, -1, rotations, size])
    back = tf.reshape(a, [models, -1, size]) @ quantities.bases
    right += tf.reshape(back, [models, -1, rotations, 3, JOINTS])
    return Unknowns(a, joints.solve(right))
