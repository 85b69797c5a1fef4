"""What the formats meet in: 2D detections of several views, and 3D motion."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from absl import logging

from human_pose.files.errors import InputError
from human_pose.files.paths import composed
from human_pose.geometry.axes import UP_AXES, upright
from human_pose.geometry.cameras import Camera
from human_pose.geometry.skeleton import Skeleton

# Stands for what follows from the number of frames.
_DEFAULT: Final = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Recording:
    """Detections of one or several people in F frames of V views.

    Attributes:
      joints_2d_px: float64 `[F, V, P, J, 2]`, as the lens shows them; NaN where a joint
        was not found. The P places have no order: who stands at one of them may change
        from frame to frame and from view to view.
      confidence: float64 `[F, V, P, J]`, from 0 to 1; 0 where a joint was not found.
      skeleton: of the J joints.
      view_names: of the V views, each once; cameras are matched by them alone.
      fps: frames a second, or None if it is not known.
      frames: int64 `[F]`, the numbers that the source gives them, ascending within a
        sequence; default: from 0.
      sequence: int64 `[F]`, equal for the frames of one take; default: one take.
      take_names: what the source calls take 0, 1, ...; empty where it does not say.
      covariance_px2: float64 `[F, V, P, J, 2, 2]`, of the detections' errors as the
        detector knows them, NaN where it does not; or None if it never does.
      tracks: int64 `[F, V, P]`, the detector's own numbers of the people within a view,
        -1 for none; or None if it gives none.
      cameras: one for each view, in the views' order, or empty if they are not known.
      source: the file or folder, for messages.

    Raises:
      InputError: if a shape or a number is not as it must be.
    """

    joints_2d_px: np.ndarray
    confidence: np.ndarray
    skeleton: Skeleton
    view_names: tuple[str, ...]
    fps: float | None = None
    frames: np.ndarray = field(default_factory=lambda: _DEFAULT)
    sequence: np.ndarray = field(default_factory=lambda: _DEFAULT)
    take_names: tuple[str, ...] = ()
    tracks: np.ndarray | None = None
    covariance_px2: np.ndarray | None = None
    cameras: tuple[Camera, ...] = ()
    source: str = "recording"

    def __post_init__(self) -> None:
        joints = np.array(self.joints_2d_px, np.float64)
        views, count = len(self.view_names), len(self.skeleton)
        rest = (views, count, 2)
        if joints.ndim != 5 or (joints.shape[1], *joints.shape[3:]) != rest:
            raise InputError(
                f"{self.source}: joints_2d_px",
                f"must have shape [F, {views}, P, {count}, 2]",
                list(joints.shape),
            )
        confidence = np.array(self.confidence, np.float64)
        if confidence.shape != joints.shape[:-1]:
            raise InputError(
                f"{self.source}: confidence",
                f"must have shape {list(joints.shape[:-1])}",
                list(confidence.shape),
            )
        object.__setattr__(self, "view_names", tuple(map(composed, self.view_names)))
        _check_unique(self.source, "views", self.view_names)
        check_fps(self.source, self.fps)
        # What one of the two arrays says not to be there is not there.
        seen = np.isfinite(joints).all(axis=-1) & (confidence > 0)
        self._keep("joints_2d_px", np.where(seen[..., None], joints, np.nan))
        self._keep("confidence", np.where(seen, confidence, 0.0))
        if self.confidence.max(initial=0.0) > 1:
            raise InputError(
                f"{self.source}: confidence",
                "must be from 0 to 1",
                float(self.confidence.max()),
            )
        self._keep("frames", _numbers(self, "frames", np.arange(len(joints))))
        self._keep("sequence", _numbers(self, "sequence", np.zeros(len(joints))))
        _check_take_names(self)
        if self.tracks is not None:
            self._keep("tracks", integers(f"{self.source}: tracks", self.tracks))
            if self.tracks.shape != joints.shape[:3]:
                raise InputError(
                    f"{self.source}: tracks",
                    f"must have shape {list(joints.shape[:3])}",
                    list(self.tracks.shape),
                )
        if self.covariance_px2 is not None:
            self._keep("covariance_px2", np.array(self.covariance_px2, np.float64))
            if self.covariance_px2.shape != (*joints.shape, 2):
                raise InputError(
                    f"{self.source}: covariance_px2",
                    f"must have shape {[*joints.shape, 2]}",
                    list(self.covariance_px2.shape),
                )
        if self.cameras and tuple(c.name for c in self.cameras) != self.view_names:
            raise InputError(
                f"{self.source}: cameras",
                f"must be those of the views {', '.join(self.view_names)}, in order",
                ", ".join(camera.name for camera in self.cameras),
            )

    def __len__(self) -> int:
        return len(self.joints_2d_px)

    @property
    def seen(self) -> np.ndarray:
        """Whether each joint was found, bool `[F, V, P, J]`."""
        return self.confidence > 0

    def with_cameras(
        self, cameras: Sequence[Camera], source: str = "calibration"
    ) -> "Recording":
        """The recording with a camera for each view, found by its name.

        Cameras without a view are left out: a rig may hold more than were recorded.

        Args:
          cameras: in any order.
          source: where they come from, for messages.

        Raises:
          InputError: listing both sides, if a view has no camera or two have one name.
        """
        return self.replace(cameras=cameras_of(self.view_names, cameras, source))

    def replace(self, **changes: Any) -> "Recording":
        """The recording with some of its attributes changed."""
        return dataclasses.replace(self, **changes)

    def of_frames(self, chosen: Any) -> "Recording":
        """The recording of some frames.

        Args:
          chosen: a slice, numbers or a mask of the F frames.
        """
        return self.replace(
            joints_2d_px=self.joints_2d_px[chosen],
            confidence=self.confidence[chosen],
            frames=self.frames[chosen],
            sequence=self.sequence[chosen],
            **{
                name: None if values is None else values[chosen]
                for name, values in self._further.items()
            },
        )

    def of_views(self, names: Sequence[str]) -> "Recording":
        """The recording of some views, in the order of `names`.

        Raises:
          InputError: if there is no such view.
        """
        names = tuple(map(composed, names))
        unknown = [name for name in names if name not in self.view_names]
        if unknown or not names:
            raise InputError(
                "views", f"must be of {', '.join(self.view_names)}", list(names)
            )
        places = [self.view_names.index(name) for name in names]
        return self.replace(
            joints_2d_px=self.joints_2d_px[:, places],
            confidence=self.confidence[:, places],
            view_names=names,
            **{
                name: None if values is None else values[:, places]
                for name, values in self._further.items()
            },
            cameras=tuple(self.cameras[p] for p in places) if self.cameras else (),
        )

    @property
    def _further(self) -> dict[str, np.ndarray | None]:
        """What begins with `[F, V, P]`, and may not be known."""
        return {"tracks": self.tracks, "covariance_px2": self.covariance_px2}

    def _keep(self, name: str, array: np.ndarray) -> None:
        array.setflags(write=False)
        object.__setattr__(self, name, array)


@dataclass(frozen=True, eq=False)
class Motion:
    """3D joints over time.

    Attributes:
      joints_3d_mm: float64 `[F, J, 3]`, world, NaN where a joint is missing.
      skeleton: of the J joints.
      fps: frames a second, or None if it is not known.
      frames: int64 `[F]`, the source's numbers; default: from 0.
      sequence: int64 `[F]`, equal for the frames of one take; default: one take.
      take_names: what the source calls take 0, 1, ...; empty where it does not say.
      up: the world's axis that points upwards, of `UP_AXES`.
      source: the file, for messages.

    Raises:
      InputError: if a shape or a number is not as it must be.
    """

    joints_3d_mm: np.ndarray
    skeleton: Skeleton
    fps: float | None = None
    frames: np.ndarray = field(default_factory=lambda: _DEFAULT)
    sequence: np.ndarray = field(default_factory=lambda: _DEFAULT)
    take_names: tuple[str, ...] = ()
    up: str = "z"
    source: str = "motion"

    def __post_init__(self) -> None:
        joints = np.array(self.joints_3d_mm, np.float64)
        count = len(self.skeleton)
        if joints.ndim != 3 or joints.shape[1:] != (count, 3):
            raise InputError(
                f"{self.source}: joints_3d_mm",
                f"must have shape [F, {count}, 3]",
                list(joints.shape),
            )
        check_fps(self.source, self.fps)
        if self.up not in UP_AXES:
            rule = f"must be one of {', '.join(UP_AXES)}"
            raise InputError(f"{self.source}: up", rule, self.up)
        lost = ~np.isfinite(joints).all(axis=-1, keepdims=True)
        for name, array in (
            ("joints_3d_mm", np.where(lost, np.nan, joints)),
            ("frames", _numbers(self, "frames", np.arange(len(joints)))),
            ("sequence", _numbers(self, "sequence", np.zeros(len(joints)))),
        ):
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        _check_take_names(self)

    def __len__(self) -> int:
        return len(self.joints_3d_mm)

    @property
    def z_up(self) -> "Motion":
        """The same motion in a world whose z-axis points upwards."""
        joints = upright(self.joints_3d_mm, self.up)
        return dataclasses.replace(self, joints_3d_mm=joints, up="z")


def cameras_of(
    view_names: Sequence[str], cameras: Sequence[Camera], source: str
) -> tuple[Camera, ...]:
    """The cameras of views, by their names; tells of those that no view is of.

    Args:
      view_names: of the views.
      cameras: in any order, others among them.
      source: where they come from, for messages.

    Raises:
      InputError: listing both sides, if a view has no camera or two have one name.
    """
    _check_unique(source, "cameras", [camera.name for camera in cameras])
    by_name = {camera.name: camera for camera in cameras}
    view_names = [composed(name) for name in view_names]
    missing = [name for name in view_names if name not in by_name]
    if missing:
        raise InputError(
            f"{source}: no camera is named {', '.join(missing)}; "
            f"views: {', '.join(view_names)}; "
            f"cameras: {', '.join(by_name) or 'none'}"
        )
    if unused := [name for name in by_name if name not in view_names]:
        logging.warning(
            "%s: no view is named %s; views: %s",
            source, ", ".join(unused), ", ".join(view_names),
        )  # fmt: skip
    return tuple(by_name[name] for name in view_names)


def check_fps(source: str, fps: float | None) -> None:
    """Refuses a frame rate that is none.

    Raises:
      InputError: naming the source.
    """
    if fps is not None and not (np.isfinite(fps) and fps > 0):
        raise InputError(f"{source}: fps", "must be positive", fps)


def _numbers(of: "Recording | Motion", name: str, default: np.ndarray) -> np.ndarray:
    """A copy of whole numbers, one for each frame; the default where there is none."""
    values, where = getattr(of, name), f"{of.source}: {name}"
    given = values is not None and values is not _DEFAULT
    whole = integers(where, values if given else default)
    if whole.shape != default.shape:
        rule = f"must be one for each of {len(default)} frames"
        raise InputError(where, rule, list(whole.shape))
    return whole


def _check_take_names(of: "Recording | Motion") -> None:
    names, sequence = of.take_names, of.sequence
    _check_unique(of.source, "takes", names)
    if names and not ((sequence >= 0) & (sequence < len(names))).all():
        raise InputError(
            f"{of.source}: take_names",
            f"must be of the takes {sequence.min()} to {sequence.max()}, from 0",
            f"{len(names)} names",
        )


def integers(where: str, values: np.ndarray) -> np.ndarray:
    """Whole numbers of any type as int64.

    Args:
      where: what they are, for the error.
      values: any shape.

    Raises:
      InputError: if one is no whole number, as NaN is not, or a float that is too large
        to tell it from the next.
    """
    values = np.asarray(values)
    with np.errstate(invalid="ignore"):
        whole = values.astype(np.int64)
    wrong = whole != values
    if values.dtype.kind == "f":
        wrong |= ~(np.abs(values) < 2.0 ** (np.finfo(values.dtype).nmant + 1))
    if wrong.any():
        raise InputError(where, "must be whole numbers", values[wrong].flat[0].item())
    return whole


def _check_unique(source: str, what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{source}: {what} must have names of their own; twice: {', '.join(twice)}"
        )
