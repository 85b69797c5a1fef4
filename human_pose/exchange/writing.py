"""What the writers of detections have in common."""

from typing import Final

import numpy as np

from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError
from human_pose.geometry import known_skeletons
from human_pose.geometry.skeleton import convert

_DIGITS: Final = 4  # of numbers in text

# Those that a reader knows by the number of joints alone, the smallest first.
_BY_COUNT: Final = (
    known_skeletons.COCO_17,
    known_skeletons.COCO_18,
    known_skeletons.BODY_25,
    known_skeletons.HALPE_26,
    known_skeletons.BLAZEPOSE_33,
)


def in_detectors_order(recording: Recording) -> Recording:
    """The recording in the joints of the smallest skeleton of detectors that has all.

    Joints that only this skeleton has are not found anywhere.

    Raises:
      InputError: if there is none; the message names joints that keep it from being.
    """
    names = set(recording.skeleton.names)
    for skeleton in _BY_COUNT:
        if names <= set(skeleton.names):
            old = recording.skeleton
            return recording.replace(
                joints_2d_px=convert(recording.joints_2d_px, old, skeleton),
                confidence=convert(
                    recording.confidence[..., None], old, skeleton, fill=0.0
                )[..., 0],
                covariance_px2=None,
                skeleton=skeleton,
            )
    best = max(_BY_COUNT, key=lambda skeleton: len(names & set(skeleton.names)))
    raise InputError(
        f"{recording.source}: this format knows joints by their number alone; no "
        f"detector has {', '.join(sorted(names - set(best.names)))} beside the others"
    )


def check_file_names(recording: Recording) -> None:
    """Refuses what cannot be files of views and frames.

    Raises:
      InputError: if a view's name is no name of a file, frames have one number, or
        one below 0, whose sign would be lost.
    """
    for name in recording.view_names:
        # A point at the beginning hides a file from readers, these here too.
        if not name or name.startswith(".") or set(name) & set("/\\\0"):
            raise InputError(
                f"{recording.source}: views must have names that files can have; "
                f"received {name!r}"
            )
    if recording.frames.min(initial=0) < 0:
        raise InputError(
            f"{recording.source}: this format numbers frames from 0 on; received "
            f"{recording.frames.min()}"
        )
    if len(np.unique(recording.frames)) < len(recording):
        raise InputError(
            f"{recording.source}: this format tells frames by their numbers; those of "
            f"{len(np.unique(recording.sequence))} sequences repeat"
        )


def people_values(recording: Recording) -> np.ndarray:
    """x, y and confidence, 0 where a joint was not found: `[F, V, P, J, 3]`.

    All have four digits after the point: a ten-thousandth of a pixel.
    """
    joints = np.nan_to_num(recording.joints_2d_px)
    values = np.concatenate([joints, recording.confidence[..., None]], axis=-1)
    rounded = values.round(_DIGITS)
    # A confidence of 0 would be a joint that was not found.
    least = np.where(recording.seen, 10.0**-_DIGITS, 0.0)
    rounded[..., 2] = np.maximum(rounded[..., 2], least)
    return rounded
