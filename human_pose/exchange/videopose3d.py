"""The 2D files of VideoPose3D, `data_2d_<data set>_<detector>.npz`.

`positions_2d` is a pickled dictionary, subject -> action -> list of cameras of
`[F, J, 2]` pixels; `metadata` has `layout_name`, `num_joints` and, for videos of one's
own, `video_metadata`. See github.com/facebookresearch/VideoPose3D, DATASETS.md.

Each subject and action is a take, known by their names: the file of the positions may
have others, in another order. Human3.6M's cameras stand in the order
of that project's table, as `geometry.skeletons.VIEW_NAMES`; others are called cam_1,
cam_2 ... as in the list. Videos of one's own, a subject each with the action "custom",
are views of one sequence.
"""

import os
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from absl import logging

from human_pose.exchange.detections import pixels
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.npz import npz_ranks
from human_pose.files.pickles import unpickle_npz
from human_pose.geometry.known_skeletons import COCO_17
from human_pose.geometry.skeleton import Skeleton
from human_pose.geometry.skeletons import LIFTER_17, VIEW_NAMES

_NAMES: Final = ("positions_2d", "metadata")
_PICKLED: Final = -1  # rank of objects
_CUSTOM: Final = "custom"
_LAYOUTS: Final[Mapping[str, Skeleton]] = {"coco": COCO_17, "h36m": LIFTER_17}
_SUBJECTS: Final = frozenset(f"S{number}" for number in (1, 5, 6, 7, 8, 9, 11))

# Cameras of one sequence, by name.
_Views = dict[str, np.ndarray]


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds such dictionaries."""
    ranks = npz_ranks(path)
    return all(ranks.get(name) == _PICKLED for name in _NAMES)


def read(path: str | os.PathLike[str], *, fps: float | None = None) -> Recording:
    """Reads all sequences; each joint that is there has the confidence 1.

    Args:
      path: the file.
      fps: frames a second, which the file does not say.

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    positions, metadata = (unpickle_npz(path, name) for name in _NAMES)
    with refusing(path, "is no file of VideoPose3D"):
        skeleton = _skeleton(path, metadata)
        sequences = _sequences(positions)
        names = tuple(next(iter(sequences.values())))
        stacked = [
            _stacked(f"{path}: {label}", views, names, len(skeleton))
            for label, views in sequences.items()
        ]
    joints = np.concatenate(stacked)[:, :, None]
    lengths = [len(each) for each in stacked]
    return Recording(
        pixels(str(path), joints),
        np.ones(joints.shape[:-1]),
        skeleton,
        names,
        fps=fps,
        frames=np.concatenate([np.arange(length) for length in lengths]),
        sequence=np.repeat(np.arange(len(lengths)), lengths),
        take_names=() if _CUSTOM in sequences else tuple(sequences),
        source=str(path),
    )


def _skeleton(path: str | os.PathLike[str], metadata: Any) -> Skeleton:
    layout, count = metadata.get("layout_name"), metadata.get("num_joints")
    skeleton = _LAYOUTS.get(str(layout))
    if skeleton is None or count not in (None, len(skeleton)):
        raise InputError(
            f"{path}: layout_name must be {' or '.join(_LAYOUTS)}, of 17 joints; "
            f"received {layout!r} of {count}"
        )
    return skeleton


def _sequences(positions: Any) -> dict[str, _Views]:
    """The views of each take, by "subject action"."""
    if all(list(actions) == [_CUSTOM] for actions in positions.values()):
        # A list of the one camera for each video.
        views = {}
        for video, actions in positions.items():
            (views[str(video)],) = actions[_CUSTOM]
        return {_CUSTOM: views}
    listed = {}
    for subject, actions in positions.items():
        for action, cameras in actions.items():
            if (label := f"{subject} {action}") in listed:
                raise ValueError(f"{label} may be two takes")
            listed[label] = cameras
    of_human36m = set(positions) <= _SUBJECTS
    return {
        label: dict(zip(_camera_names(len(cameras), of_human36m), cameras, strict=True))
        for label, cameras in listed.items()
    }


def _camera_names(count: int, of_human36m: bool) -> tuple[str, ...]:
    if of_human36m and count == len(VIEW_NAMES):
        return VIEW_NAMES
    return tuple(f"cam_{number}" for number in range(1, count + 1))


def _stacked(
    where: str, views: _Views, names: tuple[str, ...], joints: int
) -> np.ndarray:
    """The views of a sequence as `[F, V, J, 2]`, of the frames of the longest."""
    if tuple(views) != names:
        raise InputError(
            f"{where} must have the cameras {', '.join(names)}; it has "
            f"{', '.join(views)}"
        )
    arrays = [np.asarray(view) for view in views.values()]
    for array in arrays:
        if array.dtype.kind != "f" or array.shape[1:] != (joints, 2):
            raise InputError(
                f"{where} must be arrays [F, {joints}, 2]; received "
                f"{array.dtype} {list(array.shape)}"
            )
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        logging.warning(
            "%s has views of %s frames; what is missing at the end counts as unseen",
            *(where, ", ".join(map(str, lengths))),
        )
    stacked = np.full((max(lengths), len(arrays), joints, 2), np.nan)
    for place, array in enumerate(arrays):
        stacked[: len(array), place] = array
    return stacked


FORMAT: Final = Format(
    "videopose3d",
    "recording",
    "VideoPose3D .npz",
    (),
    recognises,
    read,
    options=("fps",),
)
