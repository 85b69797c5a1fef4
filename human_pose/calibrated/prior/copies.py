"""Takes that a fit has already: one motion in several formats, or a copied file.

A take that counts twice weighs twice, and held out beside its copy it is foretold as
well as what was fitted. Positions that formats round are the same motion; BVH, which
keeps each bone's length, moves joints by millimetres.
"""

from typing import Final, NamedTuple

import numpy as np

from human_pose.calibrated.prior.storage import Rows

# Mean distance of joints: at most so far, and at most that share of how far they move,
# which tells apart two takes of one who stands still.
_FARTHEST_MM: Final = 5.0
_OF_MOTION: Final = 0.1
# Text of formats, and float32 on disk.
_ROUNDED_MM: Final = 1e-2
# Frames at once.
_PART: Final = 8192


class _Known(NamedTuple):
    source: str
    mean_mm: np.ndarray
    places: range


class Copies:
    """The takes of a fit, by which their copies are known.

    Args:
      rows: where their poses are, as they were added.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[int, list[_Known]] = {}

    def add(self, source: str, poses_mm: np.ndarray, places: range) -> None:
        """Remembers a take.

        Args:
          source: of the take.
          poses_mm: `[n, K, 3]`.
          places: of its rows.
        """
        known = _Known(source, _mean(poses_mm), places)
        self._known.setdefault(len(poses_mm), []).append(known)

    def source_of(self, poses_mm: np.ndarray) -> str | None:
        """Whose take has these poses `[n, K, 3]`; None if no one's."""
        mean = _mean(poses_mm)
        motion = _distance(poses_mm - mean)
        most = min(_FARTHEST_MM, _OF_MOTION * motion) + _ROUNDED_MM
        for known in self._known.get(len(poses_mm), ()):
            # Means differ by no more than poses do.
            if _distance(mean - known.mean_mm) > most:
                continue
            if self._apart(poses_mm, known.places) <= most:
                return known.source
        return None

    def _apart(self, poses_mm: np.ndarray, places: range) -> float:
        """Mean distance from poses on disk; infinite if these miss other joints."""
        total = 0.0
        for first in range(0, len(poses_mm), _PART):
            part = poses_mm[first : first + _PART]
            rows = self._rows.read(places[first : first + _PART])
            off = part - rows.reshape(part.shape)
            if not np.array_equal(np.isnan(part), np.isnan(off)):
                return np.inf
            total += len(part) * _distance(off)
        return total / len(poses_mm)


def _mean(poses_mm: np.ndarray) -> np.ndarray:
    """The mean pose `[K, 3]`, 0 of joints that are never there."""
    there = np.isfinite(poses_mm)
    count = np.maximum(there.sum(axis=0), 1)
    return np.asarray(np.where(there, poses_mm, 0.0).sum(axis=0) / count)


def _distance(off_mm: np.ndarray) -> float:
    """Mean length of vectors `[..., 3]`; those that are missing do not count."""
    sizes = np.linalg.norm(off_mm, axis=-1)
    there = np.isfinite(sizes)
    return float(sizes[there].sum() / max(there.sum(), 1))
