"""Left and right exchanged by a detector: found over time, view by view.

Where a detector begins to exchange sides, and where it ends, both limbs jump. The most
likely course of exchanges (Viterbi) weighs the jumps that each leaves beside how well
the exchanged detections fit the joints, once these are known.
"""

from typing import Final

import numpy as np

from human_pose.calibrated.joints import ModelJoints

# A jump beyond so many deviations costs no more: limbs do move, and detectors err.
_MOST: Final = 4.0
# Displacements that a limb makes from frame to frame, of the body's size in the image.
_MOTION: Final = 0.03
_LEAST_PX: Final = 2.0
# Exchanges that begin or end: their chance, from one frame to the next.
_CHANGE: Final = 0.02
# Frames whose links are made at once.
_PART: Final = 1024


def find_swaps(
    points_px: np.ndarray,
    seen: np.ndarray,
    follows: np.ndarray,
    joints: ModelJoints,
    prior: np.ndarray,
    gains: np.ndarray | None = None,
) -> np.ndarray:
    """The most likely exchanges of each frame and view.

    Args:
      points_px: `[F, V, J, 2]`, detections as they are.
      seen: bool `[F, V, J]`.
      follows: bool `[F]`, whether a frame follows the one before it in a sequence.
      joints: the model's, with their exchanges.
      prior: `[S]`, probabilities of the exchanges.
      gains: `[F, V, S]`, what each exchange adds to the log density of the detections
        beside known joints; None before there are any.

    Returns:
      Numbers of exchanges, `[F, V]`.
    """
    count, views = points_px.shape[:2]
    states = len(joints.exchanges)
    unary = np.broadcast_to(np.log(prior), (count, views, states)).copy()
    if gains is not None:
        unary += gains
    return best_course(unary, links(points_px, seen, follows, joints))


def links(
    points_px: np.ndarray, seen: np.ndarray, follows: np.ndarray, joints: ModelJoints
) -> np.ndarray:
    """Log densities of exchanges after others, `[F - 1, V, S, S]`.

    Arguments as of `find_swaps`.
    """
    count, states = len(follows) - 1, len(joints.exchanges)
    change = np.full((states, states), np.log(_CHANGE / (states - 1)))
    np.fill_diagonal(change, np.log1p(-_CHANGE))
    result = np.empty([count, points_px.shape[1], states, states])
    # By parts: what is made on the way is ten times as large.
    for first in range(0, count, _PART):
        part = slice(first, first + _PART)
        both = slice(first, first + _PART + 1)
        jumps = _jumps(points_px[both], seen[both], joints)
        goes_on = follows[1:][part, None, None, None]
        result[part] = np.where(goes_on, change - jumps, 0.0)
    return result


def exchanged(
    values: np.ndarray, states: np.ndarray, joints: ModelJoints
) -> np.ndarray:
    """Detections `[F, V, J, ...]` with the exchanges `[F, V]` undone."""
    members = joints.exchanges[states]  # [F, V, J]
    other = values[:, :, list(joints.counterpart)]
    wide = members.reshape(*members.shape, *(1,) * (values.ndim - 3))
    return np.where(wide, other, values)


def _jumps(points: np.ndarray, seen: np.ndarray, joints: ModelJoints) -> np.ndarray:
    """Costs of what moves between frames, by the exchanges before and after.

    Those of a pair of joints count where as many are known with its sides exchanged as
    without: of one that is seen alone an exchange would cost nothing, and its motion be
    left out.
    """
    flip = list(joints.counterpart)
    size = _size_px(points, seen)
    scale = np.maximum(_MOTION * size, _LEAST_PX)[..., None]

    def cost(after: np.ndarray, seen_after: np.ndarray) -> tuple[np.ndarray, ...]:
        known = seen_after & seen[:-1]
        off = np.linalg.norm(after - points[:-1], axis=-1) / scale[:-1]
        of_pair = known.astype(int) + known[:, :, flip]
        return np.where(known, np.minimum(off, _MOST) ** 2 / 2, 0.0), of_pair

    same, count = cost(points[1:], seen[1:])
    other, count_other = cost(points[1:][:, :, flip], seen[1:][:, :, flip])
    differ = joints.exchanges[:, None] != joints.exchanges  # [S, S, J]
    gain = np.where(count == count_other, other - same, 0.0)
    gain = gain.reshape(-1, points.shape[2])
    total = gain @ differ.reshape(-1, differ.shape[-1]).T.astype(float)
    states = len(joints.exchanges)
    return same.sum(axis=-1)[..., None, None] + total.reshape(
        *same.shape[:2], states, states
    )


def _size_px(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """How large the body is in each image, `[F, V]`: its larger extent."""
    low = np.where(seen[..., None], points, np.inf).min(axis=2)
    high = np.where(seen[..., None], points, -np.inf).max(axis=2)
    extent = np.where(np.isfinite(high - low), high - low, 0.0).max(axis=-1)
    return np.asarray(extent)


def best_course(unary: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Viterbi for each view: states `[F, V]` of the largest sum.

    Args:
      unary: `[F, V, S]`, log densities of states.
      between: `[F - 1, V, S, S]`, of states after others.
    """
    count = len(unary)
    best = unary[0]
    came = np.zeros(unary.shape, np.int8)
    for frame in range(1, count):
        options = best[:, :, None] + between[frame - 1]
        came[frame] = options.argmax(axis=1)
        best = options.max(axis=1) + unary[frame]
    course = np.empty(unary.shape[:2], np.int64)
    course[-1] = best.argmax(axis=-1)
    rows = np.arange(unary.shape[1])
    for frame in range(count - 1, 0, -1):
        course[frame - 1] = came[frame, rows, course[frame]]
    return course
