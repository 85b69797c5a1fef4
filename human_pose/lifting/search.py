"""Which rotations matter: the score of every rotation that can, without gradients.

A rotation enters a model's average with weight exp(-5000 |w| (S_i - min S)). The
first, unweighted solve is nearly free, because its systems are the same for all
frames, and its score S⁰ is within a few percent of the final S. So only rotations
whose S could still matter are reweighted; how far S falls below S⁰ is measured on
those, and widens the search until what is left out is out by a wide margin.
"""

from typing import NamedTuple

import tensorflow as tf

from human_pose.lifting.averaging import Averaging, model_logits
from human_pose.lifting.blocks import ModelBlocks, gram, invert_joint_blocks
from human_pose.lifting.energy import Unknowns, score
from human_pose.lifting.method import METHOD, Formulation
from human_pose.lifting.pairs import pick
from human_pose.lifting.quantities import Quantities
from human_pose.lifting.sizes import NormalisedViews
from human_pose.lifting.solver import pull_of_size, reweight
from human_pose.skeleton import JOINTS

# S may lie this fraction below S⁰ where nothing is known yet, and this many times the
# largest fraction met in the frame and model where something is. On real and synthetic
# frames S lies 0-5 % below S⁰.
_FIRST_MARGIN = 0.03
_MARGIN_FACTOR = 4.0


class Found(NamedTuple):
    """The search's result, on the grid of models, frames and rotations.

    Attributes:
      scores: S, `[M, N, R]`; the dtype's largest number where it cannot matter.
      minimisers: a `[M, N, R, 29]` and q `[M, N, R, 3, 17]`, where S is known.
    """

    scores: tf.Tensor
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
    everything = pick(tf.ones(grid, tf.bool), views)
    flat = Unknowns(
        tf.reshape(first.coefficients, [-1, METHOD.coefficients]),
        tf.reshape(first.joints, [-1, 3, JOINTS]),
    )
    rough = tf.reshape(score(flat, quantities, everything, formulation), grid)
    if not formulation.reweightings:
        return Found(rough, first)

    def body(
        found: Found, done: tf.Tensor, wanted: tf.Tensor
    ) -> tuple[Found, tf.Tensor, tf.Tensor]:
        pairs, where = pick(wanted, views), tf.where(wanted)
        start = Unknowns(*(tf.gather_nd(part, where) for part in found.minimisers))
        x = reweight(start, shared, quantities, pairs, formulation)
        scores = score(x, quantities, pairs, formulation)
        found = Found(
            tf.tensor_scatter_nd_update(found.scores, where, scores),
            Unknowns(
                *(
                    tf.tensor_scatter_nd_update(old, where, new)
                    for old, new in zip(found.minimisers, x, strict=True)
                )
            ),
        )
        done |= wanted
        return found, done, _wanted(rough, found.scores, done, exponents, all_models)

    done = tf.zeros(grid, tf.bool)
    wanted = ~done if exhaustive else _wanted(rough, rough, done, exponents, all_models)
    found, done, _ = tf.while_loop(
        lambda found, done, wanted: tf.reduce_any(wanted),
        body,
        (Found(rough, first), done, wanted),
    )
    return found._replace(scores=tf.where(done, found.scores, rough.dtype.max))


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
    band = -log_dead / exponents.within[:, None]
    # A model's largest possible weight, its score being at least its lower bound.
    above = tf.reduce_min(lower, -1) / 2 - tf.reduce_min(best, 0) / 2
    bound = exponents.between[:, None] * above + exponents.offset[:, None]
    largest_logit = tf.reduce_max(model_logits(exponents, best / 2), 0)
    alive = -tf.nn.relu(bound) - largest_logit >= log_dead
    limit = best + tf.where(alive, band, 0 if all_models else -best)
    return ~done & (lower <= limit[..., None])


def _first_solve(
    shared: ModelBlocks,
    quantities: Quantities,
    views: NormalisedViews,
    formulation: Formulation,
) -> Unknowns:
    """The unweighted solve everywhere: a `[M, N, R, 29]`, q `[M, N, R, 3, 17]`.

    Its systems depend on a frame only through the mask, so with one mask for all
    frames there is one inverse per model and rotation.
    """
    visibility = views.visibility
    alike = tf.reduce_all(visibility == visibility[:1])
    masks = tf.cond(alike, lambda: visibility[:1], lambda: visibility)
    rotations = METHOD.rotations
    models = quantities.bases.shape[0]
    size = METHOD.coefficients
    unweighted = tf.ones_like(quantities.stiffness)
    rows = tf.square(quantities.row_weights)[:, None] * tf.square(masks)
    joints = invert_joint_blocks(
        shared.squares @ rows[:, :, None], 1 + formulation.ridge
    )  # [M, N or 1, R, 6, 17]
    flat = tf.reshape(joints.inverse, [models, -1, shared.outer.shape[1]])
    removed = tf.reshape(flat @ shared.outer, [models, -1, rotations, size, size])
    identity = tf.eye(size, dtype=rows.dtype)
    system = gram(shared, unweighted) + formulation.ridge * identity
    inverse = tf.linalg.cholesky_solve(
        tf.linalg.cholesky(system[:, None, None] - removed),
        tf.broadcast_to(identity, tf.shape(removed)),
    )
    seen = (rows * views.targets)[:, :, None]  # [M, N, 1, 8, 17]
    right = tf.matmul(quantities.projections, seen, transpose_a=True)
    flat = tf.reshape(joints.solve(right), [models, -1, 3 * JOINTS])
    moved = tf.matmul(flat, quantities.bases, transpose_b=True)
    moved += pull_of_size(quantities, unweighted)[:, None]
    a = tf.linalg.matvec(inverse, tf.reshape(moved, [models, -1, rotations, size]))
    back = tf.reshape(a, [models, -1, size]) @ quantities.bases
    right += tf.reshape(back, [models, -1, rotations, 3, JOINTS])
    return Unknowns(a, joints.solve(right))
