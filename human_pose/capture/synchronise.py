"""How far the clocks of several cameras are apart.

Where the offsets are right, the rays of a joint meet in space: `by_motion` looks for
those at which the views agree best (`lags`), pair by pair, then for all of them at
once, between the steps by cubic splines. How sure an offset is comes from parts of the
time left out in turn (the jackknife), and from how well the pairs agree.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.special import erf

from human_pose.capture.lags import BLOCKS, Curve, Even, curve
from human_pose.capture.views import View, check_views
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera

MOST_S: Final = 5.0
# A lag that is not near the best one must be worse by so many standard errors.
_SURE: Final = 3.0
_NEAR_S: Final = 0.1
# An offset must be known to so many frames.
_LEAST_FRAMES: Final = 2.0
_HALF: Final = 0.5
# Of absolute values of a normal variable of deviation 1.
_MEDIAN_OF_NORMAL: Final = 0.6745


@dataclass(frozen=True, eq=False)
class Synchronisation:
    """The clocks of V views.

    Attributes:
      view_names: of the views.
      offsets_s: float64 `[V]`: what happens at t is in a view's frames at t + offset.
      deviation_s: float64 `[V]`, standard errors of the offsets; 0 where given.
      confidence: float64 `[V]`, chances that an offset is right to half a frame.
      fps: the highest rate of the views, in whose frames `lines` speaks; NaN of single
        frames.
      method: "motion" or "given".
    """

    view_names: tuple[str, ...]
    offsets_s: np.ndarray
    deviation_s: np.ndarray
    confidence: np.ndarray
    fps: float
    method: str

    @property
    def lines(self) -> tuple[str, ...]:
        """What was found, a line for each view."""
        return tuple(
            f"{name}: {offset * self.fps:+.2f} ± {deviation * self.fps:.2f} frames "
            f"({offset:+.4f} s) by {self.method}, within half a frame with "
            f"{100 * confidence:.0f} %"
            for name, offset, deviation, confidence in zip(
                self.view_names,
                self.offsets_s.tolist(),
                self.deviation_s.tolist(),
                self.confidence.tolist(),
                strict=True,
            )
        )


def given(
    views: Sequence[View],
    *,
    seconds: Mapping[str, float] | None = None,
    frames: Mapping[str, float] | None = None,
) -> Synchronisation:
    """Offsets that are known.

    Args:
      views: one or more.
      seconds: offsets by the views' names; those left out are 0.
      frames: the same in frames of each view itself, if not in seconds.

    Raises:
      InputError: if both are given, a name is no view's, or an offset not finite.
    """
    check_views(views)
    if seconds and frames:
        raise InputError("offsets", "must be in seconds or in frames, not both")
    chosen = {**(seconds or {}), **(frames or {})}
    names = tuple(view.name for view in views)
    check_offsets(names, chosen)
    rates = [view.fps if frames else 1.0 for view in views]
    offsets = np.array(
        [chosen.get(n, 0.0) / r for n, r in zip(names, rates, strict=True)]
    )
    exact = np.zeros(len(views))
    fps = max((view.fps for view in views if len(view) > 1), default=float("nan"))
    return Synchronisation(names, offsets, exact, exact + 1, fps, "given")


def check_offsets(names: Sequence[str], offsets: Mapping[str, float]) -> None:
    """Refuses offsets, by the names of views, that are of others, or no numbers.

    Raises:
      InputError: if a name is no view's, or an offset not finite.
    """
    if unknown := [name for name in offsets if name not in names]:
        raise InputError(
            "offsets", f"must be of {', '.join(names)}", ", ".join(unknown)
        )
    if not np.isfinite([*offsets.values()]).all():
        raise InputError("offsets", "must be finite", dict(offsets))


def by_motion(
    views: Sequence[View], cameras: Sequence[Camera], most_s: float = MOST_S
) -> Synchronisation:
    """Offsets at which moving joints agree with the calibration; the first view's is 0.

    Several people may be seen. Clocks that run at other speeds are not told apart.

    Args:
      views: two or more.
      cameras: those of the views, by name.
      most_s: offsets are looked for up to so much either way, of clocks that begin with
        the first frames.

    Raises:
      InputError: if there is one view, a view has no camera or shows nobody, or the
        motion does not say what the offset is.
    """
    check_views(views)
    if len(views) < 2:
        raise InputError("views", "must be two or more, to be synchronised", len(views))
    if not (np.isfinite(most_s) and most_s > 0):
        raise InputError("most_s", "must be positive", most_s)
    rig = _matched(views, cameras)
    fps = max(view.fps for view in views)
    even = [Even.of(view, camera, fps) for view, camera in zip(views, rig, strict=True)]
    pairs = list(itertools.combinations(range(len(views)), 2))
    flip = views[0].skeleton.flip_order
    most = max(int(np.ceil(most_s * fps)), 2)
    curves = [curve(even[a], even[b], (rig[a], rig[b]), flip, most) for a, b in pairs]
    start = _start(views, pairs, curves, fps)
    steps, deviation = _solved(pairs, curves, start)
    if np.any(worst := deviation > _LEAST_FRAMES):
        _refuse([v for v, bad in zip(views, worst, strict=True) if bad])
    shift = np.array([each.start_s for each in even])
    within = erf(_HALF / np.maximum(deviation, 1e-12) / np.sqrt(2))
    return Synchronisation(
        tuple(view.name for view in views),
        steps / fps + shift - shift[0],
        deviation / fps,
        within,
        fps,
        "motion",
    )


def _matched(views: Sequence[View], cameras: Sequence[Camera]) -> list[Camera]:
    by_name = {camera.name: camera for camera in cameras}
    if missing := [view.name for view in views if view.name not in by_name]:
        raise InputError(
            f"cameras: no camera is named {', '.join(missing)}, and motion is compared "
            f"by calibrated cameras; cameras: {', '.join(by_name) or 'none'}"
        )
    if nobody := [view.name for view in views if not view.seen.any()]:
        raise InputError(f"view {nobody[0]}", "must show somebody; nothing is found")
    return [by_name[view.name] for view in views]


def _start(
    views: Sequence[View],
    pairs: Sequence[tuple[int, int]],
    curves: Sequence[Curve],
    fps: float,
) -> np.ndarray:
    """Offsets `[V]`, steps, by the pairs that say most, the first view's 0."""
    count = len(views)
    best, cost = np.zeros((count, count)), np.zeros((count, count))
    for (a, b), each in zip(pairs, curves, strict=True):
        lag, sure = _best(each, _NEAR_S * fps)
        best[a, b], best[b, a] = lag, -lag
        cost[a, b] = 1 / sure if sure > _SURE else 0.0
    tree = minimum_spanning_tree(cost).toarray()
    linked = (tree > 0) | (tree.T > 0)
    offsets = np.full(count, np.nan)
    offsets[0], todo = 0.0, [0]
    while todo:
        a = todo.pop()
        for b in np.flatnonzero(linked[a] & np.isnan(offsets)).tolist():
            offsets[b] = offsets[a] + best[a, b]
            todo.append(b)
    if np.isnan(offsets).any():
        _refuse([v for v, lost in zip(views, np.isnan(offsets), strict=True) if lost])
    return offsets


