"""The two soft averages: over a model's rotations, then over models."""

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow as tf

from human_pose.lifting.energy import Unknowns
from human_pose.lifting.method import METHOD
from human_pose.lifting.pairs import Pairs
from human_pose.lifting.quantities import headings
from human_pose.lifting.sizes import pose_size


class Averaging(NamedTuple):
    """Exponents of the averages, each `[M]`.

    Rotation i of model m weighs exp(-within_m (S_i - min S)); model m weighs
    exp(-|between_m (s_m - min s) + offset_m|) with s_m = min_i S_i / 2.
    """

    within: tf.Tensor
    between: tf.Tensor
    offset: tf.Tensor

    def of_equal_models(self) -> "Averaging":
        """The same, but every model weighs alike, so that none is left out."""
        return self._replace(
            between=tf.zeros_like(self.between), offset=tf.zeros_like(self.offset)
        )


class Averaged(NamedTuple):
    """The average of N frames.

    Attributes:
      poses: `[N, 3, 17]`; their size is not normalised.
      shares: `[M, N]`, of each model in them.
    """

    poses: tf.Tensor
    shares: tf.Tensor


def averaging(parameters: Mapping[str, tf.Tensor]) -> Averaging:
    """The exponents, from tensors under the checkpoint's names."""
    return Averaging(
        METHOD.sharpness * tf.abs(parameters["exp_weights"][:, 0]),
        METHOD.sharpness * parameters["exp_weights_model"][:, 0],
        parameters["exp_additive_model"][:, 0],
    )


def model_logits(exponents: Averaging, model_scores: tf.Tensor) -> tf.Tensor:
    """Logarithms of the models' weights, `[M, N]`, for s `[M, N]`."""
    above = model_scores - tf.reduce_min(model_scores, 0)
    return -tf.abs(exponents.between[:, None] * above + exponents.offset[:, None])


def live_mask(exponents: Averaging, scores: tf.Tensor) -> tf.Tensor:
    """Which of S `[M, N, R]` reach the result: bool `[M, N, R]`.

    The rest weighs less than `live_weight` of the largest weight, so it is lost in
    round-off in the pose and in its derivative.
    """
    best = tf.reduce_min(scores, -1)
    logits = model_logits(exponents, best / 2)[..., None]
    logits -= exponents.within[:, None, None] * (scores - best[..., None])
    largest = tf.reduce_max(logits, [0, 2], keepdims=True)
    return logits - largest >= tf.math.log(
        tf.constant(METHOD.live_weight, scores.dtype)
    )


def average(
    exponents: Averaging,
    pairs: Pairs,
    x: Unknowns,
    pair_scores: tf.Tensor,
    best_scores: tf.Tensor,
    evidence: tf.Tensor | None = None,
) -> Averaged:
    """The average pose of each frame, from its live problems.

    Args:
      exponents: of the averages.
      pairs: the live problems.
      x: their minimisers.
      pair_scores: S, `[P]`.
      best_scores: min_i S_i of every model, `[M, N]`, for models with no live problem.
      evidence: logarithm of each problem's evidence, tempered, by which models weigh in
        place of their scores; every model then has a live problem.
    """
    models, frames = best_scores.shape[0], tf.shape(best_scores)[1]
    segment = pairs.model * frames + pairs.frame
    segments = models * frames
    # 2D was flipped in both axes, so the pose is turned back by the sign.
    turn = tf.gather(tf.constant(headings(), x.joints.dtype), pairs.rotation)
    poses = -turn @ x.joints
    poses /= pose_size(tf.linalg.matrix_transpose(poses))[:, None, None]
    best = tf.math.unsorted_segment_min(pair_scores, segment, segments)
    above = pair_scores - tf.gather(best, segment)
    weights = tf.exp(-tf.gather(exponents.within, pairs.model) * above)
    total = tf.math.unsorted_segment_sum(weights, segment, segments)
    live = total > 0
    model_poses = (
        tf.math.unsorted_segment_sum(weights[:, None, None] * poses, segment, segments)
        / tf.where(live, total, 1)[:, None, None]
    )
    grid = [models, frames]
    live = tf.reshape(live, grid)
    scores = tf.where(live, tf.reshape(best, grid), best_scores)
    if evidence is None:
        logits = model_logits(exponents, scores / 2)
    else:
        share = weights / tf.gather(total, segment)
        # The average is over these headings, so the evidence is its lower bound there:
        # it knows of no others, and moves smoothly as one of them fades.
        bound = share * (evidence - tf.math.log(share))
        bound = tf.math.unsorted_segment_sum(bound, segment, segments)
        logits = tf.reshape(bound, grid) - exponents.offset[:, None]
    shares = tf.where(
        live, tf.exp(logits - tf.stop_gradient(tf.reduce_max(logits, 0))), 0
    )
    shares /= tf.reduce_sum(shares, 0)
    # A size left open is not 17 where a replica has no frame.
    model_poses = tf.reshape(model_poses, [models, frames, 3, x.joints.shape[-1]])
    return Averaged(tf.reduce_sum(shares[..., None, None] * model_poses, 0), shares)
