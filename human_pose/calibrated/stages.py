"""The lifter's stages as functions of arrays, compiled once for like rigs."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from human_pose.calibrated import chains, frames, minimise, noise
from human_pose.calibrated.energy import (
    Body,
    Layout,
    Observed,
    Unknowns,
    Weights,
    exchange_gains,
    fit,
    flipped,
    frame_energy,
    project,
)
from human_pose.calibrated.lifter import CalibratedLifter
from human_pose.geometry.triangulation import Triangulated, triangulate


class Stages:
    """What a session does with arrays of float64, each a `tf.function`.

    Args:
      lifter: the model.
      views: how many there are.
      pairs: of views, that are triangulated; see `view_pairs`.
      directed: whether detections have `Observed.whitening`.

    Attributes:
      triangulate: points, what is seen and cameras -> `Triangulated`.
      refined: `CalibratedLifter.refined`.
      energies: of frames, `[F]`.
      statistics: `noise.statistics` of frames.
      frame_covariances: of the joints of frames by themselves, `[F, J, 3, 3]`.
      sequence: `CalibratedLifter.sequence`.
      sequence_covariances: of the joints of a sequence, `[F, J, 3, 3]`.
      fits: residuals `[F, V, J]`, probabilities of being no outlier, and gains of
        exchanges, of joints beside detections.
    """

    def __init__(
        self,
        lifter: CalibratedLifter,
        views: int,
        pairs: np.ndarray,
        directed: bool = False,
    ) -> None:
        joints = len(lifter.joints)
        layout = lifter.layout

        def spec(*shape: int | None) -> tf.TensorSpec:
            return tf.TensorSpec(shape, tf.float64)

        observed = Observed(
            spec(None, views, joints, 2),
            spec(None, views, joints),
            spec(None, views, joints),
            spec(views),
            spec(views, 3, 4),
            spec(None, views, joints, 2, 2) if directed else (),
        )
        parts, size = len(lifter.prior.shares), 3 * joints
        body = Body(
            spec(parts, joints, 3),
            spec(parts, size, size),
            spec(parts),
            spec(len(layout.bones)),
            spec(len(layout.bones)),
            spec(size, size),
        )
        terms = Weights(spec(), spec(len(layout.exchanges)), *[spec()] * 6)
        unknowns = Unknowns(spec(None, joints, 3), spec(None, 3))
        turn, inside = spec(None, 3, 3), spec(None)
        overlap = tf.TensorSpec([], tf.int32)
        problem = (observed, body, terms)

        def compile(function: Callable[..., Any], *signature: Any) -> Any:
            return tf.function(function, input_signature=signature, autograph=False)

        self.triangulate = compile(
            lambda points, seen, matrices: triangulate(points, seen, matrices, pairs),
            observed.points_px,
            observed.seen,
            observed.projection,
        )
        triangulated = Triangulated(
            spec(None, joints, 3),
            tf.TensorSpec([None, joints], tf.bool),
            spec(None, joints, 3, 3),
            spec(None, views, joints),
        )
        self._begin = compile(minimise.begin, triangulated, *problem)
        # Frames take 5 steps in the mean and 12 at most.
        self.refined = compile(
            functools.partial(lifter.refined, inference=True),
            unknowns,
            turn,
            *problem,
        )
        self.energies = compile(
            lambda x, turn, observed, body, terms: frame_energy(
                x, turn, observed, body, terms, layout
            ),
            unknowns,
            turn,
            *problem,
        )
        self.statistics = compile(
            lambda x, turn, observed, body, terms, follows: noise.statistics(
                x, turn, observed, body, terms, layout, follows
            ),
            unknowns,
            turn,
            *problem,
            inside,
        )
        self.frame_covariances = compile(
            lambda x, turn, observed, body, terms: frames.covariances(
                x, turn, observed, body, terms, layout
            ),
            unknowns,
            turn,
            *problem,
        )
        # Compiled for each length, of which there are few.
        self.sequence = tf.function(
            functools.partial(lifter.sequence, inference=True), autograph=False
        )
        self.sequence_covariances = compile(
            lambda x, turn, inside, observed, body, terms, overlap: _covariances(
                x, turn, inside, observed, body, terms, layout, overlap
            ),
            unknowns,
            turn,
            inside,
            *problem,
            overlap,
        )
        self.fits = compile(
            lambda joints, observed, terms: _fits(joints, observed, terms, layout),
            unknowns.joints_mm,
            observed,
            terms,
        )

    def frames(
        self, triangulated: Triangulated, observed: Observed, body: Body, terms: Weights
    ) -> tuple[Unknowns, tf.Tensor]:
        """`CalibratedLifter.frames`, of functions that are compiled anyway."""
        turn, x = self._begin(triangulated, observed, body, terms)
        refined: tuple[Unknowns, tf.Tensor] = self.refined(
            x, turn, observed, body, terms
        )
        return refined


def _covariances(
    x: Unknowns,
    turn: tf.Tensor,
    inside: tf.Tensor,
    observed: Observed,
    body: Body,
    terms: Weights,
    layout: Layout,
    overlap: tf.Tensor,
) -> tf.Tensor:
    """Covariances of the joints of a sequence, `[F, J, 3, 3]`."""
    found = frames.system(x, turn, observed, body, terms, layout)
    chain = chains.Chain(inside, turn)
    pull = chains.pulls(chain, body)
    banded = chains.matrices(x, found, chain, body, terms, pull)
    blocks = chains.inverse_blocks(banded, overlap)
    identity = tf.eye(3, batch_shape=[tf.shape(turn)[0]], dtype=turn.dtype)
    return frames.joint_blocks(blocks, identity)


def _fits(
    joints_mm: tf.Tensor, observed: Observed, terms: Weights, layout: Layout
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Residuals, inliers' probabilities, and gains of exchanges."""
    images, _ = project(joints_mm, observed.projection)
    straight = fit(images, observed, terms)
    crossed = fit(flipped(images, layout), observed, terms)
    residual = tf.norm(images - observed.points_px, axis=-1)
    return residual, straight.inlier, exchange_gains(straight, crossed, layout)
