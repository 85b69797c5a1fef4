"""Noisy positions over time made smooth, with what remains open.

Each coordinate moves by white-noise accelerations (a Wiener velocity model), and is
measured with errors of known proportions. Both scales are those of greatest likelihood,
so that nothing is set by hand; measurements that lie far off count less, as of
Student's t. The smoother is that of Rauch, Tung and Striebel; see Särkkä, "Bayesian
Filtering and Smoothing" (2013), chapters 4 and 8.
"""

from typing import Final, NamedTuple

import numpy as np

# Degrees of freedom of the errors' tails (of the calibrated lifter's design).
_FREEDOM: Final = 4.0
_ROUNDS: Final = 4
# Accelerations beside the errors, as q / r in 1 / s³, that are tried.
_RATIOS: Final = np.logspace(-1, 7, 25)
# Frames of which the scales are found; more would say hardly more.
_SEARCHED: Final = 500
# What is known before the first frame: the errors' variance many times.
_UNKNOWN: Final = 1e8
# Errors of what is exact, beside those that are said: 0 would say nothing of others.
_EXACT: Final = 1e-30


class Smoothed(NamedTuple):
    """Smooth positions.

    Attributes:
      position: float64 `[F, C]`.
      variance: float64 `[F, C]`, of their errors.
    """

    position: np.ndarray
    variance: np.ndarray


class _Filtered(NamedTuple):
    """A pass of the filter: states before and after each measurement, and its news."""

    predicted: np.ndarray
    predicted_cov: np.ndarray
    updated: np.ndarray
    updated_cov: np.ndarray
    innovation: np.ndarray
    spread: np.ndarray


def smooth(values: np.ndarray, variance: np.ndarray, times_s: np.ndarray) -> Smoothed:
    """Smooths coordinates that are alike: one scale of errors, one of accelerations.

    Args:
      values: float64 `[F, C]`; NaN where nothing is known.
      variance: float64 `[F, C]`, of the errors beside each other; taken as it is where
        too little is measured to say how large errors are.
      times_s: float64 `[F]`, ascending.

    Returns:
      Positions of every frame, also of those where nothing was measured.
    """
    values, variance = np.asarray(values, np.float64), np.asarray(variance, np.float64)
    known = np.isfinite(values) & (variance > 0)
    if len(values) < 3 or not known.any():
        return Smoothed(values, np.where(known, variance, np.nan))
    typical = float(np.median(variance[known]))
    own = np.where(known, variance / typical, np.inf)
    steps = np.diff(times_s)
    tails = np.ones_like(own)
    some = _searched(known)
    for _ in range(_ROUNDS):
        part = own[some] / tails[some]
        # Of equally likely ones, as where little is known, that which promises least.
        ratio = max(
            _RATIOS[::-1],
            key=lambda r: _likelihood(values[some], part, steps[some.start :], r),
        )
        passed = _filter(values, own / tails, steps, ratio)
        scale = max(_scale(passed, typical), _EXACT * typical)
        positions, open_ = _backward(passed, steps)
        # What is open about the position itself adds little to how far off it is.
        off = np.where(known, values - positions, 0.0) ** 2
        off = off / (scale * np.where(known, own, 1.0))
        tails = np.where(known, (_FREEDOM + 1) / (_FREEDOM + off), 1.0)
    return Smoothed(positions, open_ * scale)


def _filter(
    values: np.ndarray, variance: np.ndarray, steps: np.ndarray, ratio: float
) -> _Filtered:
    """Kalman's filter of all coordinates at once, in units of the errors' variance."""
    frames, count = values.shape
    state = np.zeros((count, 2))
    state[:, 0] = _first(values)
    cov = np.broadcast_to(np.eye(2) * _UNKNOWN, (count, 2, 2)).copy()
    kept: list[tuple[np.ndarray, ...]] = []
    for f in range(frames):
        if f:
            move, noise = _move(steps[f - 1], ratio)
            state, cov = state @ move.T, move @ cov @ move.T + noise
        before, before_cov = state, cov
        seen = np.isfinite(values[f]) & np.isfinite(variance[f])
        spread = cov[:, 0, 0] + np.where(seen, variance[f], 1.0)
        innovation = np.where(seen, values[f] - state[:, 0], 0.0)
        gain = np.where(seen[:, None], cov[:, :, 0] / spread[:, None], 0.0)
        state = state + gain * innovation[:, None]
        cov = cov - gain[:, :, None] * cov[:, None, 0, :]
        spread = np.where(seen, spread, np.nan)
        kept.append((before, before_cov, state, cov, innovation, spread))
    return _Filtered(*(np.stack(column) for column in zip(*kept, strict=True)))


def _backward(passed: _Filtered, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and variances `[F, C]` with what came later."""
    state, cov = passed.updated[-1], passed.updated_cov[-1]
    positions, variances = [state[:, 0]], [cov[:, 0, 0]]
    for f in range(len(steps) - 1, -1, -1):
        move = np.array([[1.0, steps[f]], [0.0, 1.0]])
        ahead = passed.predicted_cov[f + 1]
        gain = passed.updated_cov[f] @ move.T @ np.linalg.inv(ahead)
        later = state - passed.predicted[f + 1]
        state = passed.updated[f] + np.einsum("cij,cj->ci", gain, later)
        cov = passed.updated_cov[f] + gain @ (cov - ahead) @ gain.swapaxes(-1, -2)
        positions.append(state[:, 0])
        variances.append(cov[:, 0, 0])
    return np.stack(positions[::-1]), np.stack(variances[::-1])


def _likelihood(
    values: np.ndarray, variance: np.ndarray, steps: np.ndarray, ratio: float
) -> float:
    """Of accelerations of one size beside the errors, with the best scale of both."""
    passed = _filter(values, variance, steps, ratio)
    counted, scale = _counted(passed), _scale(passed, 1.0)
    return -float(np.log(passed.spread[counted] * max(scale, 1e-300)).sum())


def _scale(passed: _Filtered, default: float) -> float:
    """Of the errors, by what is counted; a default where nothing is."""
    counted = _counted(passed)
    if not counted.any():
        return default
    return float(np.mean(passed.innovation[counted] ** 2 / passed.spread[counted]))


def _counted(passed: _Filtered) -> np.ndarray:
    """Measurements of which the earlier ones say something."""
    return np.isfinite(passed.spread) & (passed.spread < _UNKNOWN / 1e3)


def _move(step_s: float, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """How a state moves in a step, and what accelerations add to its covariance."""
    move = np.array([[1.0, step_s], [0.0, 1.0]])
    cube, square = step_s**3 / 3, step_s**2 / 2
    return move, ratio * np.array([[cube, square], [square, step_s]])


def _searched(known: np.ndarray) -> slice:
    """The frames that the scales are found of: the first that hold most `[F, C]`.

    Nobody may be seen in the first ones, which say nothing of accelerations.
    """
    count = np.cumsum(np.append(0, known.sum(axis=1)))
    length = min(_SEARCHED, len(known))
    start = int(np.argmax(count[length:] - count[:-length]))
    return slice(start, start + length)


def _first(values: np.ndarray) -> np.ndarray:
    """Each coordinate's first known value, or 0."""
    known = np.isfinite(values)
    row = known.argmax(axis=0)
    return np.where(known.any(axis=0), values[row, np.arange(values.shape[1])], 0.0)
