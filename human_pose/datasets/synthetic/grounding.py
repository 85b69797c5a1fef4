"""Puts a moving body on the floor: its height, and where it goes.

The lowest part carries the body (feet when standing, the seat when sitting on the
floor), and what touches the floor does not slide: walking moves forward because the
standing foot stays where it is.
"""

from typing import Final

import numpy as np

# Joints that may touch the floor, and how high each is above it then (mm): hips by the
# flesh below them, knees, ankles by the foot, wrists by the hand.
_CLEARANCES_MM: Final = {1: 110, 4: 110, 2: 70, 5: 70, 3: 80, 6: 80, 13: 60, 16: 60}

# Parts within about this height of the lowest one share the load.
_SOFTNESS_MM: Final = 8.0

_SMOOTHING_S: Final = 0.08


def grounded(
    joints_mm: np.ndarray, rate_hz: float, *, seated: bool = False
) -> np.ndarray:
    """Places hip-centred joints in a world with the floor at z = 0.

    Args:
      joints_mm: `[F, 17, 3]`, relative to the hip, world directions, z up.
      rate_hz: frames per second.
      seated: a chair holds the hip where it is; feet may then move about.

    Returns:
      `[F, 17, 3]`, mm; shapes are unchanged, every frame is only translated. The hip
      starts above the origin.
    """
    parts = joints_mm[:, list(_CLEARANCES_MM)]  # [F, P, 3]
    height = np.array(list(_CLEARANCES_MM.values())) - parts[..., 2]
    highest = height.max(axis=1, keepdims=True)
    load = np.exp((height - highest) / _SOFTNESS_MM)
    lift = highest[:, 0] + _SOFTNESS_MM * np.log(load.sum(axis=1))
    load /= load.sum(axis=1, keepdims=True)
    path = np.zeros((len(parts), 2))
    if not seated:
        slide = np.diff(parts[..., :2], axis=0)
        share = (load[1:] + load[:-1]) / 2
        path[1:] = -np.cumsum(np.sum(share[..., None] * slide, axis=1), axis=0)
    root = np.concatenate([path, lift[:, None]], axis=1)
    return joints_mm + _smoothed(root, _SMOOTHING_S * rate_hz)[:, None]


def _smoothed(track: np.ndarray, deviation: float) -> np.ndarray:
    """Gaussian smoothing along the first axis, ends mirrored through their points."""
    reach = min(int(np.ceil(3 * deviation)), len(track) - 1)
    if reach == 0:
        return track
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    before = 2 * track[0] - track[reach:0:-1]
    after = 2 * track[-1] - track[-2 : -reach - 2 : -1]
    padded = np.concatenate([before, track, after])
    columns = [np.convolve(c, kernel, mode="valid") for c in padded.T]
    return np.stack(columns, axis=1)
