"""Detections put elsewhere, to learn with, and to measure what that costs."""

import math

import tensorflow as tf

from human_pose.pipeline.config import Outliers
from human_pose.pipeline.detections import Detections


def displaced(
    detections: Detections, outliers: Outliers, seed: tf.Tensor
) -> Detections:
    """Some detections moved in any direction, with the deviations that they had.

    Args:
      detections: `[F, V, J]`.
      outliers: how many, and how far.
      seed: int `[F, 2]`, of each frame: equal seeds move equal detections.
    """
    if not outliers.share:
        return detections
    shape = detections.sigma_px.shape[1:]

    def draw(one: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([3, *shape], one, dtype=tf.float64)

    chance, distance, angle = tf.unstack(
        tf.map_fn(draw, seed, fn_output_signature=tf.float64), axis=1
    )
    reach = outliers.farthest_px - outliers.nearest_px
    far = tf.where(
        chance < outliers.share,
        outliers.nearest_px + reach * distance,
        tf.zeros_like(distance),
    )
    turn = 2 * math.pi * angle
    move = far[..., None] * tf.stack([tf.cos(turn), tf.sin(turn)], -1)
    return detections._replace(points_px=detections.points_px + move)
