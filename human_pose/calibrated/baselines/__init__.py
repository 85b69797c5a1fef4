"""What others do with the same detections: the methods that ours stands beside.

Each function of a module takes `(joints_2d_px, confidence, cameras)`, and some the
skeleton or the frame rate besides. `BASELINES` has them as functions of a recording.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from human_pose.calibrated import gaps
from human_pose.calibrated.baselines.anipose import optimised
from human_pose.calibrated.baselines.filtering import filtered
from human_pose.calibrated.baselines.irls import irls
from human_pose.calibrated.baselines.linear import weighted_dlt
from human_pose.calibrated.baselines.pose2sim import camera_dropping
from human_pose.calibrated.baselines.ransac import ransac
from human_pose.exchange.recording import Recording
from human_pose.files.errors import InputError

# A method: a recording of one person with cameras -> `[F, J, 3]`, world mm.
Method = Callable[[Recording], np.ndarray]


def of_takes(method: Method) -> Method:
    """A method that is given each take of a recording by itself.

    Raises:
      InputError: when called with a recording without cameras, or of several people.
    """

    def of_all(recording: Recording) -> np.ndarray:
        if not recording.cameras:
            raise InputError(f"{recording.source}: must have cameras")
        if recording.joints_2d_px.shape[2] != 1:
            raise InputError(
                f"{recording.source}: must be of one person",
                None,
                recording.joints_2d_px.shape[2],
            )
        count = len(recording.skeleton)
        result = np.full((len(recording), count, 3), np.nan)
        # Beyond a long gap nothing goes on, for us and for filters.
        takes = gaps.stretches(recording.frames, recording.sequence, recording.fps)
        for take in np.unique(takes):
            chosen = takes == take
            result[chosen] = method(recording.of_frames(chosen))
        return result

    return of_all


def smoothed(method: Method) -> Method:
    """A method followed by the filters, where the frame rate is known."""

    def of_take(recording: Recording) -> np.ndarray:
        if recording.fps is None:
            raise InputError(f"{recording.source}: fps must be known to filter")
        return filtered(method(recording), recording.fps)

    return of_take


def _arrays(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    return recording.joints_2d_px[:, :, 0], recording.confidence[:, :, 0]


def _dlt(recording: Recording) -> np.ndarray:
    return weighted_dlt(*_arrays(recording), recording.cameras)


def _ransac(recording: Recording) -> np.ndarray:
    return ransac(*_arrays(recording), recording.cameras)


def _irls(recording: Recording) -> np.ndarray:
    return irls(*_arrays(recording), recording.cameras)


def _pose2sim(recording: Recording) -> np.ndarray:
    return camera_dropping(*_arrays(recording), recording.cameras)


def _anipose(recording: Recording) -> np.ndarray:
    return optimised(*_arrays(recording), recording.cameras, recording.skeleton)


# Methods that need the frame rate; and those that try all choices of cameras, which
# are too many beyond so many views.
NEED_FPS: Final = ("Pose2Sim's rule, filtered",)
EXHAUSTIVE: Final = ("Pose2Sim's rule", *NEED_FPS)
MOST_EXHAUSTIVE_VIEWS: Final = 8

BASELINES: Final[Mapping[str, Method]] = {
    "weighted DLT": of_takes(_dlt),
    "RANSAC": of_takes(_ransac),
    "IRLS": of_takes(_irls),
    "Pose2Sim's rule": of_takes(_pose2sim),
    NEED_FPS[0]: of_takes(smoothed(_pose2sim)),
    "Anipose's optimiser": of_takes(_anipose),
}
