"""Sizes and centres of poses, and the normalisation of 2D views."""

from typing import Final, NamedTuple

import numpy as np
import tensorflow as tf

from human_pose.geometry.skeletons import (
    JOINTS,
    NORMALISATION_TREE,
    UNDETECTED_JOINT,
)

_TAILS = [a for a, _ in NORMALISATION_TREE]
_HEADS = [b for _, b in NORMALISATION_TREE]

# Fewer joints, or those of a small part of the body, give no size.
_LEAST_COMMON: Final = 5
_LEAST_COMMON_EXTENT: Final = 0.5


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
        joints of reference are centred and their heights span 2.
      visibility: `[N, 8, 17]`, the weight of each row.
      off_centre: `[N, 17]`, what each joint adds to the distance of the centre of all
        joints but 9 from that of the joints of reference; 0 where these are all.
    """

    targets: tf.Tensor
    visibility: tf.Tensor
    off_centre: tf.Tensor


def normalise_views(
    joints_2d_px: tf.Tensor, visibility: tf.Tensor, *, together: bool = False
) -> NormalisedViews:
    """Centres each view on its joints of reference and gives them height 2.

    In the original these are the joints that the view shows. `together` they are those
    that all views show, so that views with other masks agree, unless these are too few.

    A view with fewer than two usable joints, or with all of them at one height, says
    nothing about size: all its weights become 0. Coordinates of invisible joints are
    ignored, whatever they are.

    Args:
      joints_2d_px: `[N, 4, 17, 2]`, pixels, y down.
      visibility: `[N, 4, 17]`, 0 for invisible, else the weight of the joint.
      together: whether views have their joints of reference in common.
    """
    visible = visibility > 0
    joints = tf.where(visible[..., None], joints_2d_px, 0)
    extent = _extent(joints[..., 1], visible)
    usable = extent > 0
    reference = visible
    if together:
        reference = _common(joints[..., 1], visible, extent)
    share = _shares(reference, joints.dtype)
    joints -= tf.reduce_sum(
        tf.where(reference[..., None], joints, 0), -2, keepdims=True
    ) / _count(reference, joints.dtype)
    extent = _extent(joints[..., 1], reference)
    usable &= extent > 0  # not lost by rounding
    # Negative: both axes change sign, so that image y points up.
    scale = tf.where(usable, -extent, -2) / 2
    weight = tf.where(usable[..., None] & visible, visibility, 0)
    targets = tf.where(visible[..., None], joints / scale[..., None, None], 0)
    rows = [-1, 8, joints.shape[-2]]
    whole = tf.reduce_any(visible, -2) | (tf.range(JOINTS) != UNDETECTED_JOINT)
    views = tf.reduce_sum(tf.cast(usable, joints.dtype), -1)[:, None]
    centre = tf.reduce_sum(tf.where(usable[..., None], share, 0), -2)
    return NormalisedViews(
        tf.reshape(tf.transpose(targets, [0, 3, 1, 2]), rows),
        tf.tile(weight, [1, 2, 1]),
        _shares(whole, joints.dtype) - centre / tf.maximum(views, 1),
    )


def _extent(heights: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """The largest less the smallest height of the chosen joints; negative for none."""
    largest = heights.dtype.max / 2
    lowest = tf.reduce_min(tf.where(chosen, heights, largest), -1)
    return tf.reduce_max(tf.where(chosen, heights, -largest), -1) - lowest


def _common(heights: tf.Tensor, visible: tf.Tensor, extent: tf.Tensor) -> tf.Tensor:
    """The joints of reference that views have in common, bool `[N, 4, 17]`."""
    usable = (extent > 0)[..., None]
    common = tf.reduce_all(visible | ~usable, -2, keepdims=True) & visible
    count = tf.reduce_sum(tf.cast(common, tf.int32), -1)
    large = _extent(heights, common) >= _LEAST_COMMON_EXTENT * extent
    enough = (count >= _LEAST_COMMON) & large
    all_have = tf.reduce_all(enough[..., None] | ~usable, -2, keepdims=True)
    return tf.where(all_have, common, visible)


def _count(chosen: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """How many are chosen, at least 1, `[..., 1, 1]`."""
    count = tf.reduce_sum(tf.cast(chosen, dtype), -1)[..., None, None]
    return tf.maximum(count, 1)


def _shares(chosen: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Equal shares of those that are chosen, adding up to 1."""
    return tf.cast(chosen, dtype) / _count(chosen, dtype)[..., 0]


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
