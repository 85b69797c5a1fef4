"""The rate at which frames were taken, from their times."""

from typing import Final

import numpy as np

# Longer steps, in typical ones, are frames that are missing.
GAP: Final = 1.5
# Of missing frames; how many are in longer gaps is not sure.
_MOST_STEPS: Final = 8
# How near a rate is to a usual one, if that is meant: 29.97 and 30 differ by 1e-3.
_USUAL: Final = 4e-4
_NTSC: Final = 1000 / 1001
# Of a step: what times are off more is no rounding.
_ROUNDED: Final = 0.25


def rate_of(times_s: np.ndarray) -> float | None:
    """Frames a second, missing ones counted; of a single frame None.

    Stamps may be rounded to milliseconds, which makes steps of 60 frames a second 16 or
    17 ms: no single step shows the rate.

    Args:
      times_s: float64 `[F]`, ascending.
    """
    steps = np.diff(times_s)
    if not steps.size:
        return None
    usual = steps[steps <= GAP * np.median(steps)].mean()
    counts = np.maximum(np.round(steps / usual), 1)
    near = counts <= _MOST_STEPS
    steps, counts = steps[near], counts[near]
    rate = float(counts.sum() / steps.sum())
    names = (float(round(rate)), round(rate / _NTSC) * _NTSC)
    name = min(names, key=lambda each: abs(each - rate))
    return name if abs(name - rate) <= _doubt(steps, counts) * rate else rate


def unevenness_s(times_s: np.ndarray) -> float:
    """How far times are from even steps from the first to the last, s.

    Args:
      times_s: float64 `[F]`, one or more.
    """
    even = np.linspace(times_s[0], times_s[-1], len(times_s))
    return float(np.abs(times_s - even).max())


def _doubt(steps: np.ndarray, counts: np.ndarray) -> float:
    """How far a rate may be off by rounded times, as a share."""
    step = steps.sum() / counts.sum()
    off = np.append(0.0, np.cumsum(steps - step * counts))
    rounded = float(np.ptp(off)) / 2
    if rounded > _ROUNDED * step:
        return _USUAL
    return max(_USUAL, 2 * rounded / float(steps.sum()))
