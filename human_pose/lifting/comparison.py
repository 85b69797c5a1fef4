"""A lifted pose beside the truth: the original's errors, and what they compare."""

from typing import Any, Final

import tensorflow as tf

from human_pose.geometry.metrics import (
    checked_pair,
    joint_distances,
    mpjpe,
    procrustes_align,
)
from human_pose.geometry.skeletons import JOINTS
from human_pose.lifting.config import METRICS
from human_pose.lifting.sizes import centred, pose_size

# The original's metric 0 leaves out hip, spine and neck, after aligning all 17.
METRIC_0_JOINTS: Final = (1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16)


def beside_truth(
    pose: tf.Tensor, joints_3d_mm: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Truth and reconstruction as the original compares them (docs/fidelity.md, Q7).

    The truth is centred at its mean joint. The reconstruction is the lifted pose with
    the truth's size, and is not centred.

    Args:
      pose: `[..., 17, 3]`, a lifter's, of unit-free size.
      joints_3d_mm: `[..., 17, 3]`, mm; its dtype is that of the results.

    Returns:
      Truth and reconstruction, both `[..., 17, 3]`, mm.
    """
    joints_3d_mm = tf.convert_to_tensor(joints_3d_mm)
    size_mm = pose_size(joints_3d_mm)[..., None, None]
    return centred(joints_3d_mm), size_mm * tf.cast(pose, joints_3d_mm.dtype)


def training_error(truth: Any, reconstruction: Any, metric: int) -> tf.Tensor:
    """The original project's error number `metric` of 17-joint poses, mm.

    0: mean over the 14 joints of `METRIC_0_JOINTS` after aligning all 17 by Procrustes;
    1: the same mean over all 17 joints; 2: MPJPE without alignment (the default
    training loss).

    Raises:
      ValueError: if `metric` is none of these, or the poses have not 17 joints.
    """
    if metric not in METRICS:
        raise ValueError(f"`metric` must be 0, 1 or 2. Received: {metric}")
    truth, reconstruction = checked_pair(truth, reconstruction)
    if truth.shape[-2] != JOINTS:
        raise ValueError(f"poses must have {JOINTS} joints. Received: {truth.shape}")
    if metric == 2:
        return mpjpe(truth, reconstruction)
    distances = joint_distances(truth, procrustes_align(truth, reconstruction))
    if metric == 0:
        distances = tf.gather(distances, METRIC_0_JOINTS, axis=-1)
    return tf.reduce_mean(distances, axis=-1)
