"""Sizes and centres of poses, and the normalisation of 2D views."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.geometry.skeletons import NORMALISATION_TREE, UNDETECTED_JOINT

_TAILS = [a for a, _ in NORMALISATION_TREE]
_HEADS = [b for _, b in NORMALISATION_TREE]


def pose_size(joints: tf.Tensor) -> tf.Tensor:
    """The norm over all edges of the normalisation tree (not a mean limb length).

    Args:
      joints: `[..., 17, 3]`.

    Returns:
      `[...]`, in the unit of `joints`.
    """
    edges = tf.gather(joints, _TAILS, axis=-2) - tf.gather(joints, _HEADS, axis=-2)
    return tf.sqrt(tf.reduce_sum(tf.square(edges), [-2, -1]))


def centred(joints: tf.Tensor) -> tf.Tensor:
    """`[..., 17, 3]` minus the mean over all 17 joints."""
    return joints - tf.reduce_mean(joints, -2, keepdims=True)


def seen_joints(joints_2d_px: tf.Tensor) -> tf.Tensor:
    """The visibility that detections have by themselves.

    0 for (0, 0) and NaN, by which files say that a joint was not found, and for joint
    9, which is never detected; else 1.

    Args:
      joints_2d_px: `[..., 17, 2]`, pixels.

    Returns:
      `[..., 17]`, of the dtype of `joints_2d_px`.
    """
    lost = tf.reduce_all(joints_2d_px == 0, -1)
    lost |= tf.reduce_any(tf.math.is_nan(joints_2d_px), -1)
    lost |= tf.range(tf.shape(joints_2d_px)[-2]) == UNDETECTED_JOINT
    return tf.cast(~lost, joints_2d_px.dtype)


class NormalisedViews(NamedTuple):
    """2D views of unit scale.

    Attributes:
      targets: `[N, 8, 17]`, x of the four views, then y; image y points up, the
        visible joints are centred and their heights span 2.
      visibility: `[N, 8, 17]`, the weight of each row.
    """

    targets: tf.Tensor
    visibility: tf.Tensor


def normalise_views(joints_2d_px: tf.Tensor, visibility: tf.Tensor) -> NormalisedViews:
    """Centres each view on its visible joints and gives them height 2.

    A view with fewer than two usable joints, or with all of them at one height, says
    nothing about size: all its weights become 0. Coordinates of invisible joints are
    ignored, whatever they are.

    Args:
      joints_2d_px: `[N, 4, 17, 2]`, pixels, y down.
      visibility: `[N, 4, 17]`, 0 for invisible, else the weight of the joint.
    """
    visible = visibility > 0
    joints = tf.where(visible[..., None], joints_2d_px, 0)
    count = tf.reduce_sum(tf.cast(visible, joints.dtype), -1)[..., None, None]
    joints -= tf.reduce_sum(joints, -2, keepdims=True) / tf.maximum(count, 1)
    heights = joints[..., 1]
    largest = joints.dtype.max
    lowest = tf.reduce_min(tf.where(visible, heights, largest), -1)
    highest = tf.reduce_max(tf.where(visible, heights, -largest), -1)
    usable = highest > lowest
    # Negative: both axes change sign, so that image y points up.
    scale = tf.where(usable, lowest - highest, -2) / 2
    weight = tf.where(usable[..., None] & visible, visibility, 0)
    targets = tf.where(visible[..., None], joints / scale[..., None, None], 0)
    rows = [-1, 8, joints.shape[-2]]
    return NormalisedViews(
        tf.reshape(tf.transpose(targets, [0, 3, 1, 2]), rows),
        tf.tile(weight, [1, 2, 1]),
    )


def check_frames(joints_2d_px: np.ndarray, visibility: np.ndarray) -> None:
    """Refuses frames that cannot be lifted.

    Args:
      joints_2d_px: `[N, 4, 17, 2]`.
      visibility: `[N, 4, 17]`.

    Raises:
      ValueError: naming the first such frame, and the rule.
    """
    if not len(joints_2d_px):
        raise ValueError("`joints_2d_px` must hold at least one frame; received none")
    if not np.all(visibility >= 0):
        frame, view, joint = np.argwhere(~(visibility >= 0))[0]
        raise ValueError(
            "`visibility` must be >= 0; received "
            f"{visibility[frame, view, joint]} at frame {frame}, view {view}, "
            f"joint {joint}"
        )
    visible = visibility > 0
    lost = visible & ~np.isfinite(joints_2d_px).all(-1)
    if lost.any():
        frame, view, joint = np.argwhere(lost)[0]
        raise ValueError(
            "`joints_2d_px` must be finite where visible; received "
            f"{joints_2d_px[frame, view, joint]} at frame {frame}, view {view}, "
            f"joint {joint}"
        )
    heights = joints_2d_px[..., 1]
    lowest = np.min(heights, -1, where=visible, initial=np.inf)
    highest = np.max(heights, -1, where=visible, initial=-np.inf)
    empty = ~np.any(highest > lowest, axis=-1)
    if empty.any():
        raise ValueError(
            "at least one view of each frame must have two visible joints at different "
            f"heights; frame {np.argmax(empty)} has none"
        )
