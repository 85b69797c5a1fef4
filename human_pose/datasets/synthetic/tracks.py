"""Smooth one-dimensional tracks from which motions are composed.

Each takes the times `[F]` in seconds and gives a track `[F]`; those with a random
generator draw from it, so equal seeds give equal tracks.
"""

from typing import Final

import numpy as np

_WAVES: Final = 4


def ease(progress: np.ndarray) -> np.ndarray:
    """The minimum-jerk course from 0 to 1 (Flash & Hogan 1985), constant outside."""
    x = np.clip(progress, 0.0, 1.0)
    return x**3 * (10 + x * (6 * x - 15))


def sway(rng: np.random.Generator, time_s: np.ndarray, period_s: float) -> np.ndarray:
    """Restless movement: a few waves around a period; mean 0 and deviation 1."""
    rates = rng.uniform(0.5, 1.6, _WAVES) * 2 * np.pi / period_s
    phases = rng.uniform(0, 2 * np.pi, _WAVES)
    waves = np.sin(time_s[:, None] * rates + phases)
    return np.sqrt(2 / _WAVES) * waves.sum(axis=1)


def wander(
    rng: np.random.Generator,
    time_s: np.ndarray,
    low: float,
    high: float,
    *,
    hold_s: float = 0.6,
    move_s: float = 0.7,
) -> np.ndarray:
    """Eased moves between random values, each held for a while."""
    track = np.full(time_s.shape, rng.uniform(low, high))
    value, start = track[0], time_s[0] + rng.uniform(-0.5, 0.5) * hold_s
    while start < time_s[-1]:
        target = rng.uniform(low, high)
        track = track + (target - value) * ease((time_s - start) / move_s)
        value = target
        start += move_s + hold_s * rng.uniform(0.5, 1.5)
    return track


def visits(
    rng: np.random.Generator,
    time_s: np.ndarray,
    *,
    period_s: float,
    stay_s: float,
    move_s: float = 0.6,
) -> np.ndarray:
    """0 at rest, 1 while visiting: goes there, stays, returns; again each period."""
    phase = np.mod(time_s + rng.uniform(0, period_s), period_s)
    back = ease((phase - move_s - stay_s) / move_s)
    return ease(phase / move_s) - back


def bump(phase: np.ndarray, centre: float, width: float) -> np.ndarray:
    """A periodic bump of height 1 on the cycle `phase` (period 1)."""
    distance = np.sin(np.pi * (phase - centre)) / np.pi
    return np.exp(-0.5 * (distance / width) ** 2)
