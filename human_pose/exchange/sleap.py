"""SLEAP's analysis files, one HDF5 file for each view.

`tracks` `[T, 2, J, F]` (people, x and y, nodes, frames: as MATLAB reads it), pixels,
NaN where there is none; `node_names` `[J]`; `point_scores` `[T, J, F]`, NaN for points
that somebody set by hand; `track_names` `[T]`, or none. See sleap.ai, "Analysis HDF5".
"""

import os
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.exchange.detections import View, join
from human_pose.exchange.format import Format
from human_pose.exchange.recording import Recording
from human_pose.exchange.sources import any_recognised, one_per_view
from human_pose.files.arrays import Shape, refusing
from human_pose.files.errors import InputError
from human_pose.files.h5 import h5_ranks, read_h5
from human_pose.geometry.joint_words import from_names
from human_pose.geometry.skeleton import Skeleton

_SUFFIX: Final = ".h5"
_END: Final = ".analysis"
_SCORES: Final = "point_scores"
_SHAPES: Final[dict[str, Shape]] = {
    "tracks": ("T", 2, "J", "F"),
    _SCORES: ("T", "J", "F"),
}
_NODES: Final = "node_names"
_PEOPLE: Final = "track_names"


def recognises(path: str | os.PathLike[str]) -> bool:
    """Whether a file is such a one, or the first one of a folder is."""
    return any_recognised(path, _SUFFIX, _is_analysis)


def read(path: str | os.PathLike[str], *, fps: float | None = None) -> Recording:
    """Reads the file of a view, or a folder with one for each, called as the views.

    Args:
      path: the file or folder.
      fps: frames a second, which the files do not say.

    Raises:
      InputError: naming the file, and what is wrong with it.
    """
    files = one_per_view(
        path, _SUFFIX, _is_analysis, lambda each: each.stem.removesuffix(_END)
    )
    read_all = {name: _read_view(each) for name, each in files.items()}
    skeletons = {skeleton for _, skeleton in read_all.values()}
    if len(skeletons) > 1:
        raise InputError(f"{path}: all views must have the same nodes, in one order")
    views = {name: view for name, (view, _) in read_all.items()}
    return join(str(path), views, skeletons.pop(), fps=fps)


def _is_analysis(path: Path) -> bool:
    ranks = h5_ranks(path)
    return ranks.get("tracks") == len(_SHAPES["tracks"]) and _NODES in ranks


def _read_view(path: Path) -> tuple[View, Skeleton]:
    shapes = dict(_SHAPES)
    if _SCORES not in h5_ranks(path):
        del shapes[_SCORES]
    arrays = read_h5(path, shapes, texts=[_NODES], finite=False)
    points = arrays["tracks"].transpose(3, 0, 2, 1)
    with refusing(path, "has no nodes of a skeleton"):
        skeleton = from_names(arrays[_NODES])
    if len(skeleton) != points.shape[2]:
        raise InputError(
            f"{path}: {_NODES} must be {points.shape[2]}; received {len(skeleton)}"
        )
    _check_people(path, points.shape[1])
    scores = np.ones(points.shape[:-1])
    if _SCORES in arrays:
        scored = np.moveaxis(arrays[_SCORES], 2, 0)
        scores = np.where(np.isnan(scored), scores, scored)
    frames, people = points.shape[:2]
    values = np.concatenate([points, scores[..., None]], axis=-1)
    tracks = np.broadcast_to(np.arange(people), (frames, people))
    return View(np.arange(frames), values, tracks), skeleton


def _check_people(path: Path, people: int) -> None:
    """Refuses axes in another order, which of two people would have as many numbers.

    sleap-io also writes `[F, T, J, 2]`.
    """
    if _PEOPLE not in h5_ranks(path):
        return
    try:
        names = read_h5(path, {}, texts=[_PEOPLE])[_PEOPLE]
    except InputError:  # an empty list is none of texts
        return
    if names and len(names) != people:
        raise InputError(
            f"{path}: tracks must have shape [T, 2, J, F], of the {len(names)} in "
            f"{_PEOPLE}; received {people} first"
        )


FORMAT: Final = Format(
    "sleap",
    "recording",
    "SLEAP analysis h5",
    (),
    recognises,
    read,
    options=("fps",),
)