def _refuse(views: Sequence[View]) -> None:
    raise InputError(
        "the motion does not say when "
        f"{', '.join(view.name for view in views)} recorded: people must move, seen by "
        "two cameras at once, and not in one rhythm alone; give the offsets"
    )


def _best(each: Curve, near: float) -> tuple[float, float]:
    """The best lag, and by how many standard errors the next minimum is worse."""
    mean = each.mean()
    place = int(mean.argmin())
    if place in (0, len(mean) - 1) or not mean.any():
        return float(each.lags[place]), 0.0
    # Where the course goes up from the best lag it is still the same minimum.
    low = (mean <= np.roll(mean, 1)) & (mean <= np.roll(mean, -1))
    low[[0, -1]] = True
    low &= np.abs(each.lags - each.lags[place]) > near
    rival = np.flatnonzero(low)[mean[low].argmin()] if low.any() else 0
    used = np.minimum(each.weight[:, rival], each.weight[:, place]) > 0
    if used.sum() < 2:
        return float(each.lags[place]), 0.0
    loss = each.loss[used][:, [rival, place]] / each.weight[used][:, [rival, place]]
    worse = loss[:, 0] - loss[:, 1]
    error = worse.std(ddof=1) / np.sqrt(len(worse))
    return float(each.lags[place]), float(worse.mean() / max(error, 1e-12))


def _solved(
    pairs: Sequence[tuple[int, int]], curves: Sequence[Curve], start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and standard errors `[V]`, steps, of all pairs at once."""
    found = _minimum(pairs, curves, start, None)
    without = np.stack([_minimum(pairs, curves, found, b) for b in range(BLOCKS)])
    spread = np.square(without - without.mean(axis=0)).sum(axis=0)
    variance = spread * (BLOCKS - 1) / BLOCKS + _misfit(pairs, curves, found)
    return found, np.sqrt(variance)


def _misfit(
    pairs: Sequence[tuple[int, int]], curves: Sequence[Curve], offsets: np.ndarray
) -> np.ndarray:
    """Variances `[V]` of offsets by how far the pairs, each alone, are from them."""
    count = len(offsets)
    more = len(pairs) - (count - 1)
    if not more:
        return np.zeros(count)
    matrix = np.zeros((len(pairs), count))
    matrix[np.arange(len(pairs)), [a for a, _ in pairs]] = -1
    matrix[np.arange(len(pairs)), [b for _, b in pairs]] = 1
    shifts = matrix @ offsets
    off = [
        _minimum([(0, 1)], [each], np.array([0.0, shift]), None)[1] - shift
        for each, shift in zip(curves, shifts, strict=True)
    ]
    # A pair that found another minimum is known for it by its own; the median is not.
    scale = np.square(np.median(np.abs(off)) / _MEDIAN_OF_NORMAL) * len(pairs) / more
    inverse = np.linalg.inv(matrix[:, 1:].T @ matrix[:, 1:])
    return np.append(0.0, scale * np.diag(inverse))


def _minimum(
    pairs: Sequence[tuple[int, int]],
    curves: Sequence[Curve],
    start: np.ndarray,
    left_out: int | None,
) -> np.ndarray:
    weight = np.array([each.weight.sum(axis=0).max() for each in curves])
    splines = [CubicSpline(each.lags, each.mean(left_out)) for each in curves]
    ends = np.array([each.lags[[0, -1]] for each in curves]).T
    first, second = np.array(pairs).T

    def loss(others: np.ndarray) -> tuple[float, np.ndarray]:
        offsets = np.append(0.0, others)
        lag = np.clip(offsets[second] - offsets[first], *ends)
        value = sum(w * f(at) for w, f, at in zip(weight, splines, lag, strict=True))
        slope = np.array(
            [w * f(at, 1) for w, f, at in zip(weight, splines, lag, strict=True)]
        )
        gradient = np.zeros(len(offsets))
        np.add.at(gradient, second, slope)
        np.add.at(gradient, first, -slope)
        return float(value) / weight.sum(), gradient[1:] / weight.sum()

    result = minimize(loss, start[1:], jac=True, method="L-BFGS-B", tol=1e-12)
    return np.append(0.0, result.x)
