"""Filters over time that sports science puts behind triangulation.

Hampel's rule replaces what is far from the median of its neighbours (Hampel, JASA
1974); a Butterworth filter, there and back, so that nothing is delayed, takes out what
is faster than people move (Winter, Biomechanics and Motor Control of Human Movement).
Numbers are Pose2Sim's defaults.
"""

from typing import Final

import numpy as np
from scipy import signal

_NEIGHBOURS: Final = 3  # on each side
_DEVIATIONS: Final = 2.0
# Of a Gaussian's median absolute deviation.
_GAUSSIAN: Final = 1.4826
CUT_OFF_HZ: Final = 6.0
# There and back they are of fourth order together.
_ORDER: Final = 2


def filtered(
    joints_3d_mm: np.ndarray, fps: float, cut_off_hz: float = CUT_OFF_HZ
) -> np.ndarray:
    """Filters the joints of one take, each coordinate by itself.

    Args:
      joints_3d_mm: `[F, J, 3]`; NaN where a joint is missing.
      fps: frames a second.
      cut_off_hz: what is faster goes; frames too few for anything faster stay as they
        are, but for Hampel's rule.

    Returns:
      `[F, J, 3]`, missing where it was; stretches too short to filter are not.
    """
    result = _hampel(joints_3d_mm)
    if cut_off_hz >= fps / 2:
        return result
    sections = signal.butter(_ORDER, cut_off_hz, fs=fps, output="sos")
    least = 3 * (2 * len(sections) + 1) + 1  # what `sosfiltfilt` mirrors at the ends
    for joint in range(result.shape[1]):
        known = np.isfinite(result[:, joint]).all(axis=-1)
        edges = np.flatnonzero(np.diff(known.astype(int), prepend=0, append=0))
        for start, stop in edges.reshape(-1, 2):
            if stop - start >= least:
                part = result[start:stop, joint]
                result[start:stop, joint] = signal.sosfiltfilt(sections, part, axis=0)
    return result


def _hampel(joints_mm: np.ndarray) -> np.ndarray:
    if not len(joints_mm):
        return joints_mm.copy()
    around = ((_NEIGHBOURS, _NEIGHBOURS), (0, 0), (0, 0))
    padded = np.pad(joints_mm, around, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, 2 * _NEIGHBOURS + 1, axis=0
    )
    known = np.isfinite(joints_mm)
    # A missing joint's window may hold nothing; its median is not asked for.
    windows = np.where(known[..., None], windows, 0.0)
    median = np.nanmedian(windows, axis=-1)
    spread = np.nanmedian(np.abs(windows - median[..., None]), axis=-1)
    far = np.abs(joints_mm - median) > _DEVIATIONS * _GAUSSIAN * spread
    return np.where(known & far, median, joints_mm)
