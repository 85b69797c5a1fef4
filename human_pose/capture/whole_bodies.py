"""Views in which a detector shows the whole body with left and right exchanged.

A frame's views are exchanged or not so that all pairs agree best by their rays; of the
two ways round, which no ray tells apart, the one with fewer exchanges counts.
"""

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np

from human_pose.capture.epipolar import fundamental, sampson_px
from human_pose.capture.interpolation import body_sizes_px
from human_pose.geometry.cameras import Camera

_SCALE: Final = 0.02
_LEAST_PX: Final = 1.0
# What an exchange must gain, as a mean over the joints of a view's pairs.
_GAIN: Final = 0.1
_MOST_TOGETHER: Final = 8


def exchanged(
    points_px: np.ndarray, cameras: Sequence[Camera], flip_order: Sequence[int]
) -> np.ndarray:
    """Which views show the body the other way round than most, bool `[F, V]`.

    Args:
      points_px: `[F, V, J, 2]`, pinhole pixels; NaN where not seen.
      cameras: of the V views.
      flip_order: of the joints.
    """
    count, views = points_px.shape[:2]
    costs = np.zeros((views, views, 2, count))
    for a, b in itertools.combinations(range(views), 2):
        costs[a, b] = costs[b, a] = _costs(
            points_px[:, a],
            points_px[:, b],
            fundamental(cameras[a], cameras[b]),
            flip_order,
        )
    if views > _MOST_TOGETHER:
        return _one_by_one(costs)
    options = np.array(list(itertools.product([False, True], repeat=views)))
    options = options[options.sum(axis=1) <= views // 2]
    total = [
        sum(
            costs[a, b, int(ways[a] != ways[b])]
            for a, b in itertools.combinations(range(views), 2)
        )
        + _GAIN * (views - 1) * ways.sum()
        for ways in options
    ]
    return np.asarray(options[np.argmin(total, axis=0)])


def _one_by_one(costs: np.ndarray) -> np.ndarray:
    """Views that most of the others contradict, where all choices are too many."""
    gain = (costs[:, :, 0] - costs[:, :, 1]).mean(axis=1)
    return np.asarray(gain > _GAIN).T


def _costs(
    first_px: np.ndarray,
    second_px: np.ndarray,
    matrix: np.ndarray,
    flip_order: Sequence[int],
) -> np.ndarray:
    """Mean losses as the bodies are, and with one of them exchanged, `[2, F]`."""
    sizes = [body_sizes_px(points[:, None])[:, 0] for points in (first_px, second_px)]
    scale = np.maximum(_SCALE * np.mean(sizes, axis=0), _LEAST_PX)[:, None]
    ways = (second_px, second_px[:, list(flip_order)])
    off = np.stack([sampson_px(first_px, way, matrix) for way in ways])
    common = np.isfinite(off).all(axis=0)
    value = np.where(common, np.log1p(np.square(off / scale)), 0.0)
    return np.asarray(value.sum(axis=-1) / np.maximum(common.sum(axis=-1), 1))
