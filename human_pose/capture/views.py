"""What one camera saw, at times of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.geometry.skeleton import Skeleton
from human_pose.media.rates import GAP, rate_of

# Time stamps are rounded to milliseconds, say: what a step may be off, as a share.
_ROUNDED: Final = 0.05


@dataclass(frozen=True, eq=False)
class View:
    """Detections in the frames of one camera.

    Attributes:
      name: by which cameras are matched.
      joints_2d_px: float64 `[F, P, J, 2]`, as the lens shows them; NaN where a joint
        was not found. `[F, J, 2]` is taken for one person. The P places have no order.
      confidence: float64 `[F, P, J]`, or `[F, J]`, from 0 to 1; 0 where not found.
      times_s: float64 `[F]`, of the camera's own clock, ascending; of any rate.
      skeleton: of the J joints.
      tracks: int64 `[F, P]`, the detector's numbers of the people, -1 for none; or
        None.
      covariance_px2: float64 `[F, P, J, 2, 2]`, of the detections' errors as the
        detector knows them, NaN where it does not; or None.
      first: the number of the first frame, as of a range of a video's.

    Raises:
      InputError: if a shape or a time is not as it must be.
    """

    name: str
    joints_2d_px: np.ndarray
    confidence: np.ndarray
    times_s: np.ndarray
    skeleton: Skeleton
    tracks: np.ndarray | None = None
    covariance_px2: np.ndarray | None = None
    first: int = 0

    def __post_init__(self) -> None:
        joints = np.asarray(self.joints_2d_px, np.float64)
        confidence = np.asarray(self.confidence, np.float64)
        if joints.ndim == 3 and confidence.ndim == 2:
            joints, confidence = joints[:, None], confidence[:, None]
        if joints.ndim != 4 or joints.shape[2:] != (len(self.skeleton), 2):
            raise InputError(
                f"view {self.name}: joints_2d_px",
                f"must have shape [F, P, {len(self.skeleton)}, 2]",
                list(joints.shape),
            )
        times = np.asarray(self.times_s, np.float64)
        tracks = None if self.tracks is None else np.asarray(self.tracks, np.int64)
        covariance = self.covariance_px2
        if covariance is not None:
            covariance = np.asarray(covariance, np.float64)
        for name, array, shape in (
            ("confidence", confidence, joints.shape[:3]),
            ("times_s", times, joints.shape[:1]),
            ("tracks", tracks, joints.shape[:2]),
            ("covariance_px2", covariance, (*joints.shape, 2)),
        ):
            if array is not None and array.shape != shape:
                raise InputError(
                    f"view {self.name}: {name}",
                    f"must have shape {list(shape)}",
                    list(array.shape),
                )
        if not np.isfinite(times).all() or np.any(np.diff(times) <= 0):
            raise InputError(f"view {self.name}: times_s", "must be finite and ascend")
        seen = np.isfinite(joints).all(axis=-1) & (confidence > 0)
        object.__setattr__(
            self, "joints_2d_px", np.where(seen[..., None], joints, np.nan)
        )
        object.__setattr__(self, "confidence", np.where(seen, confidence, 0.0))
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "tracks", tracks)
        object.__setattr__(self, "covariance_px2", covariance)

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def seen(self) -> np.ndarray:
        """Whether each joint was found, bool `[F, P, J]`."""
        return self.confidence > 0

    @property
    def fps(self) -> float:
        """Frames a second, missing ones counted; see `rate_of`.

        Raises:
          InputError: if there are not two frames.
        """
        rate = rate_of(self.times_s)
        if rate is None:
            raise InputError(
                f"view {self.name}", "must have two frames or more", len(self)
            )
        return rate

    @property
    def longest_step_s(self) -> float:
        """Between neighbouring frames; what is longer is a gap."""
        return (GAP + _ROUNDED) / self.fps


def views_of(recording: Recording) -> tuple[View, ...]:
    """The views of a recording, at its frames' times.

    Args:
      recording: of one take, with its rate.

    Raises:
      InputError: if the rate is not known, there are several takes, or frames are
        numbered in steps, as every fifth one: the rate is that of those that are there.
    """
    if recording.fps is None:
        raise InputError(f"{recording.source}: fps", "must be known, to have times")
    takes = len(np.unique(recording.sequence))
    if takes > 1:
        raise InputError(f"{recording.source}", "must be of one take", f"{takes} takes")
    if len(recording) > 1 and np.median(np.diff(recording.frames)) > 1:
        raise InputError(
            f"{recording.source}: frames",
            "must be numbered one by one, to have times",
            ", ".join(map(str, recording.frames[:3].tolist())),
        )
    tracks, covariance = recording.tracks, recording.covariance_px2
    return tuple(
        View(
            name,
            recording.joints_2d_px[:, v],
            recording.confidence[:, v],
            recording.frames / recording.fps,
            recording.skeleton,
            None if tracks is None else tracks[:, v],
            None if covariance is None else covariance[:, v],
            int(recording.frames[0]) if len(recording) else 0,
        )
        for v, name in enumerate(recording.view_names)
    )


def check_views(views: Sequence[View]) -> None:
    """Refuses views that cannot be put together.

    Raises:
      InputError: if there are none, two have one name, or skeletons differ.
    """
    if not views:
        raise InputError("views", "must be one or more", "none")
    names = [view.name for view in views]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError("views", "must have names of their own", ", ".join(twice))
    for view in views:
        if view.skeleton.names != views[0].skeleton.names:
            raise InputError(
                f"view {view.name}: skeleton", f"must be that of {views[0].name}"
            )


def with_places(array: np.ndarray, places: int, fill: float) -> np.ndarray:
    """`[F, P, ...]` with as many places for people as others have."""
    missing = [(0, 0)] * array.ndim
    missing[1] = (0, places - array.shape[1])
    return np.pad(array, missing, constant_values=fill)
