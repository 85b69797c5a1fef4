"""Results and the recording that they are of, matched by names and numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from human_pose.exchange.poses import Poses
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.geometry.skeleton import Skeleton, convert


def matched(poses: Poses, recording: Recording) -> Recording:
    """The recording with its views in the results' order, if it belongs to them.

    Raises:
      InputError: naming what differs.
    """
    if not recording.cameras:
        raise InputError(f"{recording.source}: must have cameras")
    if not len(poses):
        raise InputError(f"{poses.source}: must have frames")
    recording = recording.of_views(poses.view_names)
    for what, one, other in (
        ("people", (1,), recording.joints_2d_px.shape[2:3]),
        ("frames", poses.frames.tolist(), recording.frames.tolist()),
        ("takes", poses.sequence.tolist(), recording.sequence.tolist()),
    ):
        if list(one) != list(other):
            raise InputError(
                f"{recording.source}: must have the {what} of {poses.source}; "
                f"{_brief(other)} there, {_brief(one)} here"
            )
    in_skeleton(recording, poses.skeleton)
    return recording


def in_skeleton(recording: Recording, skeleton: Skeleton) -> Recording:
    """The recording with the joints of another skeleton, matched by name.

    Raises:
      InputError: if none is in both.
    """
    source = recording.skeleton
    try:
        joints = convert(recording.joints_2d_px, source, skeleton, fill=np.nan)
        sure = convert(recording.confidence[..., None], source, skeleton, fill=0.0)
        covariance = recording.covariance_px2
        if covariance is not None:
            flat = covariance.reshape(*covariance.shape[:-2], -1)
            spread = convert(flat, source, skeleton, fill=np.nan)
            covariance = spread.reshape(*joints.shape, 2)
    except ValueError as error:
        raise InputError(
            f"{recording.source}: must have a joint of {', '.join(skeleton.names)}",
            None,
            ", ".join(source.names),
        ) from error
    return recording.replace(
        joints_2d_px=joints,
        confidence=sure[..., 0],
        skeleton=skeleton,
        covariance_px2=covariance,
    )


def _brief(values: Sequence[Any]) -> str:
    if len(values) > 3:
        return f"{len(values)} from {values[0]} to {values[-1]}"
    return ", ".join(map(str, values)) or "none"
