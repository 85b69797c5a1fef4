"""Cameras moved to where the motion says that they stand.

Cameras and joints are fitted to the detections at once (`bundle`), beside what is
known of the calibration: turns and shifts are as large as `Doubt` says. Detectors err
alike in frame after frame, so all images of a view count no more than one of each part
of a body. The world stays (`gauge`). What is gained is measured on frames that were not
fitted, the halves in turn, and beside it what constant shifts of each view's picture
gain there: if they gain as much, a detector that puts joints beside their places, a
principal point or a turned camera would explain it as well, and nothing speaks for
moved cameras.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from human_pose.calibrated.baselines.irls import irls
from human_pose.calibrated.baselines.views import pinhole_views
from human_pose.capture.bundle import (
    CENTRE,
    FOCAL,
    POSE,
    Images,
    Prior,
    Rig,
    adjusted,
    residuals_px,
)
from human_pose.capture.gauge import moves, world_kept
from human_pose.capture.left_out import Detected, common_share, left_out_px
from human_pose.capture.whole_bodies import exchanged
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera

# Of a body whose joints a detector misses by themselves: trunk, arms and legs.
_PARTS: Final = 5
_MOST_FRAMES: Final = 200
_LEAST_FRAMES: Final = 20
# Joints of somebody who moves are in places that are that far from each other.
_LEAST_MOTION_MM: Final = 100.0
# Deviation of a normal variable by the median of its length in two dimensions.
_TO_DEVIATION: Final = 1 / 1.1774
_SHARPEST_PX: Final = 1e-3
_ROUNDS: Final = 4
_FIRST_SCALE_PX: Final = 10.0
# Less is no gain; and that much of it is as good as all.
_GAIN: Final = 0.95
_AS_GOOD: Final = 0.9


@dataclass(frozen=True)
class Doubt:
    """How exact a calibration is: standard deviations.

    Attributes:
      turn_deg: of a camera about each axis.
      shift_mm: of its place, along each axis.
      centre_px: of the principal point, where it is refined.
      focal: of the focal length, as a share, where it is refined.
    """

    turn_deg: float = 0.5
    shift_mm: float = 20.0
    centre_px: float = 20.0
    focal: float = 0.01

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value > 0):
                raise InputError(name, "must be positive", value)


@dataclass(frozen=True, eq=False)
class Refined:
    """Cameras as the motion has them, and what that is worth.

    Errors are medians, px: of three views or more each view's detections beside joints
    from the others; of two, of the joints' images.

    Attributes:
      cameras: those of the recording, in its order.
      moved_mm: float64 `[V]`, how far each one moved, in the same world.
      turned_deg: float64 `[V]`, how much each one turned.
      residual_before_px: over all frames, with the cameras as they were.
      residual_after_px: with those refined by the same frames.
      held_out_before_px: mean over both halves of the frames.
      held_out_after_px: with cameras refined by the other half.
      held_out_shifted_px: with pictures shifted instead, as the other half says.
      common_share: of the lasting errors of views and joints, what all joints of a view
        share, from 0 to 1: near 0 it is the detector that misplaces joints.
      exchanged: float64 `[V]`, the share of each view's frames that show the body with
        left and right exchanged; they do not count.
      cause: "nothing" if frames held out gain nothing, "shift" if shifts do as well,
        else "pose".
    """

    cameras: tuple[Camera, ...]
    moved_mm: np.ndarray
    turned_deg: np.ndarray
    residual_before_px: float
    residual_after_px: float
    held_out_before_px: float
    held_out_after_px: float
    held_out_shifted_px: float
    common_share: float
    exchanged: np.ndarray
    cause: str

    @property
    def lines(self) -> tuple[str, ...]:
        """What was found, for people."""
        moved = [
            f"{camera.name}: moved by {mm:.1f} mm, turned by {deg:.2f} degrees"
            for camera, mm, deg in zip(
                self.cameras, self.moved_mm, self.turned_deg, strict=True
            )
        ]
        return (
            *moved,
            f"error {self.residual_before_px:.1f} -> {self.residual_after_px:.1f} px; "
            f"on frames not fitted {self.held_out_before_px:.1f} -> "
            f"{self.held_out_after_px:.1f} px, by shifted pictures alone "
            f"{self.held_out_shifted_px:.1f} px",
            _MEANINGS[self.cause],
        )


_MEANINGS: Final = {
    "nothing": "frames that were not fitted gain nothing: keep the calibration",
    "shift": "shifts of each view's picture gain as much: the detector's bias, "
    "principal points or turned cameras; nothing says that cameras stand elsewhere",
    "pose": "shifts of each view's picture gain less: the cameras' poses differ from "
    "the calibration",
}


def refine_cameras(
    recordings: Recording | Sequence[Recording],
    *,
    doubt: Doubt | None = None,
    principal_points: bool = False,
    focal_lengths: bool = False,
) -> Refined:
    """Refines the cameras' poses by the motion seen, and measures what it gains.

    Args:
      recordings: of one person with cameras; or of several people, one each.
      doubt: how exact the calibration is; default: `Doubt()`.
      principal_points: whether they are refined, too.
      focal_lengths: whether they are.

    Raises:
      InputError: if there are no cameras, one view, several people in a recording, or
        too few frames, or nobody moves.
    """
    several = [recordings] if isinstance(recordings, Recording) else list(recordings)
    detected = _detected(several)
    free = POSE + CENTRE * principal_points + FOCAL * focal_lengths
    doubt = doubt or Doubt()
    cameras = several[0].cameras
    every = _fitted(detected, cameras, doubt, free)
    halves = np.array_split(np.arange(len(detected.confidence)), 2)
    errors = np.array(
        [
            [
                left_out_px(detected.of(other), each)
                for each in (
                    cameras,
                    _fitted(detected.of(half), cameras, doubt, free),
                    _fitted(detected.of(half), cameras, doubt, CENTRE),
                )
            ]
            for half, other in (halves, halves[::-1])
        ]
    )
    before, after, shifted = errors.mean(axis=0).tolist()
    return Refined(
        every,
        *moves(_rig(every), _rig(cameras)),
        left_out_px(detected, cameras),
        left_out_px(detected, every),
        before,
        after,
        shifted,
        common_share(detected, cameras),
        detected.exchanged.mean(axis=0),
        _cause(errors),
    )


def _cause(errors: np.ndarray) -> str:
    before, after, shifted = errors.mean(axis=0)
    if not np.all(errors[:, 1] < errors[:, 0]) or after > _GAIN * before:
        return "nothing"
    return "shift" if before - shifted >= _AS_GOOD * (before - after) else "pose"


def _detected(recordings: Sequence[Recording]) -> Detected:
    """The frames of all recordings, by time; at most so many, evenly."""
    if not recordings:
        raise InputError("recordings", "must be one or more", "none")
    first = recordings[0]
    for each in recordings:
        if len(each.cameras) < 2:
            raise InputError(
                f"{each.source}: cameras",
                "must be two or more, to be refined",
                len(each.cameras),
            )
        if each.joints_2d_px.shape[2] != 1:
            raise InputError(
                f"{each.source}: people",
                "must be told apart, one recording for each",
                f"{each.joints_2d_px.shape[2]} places",
            )
        if each.cameras != first.cameras or each.skeleton.names != first.skeleton.names:
            raise InputError(
                f"{each.source}", "must have the cameras and joints of all"
            )
    joints = np.concatenate([each.joints_2d_px[:, :, 0] for each in recordings])
    sure = np.concatenate([each.confidence[:, :, 0] for each in recordings])
    order = np.argsort(np.concatenate([e.frames for e in recordings]), kind="stable")
    shared = ((sure > 0).sum(axis=1) >= 2).any(axis=1)
    rows = order[shared[order]]
    if len(rows) < _LEAST_FRAMES:
        raise InputError(
            f"{first.source}: must show joints in two views at once in {_LEAST_FRAMES} "
            f"frames or more, to refine cameras; received {len(rows)}"
        )
    most = min(len(rows), _MOST_FRAMES)
    rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    views = pinhole_views(joints[rows], sure[rows], first.cameras)
    seen = np.where(views.weights[..., None] > 0, views.points_px, np.nan)
    other = exchanged(seen, first.cameras, first.skeleton.flip_order)
    return Detected(joints[rows], np.where(other[..., None], 0.0, sure[rows]), other)


def _fitted(
    detected: Detected,
    cameras: Sequence[Camera],
    doubt: Doubt,
    free: tuple[int, ...],
) -> tuple[Camera, ...]:
    """The cameras refined by some frames."""
    joints = irls(detected.joints_2d_px, detected.confidence, cameras)
    spread = np.nanpercentile(joints, 95, axis=0) - np.nanpercentile(joints, 5, axis=0)
    if not np.linalg.norm(spread, axis=-1).max() > _LEAST_MOTION_MM:
        raise InputError(
            "recording: to refine cameras somebody must move by more than "
            f"{_LEAST_MOTION_MM:.0f} mm in each half of the frames; nobody moves"
        )
    views = pinhole_views(detected.joints_2d_px, detected.confidence, cameras)
    points = joints.reshape(-1, 3)
    known = np.isfinite(points).all(axis=-1)
    images = Images(_by_point(views.points_px)[known], _by_point(views.weights)[known])
    share = _PARTS * len(cameras) / max(images.weights.sum(), _PARTS * len(cameras))
    prior = Prior(
        float(np.radians(doubt.turn_deg)),
        doubt.shift_mm,
        doubt.centre_px,
        doubt.focal,
        float(share),
    )
    before = _rig(cameras)
    rig, points, scale = before, points[known], _FIRST_SCALE_PX
    for _ in range(_ROUNDS):
        rig, points = adjusted(before, points, images, scale, prior, free, rig)
        off = np.linalg.norm(residuals_px(rig, points, images), axis=-1)
        off = off[(images.weights > 0) & np.isfinite(off)]
        scale = max(float(np.median(off)) * _TO_DEVIATION, _SHARPEST_PX)
    if set(free) & set(POSE):
        rig = world_kept(rig, before)
    return tuple(
        dataclasses.replace(
            camera,
            rotation=rig.rotation[v],
            translation_mm=rig.translation_mm[v],
            focal_px=rig.focal_px[v],
            centre_px=rig.centre_px[v],
        )
        for v, camera in enumerate(cameras)
    )


def _by_point(array: np.ndarray) -> np.ndarray:
    """`[F, V, J, ...]` as `[F J, V, ...]`."""
    array = np.swapaxes(array, 1, 2)
    return array.reshape(-1, *array.shape[2:])


def _rig(cameras: Sequence[Camera]) -> Rig:
    return Rig(
        np.stack([camera.rotation for camera in cameras]),
        np.stack([camera.translation_mm for camera in cameras]),
        np.stack([camera.focal_px for camera in cameras]),
        np.stack([camera.centre_px for camera in cameras]),
    )
