"""How badly two views agree when one of them is shifted in time.

For each lag the joints of one view are set beside those that the other showed so much
later, and the loss log(1 + d² / s²) of their epipolar distances d is averaged. Of each
body the better one of both ways round counts, and the best of the other view's people.
A joint's median distance is taken off first: it is the calibration's or the detector's,
and not the clock's. s is a share of the body's size, as detectors' errors are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.capture.epipolar import fundamental, sampson_px
from human_pose.capture.interpolation import body_sizes_px, sampled
from human_pose.capture.views import View
from human_pose.geometry.cameras import Camera

# Of the body's size: about what detectors are wrong by.
_SCALE: Final = 0.02
_LEAST_PX: Final = 1.0
_LEAST_JOINTS: Final = 3
_FRAMES: Final = 300
# Parts of the time, to see how much chance there is.
BLOCKS: Final = 10
# Of the most that any lag has in common: less says too little, and medians fit it.
_LEAST_COMMON: Final = 0.5


@dataclass(frozen=True, eq=False)
class Even:
    """A view's detections at even steps of its own clock, without the lens.

    Attributes:
      points_px: `[F, P, J, 2]`, pinhole pixels; NaN where not seen.
      confidence: `[F, P, J]`.
      start_s: time of the first step.
      size_px: median size of the bodies.
    """

    points_px: np.ndarray
    confidence: np.ndarray
    start_s: float
    size_px: float

    @classmethod
    def of(cls, view: View, camera: Camera, fps: float) -> "Even":
        """A view sampled at a rate."""
        start, end = view.times_s[0], view.times_s[-1]
        times = start + np.arange(int((end - start) * fps + 1e-6) + 1) / fps
        found = sampled(view, times)
        points, shown = camera.undistort_where(found.joints_2d_px)
        sizes = body_sizes_px(points)
        sizes = sizes[sizes > 0]
        return cls(
            points,
            np.where(shown, found.confidence, 0.0),
            float(start),
            float(np.median(sizes)) if sizes.size else 0.0,
        )

    def moving(self, most: int = _FRAMES) -> np.ndarray:
        """Numbers of at most so many frames, evenly of those that move more."""
        rows = np.flatnonzero((self.confidence > 0).any(axis=(1, 2)))
        if len(rows) <= most:
            return rows
        step = np.diff(self.points_px[rows], axis=0, prepend=np.nan)
        speed = np.linalg.norm(step, axis=-1)
        some = np.isfinite(speed).any(axis=(1, 2))
        speed = np.nanmedian(np.where(some[:, None, None], speed, 0.0), axis=(1, 2))
        rows = rows[speed >= np.median(speed)]
        # These may be fewer than asked for, and none counts twice.
        chosen = np.linspace(0, len(rows) - 1, min(most, len(rows)))
        return rows[chosen.round().astype(int)]


@dataclass(frozen=True, eq=False)
class Curve:
    """The loss of a pair of views over the lags.

    Attributes:
      lags: int64 `[L]`, steps by which the second view's is later.
      loss: float64 `[B, L]`, sums over the blocks of time.
      weight: float64 `[B, L]`, how much was compared.
    """

    lags: np.ndarray
    loss: np.ndarray
    weight: np.ndarray

    def mean(self, left_out: int | None = None) -> np.ndarray:
        """The mean loss `[L]`, without a block; the worst where little is common."""
        kept = np.ones(len(self.loss), bool)
        if left_out is not None:
            kept[left_out] = False
        weight = self.weight[kept].sum(axis=0)
        enough = weight >= max(_LEAST_COMMON * weight.max(initial=0.0), 1e-9)
        if not enough.any():
            return np.zeros(len(self.lags))
        mean = self.loss[kept].sum(axis=0) / np.where(enough, weight, 1.0)
        return np.where(enough, mean, mean[enough].max())


def curve(
    first: Even,
    second: Even,
    cameras: Sequence[Camera],
    flip_order: Sequence[int],
    most: int,
) -> Curve:
    """The loss for each lag up to `most` steps either way.

    Args:
      first: one view.
      second: the other one, of the same rate.
      cameras: their two.
      flip_order: of the joints, left and right exchanged.
      most: steps.
    """
    matrix = fundamental(*cameras)
    scale = max(_SCALE * (first.size_px + second.size_px) / 2, _LEAST_PX)
    low, high = -len(first.points_px) + 1, len(second.points_px) - 1
    rows, lags = first.moving(), np.arange(max(-most, low), min(most, high) + 1)
    block = np.arange(len(rows)) * BLOCKS // max(len(rows), 1)
    loss = np.zeros((BLOCKS, len(lags)))
    weight = np.zeros_like(loss)
    flip = list(flip_order)
    for i, lag in enumerate(lags):
        there = (rows + lag >= 0) & (rows + lag < len(second.points_px))
        here = rows[there]
        if not len(here):
            continue
        off, share = _compared(first, second, here, here + lag, matrix, scale, flip)
        value = np.log1p(np.square(off / scale))
        part = block[there]
        np.add.at(loss[:, i], part, np.where(share > 0, value * share, 0.0).sum((1, 2)))
        np.add.at(weight[:, i], part, share.sum(axis=(1, 2)))
    return Curve(lags, loss, weight)


def _compared(
    first: Even,
    second: Even,
    rows: np.ndarray,
    others: np.ndarray,
    matrix: np.ndarray,
    scale: float,
    flip: list[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and weights `[n, P, J]` of the first view's people, px."""
    points, sure = second.points_px[others], second.confidence[others]
    ways = np.stack([points, points[:, :, flip]], 2)  # [n, Q, 2, J, 2]
    ways = ways.reshape(len(rows), -1, *points.shape[2:])
    sure = np.stack([sure, sure[:, :, flip]], 2).reshape(ways.shape[:-1])
    off = sampson_px(first.points_px[rows][:, :, None], ways[:, None], matrix)
    share = np.sqrt(first.confidence[rows][:, :, None] * sure[:, None])
    share = np.where(np.isfinite(off), share, 0.0)  # [n, P, 2 Q, J]
    value = np.where(share > 0, np.log1p(np.square(off / scale)), 0.0) * share
    total = share.sum(axis=-1)
    enough = (share > 0).sum(axis=-1) >= _LEAST_JOINTS
    mean = np.where(enough, value.sum(axis=-1) / np.where(enough, total, 1.0), np.inf)
    best = mean.argmin(axis=2)[..., None, None]
    off, share = (np.take_along_axis(a, best, axis=2)[:, :, 0] for a in (off, share))
    share = np.where(np.isfinite(mean.min(axis=2))[..., None], share, 0.0)
    known = np.where(share > 0, off, np.nan)
    some = np.isfinite(known).any(axis=(0, 1))
    usual = np.nanmedian(np.where(some, known, 0.0), axis=(0, 1))
    return np.where(share > 0, off - usual, 0.0), share
