"""Detections of several people, made ready to be compared: undistorted, each once."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from human_pose.exchange.recording import Recording

# A person of fewer joints, or so small in the image, cannot be told from noise.
_LEAST_JOINTS: Final = 3
_LEAST_PX: Final = 8.0
# Two detections of one frame are of one person if their common joints are nearer to
# each other than that, in body sizes, on average, and if frames nearby show doubles,
# too: people who pass each other coincide for a moment.
_SAME: Final = 0.06
_NEARBY: Final = 5  # frames
_LEAST_SHARE: Final = 0.5
# Frames handled at once: bounds the memory.
CHUNK: Final = 512


class Times(NamedTuple):
    """When the F frames of a recording were.

    Attributes:
      moments: int64 `[F]`, in frames, those that lack among them; ascending.
      sequence: `[F]`, equal for the frames of a take.
      fps: frames a second.
    """

    moments: np.ndarray
    sequence: np.ndarray
    fps: float


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections in the recording's places.

    Attributes:
      points_px: float64 `[F, V, P, J, 2]`, of pinholes; 0 where not seen.
      seen: bool `[F, V, P, J]`; nothing of a detection that does not count.
      size_px: float64 `[F, V, P]`, the larger extent of each body; 0 for none.
      numbers: int64 `[F, V, P]`, the detector's tracks, -1 for none.
      flip_order: `[J]`, of each joint the one of the other side, or itself.
    """

    points_px: np.ndarray
    seen: np.ndarray
    size_px: np.ndarray
    numbers: np.ndarray
    flip_order: tuple[int, ...]

    @property
    def valid(self) -> np.ndarray:
        """Whether there is a detection that counts, bool `[F, V, P]`."""
        return np.asarray(self.seen.any(axis=-1))


def usable(recording: Recording) -> tuple[Detections, int]:
    """The detections that count, and how many were doubles of others.

    Args:
      recording: with cameras, unless it has a single view.

    Returns:
      The detections, without those of few joints, those too small, and all but the
      surest of several that show the same body; and the number of these.
    """
    points = np.array(recording.joints_2d_px)
    for view, camera in enumerate(recording.cameras):
        points[:, view] = camera.undistort_where(points[:, view])[0]
    seen = recording.seen & np.isfinite(points).all(axis=-1)
    size = _sizes(points, seen)
    counts = (seen.sum(axis=-1) >= _LEAST_JOINTS) & (size >= _LEAST_PX)
    points = np.where(seen[..., None], points, 0.0)
    double = _doubles(points, seen, np.where(counts, size, 0.0), recording.confidence)
    double &= _lasting(np.asarray(double.any(axis=2)))[..., None]
    counts &= ~double
    numbers = recording.tracks
    if numbers is None:
        numbers = np.full(size.shape, -1, np.int64)
    found = Detections(
        points,
        seen & counts[..., None],
        np.where(counts, size, 0.0),
        numbers,
        recording.skeleton.flip_order,
    )
    return found, int(double.sum())


def _sizes(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    low = np.where(seen[..., None], points, np.inf).min(axis=-2)
    high = np.where(seen[..., None], points, -np.inf).max(axis=-2)
    found = np.asarray(seen.any(axis=-1))[..., None]
    extent = np.where(found, high - low, 0.0)
    return np.asarray(extent.max(axis=-1))


def distances(
    points: np.ndarray, seen: np.ndarray, other: np.ndarray, other_seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean distances of common joints, in pixels, and the numbers of these joints.

    Args:
      points: `[..., J, 2]`, with `seen` `[..., J]`; both broadcast.
      seen: see there.
      other: like `points`.
      other_seen: like `seen`.
    """
    both = seen & other_seen
    count = both.sum(axis=-1)
    off = np.where(both, np.linalg.norm(points - other, axis=-1), 0.0)
    return off.sum(axis=-1) / np.maximum(count, 1), count


def _doubles(
    points: np.ndarray, seen: np.ndarray, size: np.ndarray, confidence: np.ndarray
) -> np.ndarray:
    """Detections whose body a surer one of the same frame and view shows, too."""
    places = size.shape[2]
    sure = np.where(size > 0, confidence.sum(axis=-1), -1.0)
    double = np.zeros(size.shape, bool)
    for a in range(places):
        for b in range(a + 1, places):
            off, count = distances(
                points[:, :, a], seen[:, :, a], points[:, :, b], seen[:, :, b]
            )
            large = np.minimum(size[:, :, a], size[:, :, b])
            same = (count >= _LEAST_JOINTS) & (off < _SAME * large)
            less = sure[:, :, a] < sure[:, :, b]
            double[:, :, a] |= same & less
            double[:, :, b] |= same & ~less
    return double


def _lasting(there: np.ndarray) -> np.ndarray:
    """Where `there`, bool `[F, V]`, holds in most of the frames nearby."""
    frames = np.arange(len(there))
    sums = np.pad(np.cumsum(there, axis=0), [(1, 0), (0, 0)])
    first = np.maximum(frames - _NEARBY, 0)
    end = np.minimum(frames + _NEARBY + 1, len(there))
    share = (sums[end] - sums[first]) / (end - first)[:, None]
    return np.asarray(share >= _LEAST_SHARE)
