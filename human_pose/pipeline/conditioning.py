"""What λ meets at the minimisers of a pipeline: their condition, and its bias."""

import tensorflow as tf

import wiberg_tf as wt
from human_pose.calibrated.config import Damping
from human_pose.calibrated.energy import Unknowns, frame_energy
from human_pose.calibrated.minimise import rule
from human_pose.pipeline.calibrated_head import CalibratedHead
from human_pose.pipeline.detections import Detections


def diagnose(
    head: CalibratedHead,
    detections: Detections,
    projection: tf.Tensor,
    damping: Damping | None = None,
) -> wt.Diagnostics:
    """Figures of each moment's minimiser, of its derivative by the detections' places.

    It forms Hessians, so it is for looking at some moments, not for training.

    Args:
      head: the lifter.
      detections: of F moments.
      projection: `[F, V, 3, 4]`.
      damping: λ, or its rule; None for the lifter's own.
    """
    x, start, observed, body, terms = head.problem(detections, projection)
    found, turn = head.lifter.refined(x, start, observed, body, terms)
    observed, body, terms = tf.nest.map_structure(
        tf.stop_gradient, (observed, body, terms)
    )

    def energy(x: Unknowns, points_px: tf.Tensor) -> tf.Tensor:
        moved = observed._replace(points_px=points_px)
        return frame_energy(x, turn, moved, body, terms, head.lifter.layout)

    return wt.diagnose(
        energy,
        tf.nest.map_structure(tf.stop_gradient, found),
        (observed.points_px,),
        damping=rule(head.lifter.damping if damping is None else damping),
        batch_dims=1,
    )
