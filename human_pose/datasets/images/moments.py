"""Pictures that show one moment from several sides, and the cameras that took them.

Batches know a camera's focal length and centre alone. Where it stands is in the files
of text beside them, which are read anew here: two small files a picture.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from absl import logging

from human_pose.datasets.images.dataset import ImageDataset
from human_pose.datasets.images.layout import (
    InfoFile,
    read_camera,
    read_info,
    text_path,
)
from human_pose.datasets.images.opening import ImageSet
from human_pose.files.checks import check_whole, whole_numbers
from human_pose.files.errors import InputError
from human_pose.geometry.cameras import Camera

# How far a joint may be from itself in another view. Files have six digits or more
# behind the point and are read in single precision: 1 µm of a few metres.
_MOST_APART_MM: Final = 1.0

# Reading waits for the disk more than for Python.
_READERS: Final = 8

_Read = TypeVar("_Read")


@dataclass(frozen=True, eq=False)
class Moments:
    """N moments, each seen by the same V cameras, in the order of their first rows.

    Attributes:
      rows: int64 `[N, V]`, which of the set's good samples: rows of
        `good_annotations` and of `source`.
      views: the numbers of the V cameras, from 0.
      projection: float64 `[N, V, 3, 4]`, world mm to homogeneous pixels of a camera's
        whole frame, without the lens: pictures show what the lens made of it, which
        `moments_of` warns of.
      joints_3d_mm: float64 `[N, 16, 3]`, world, the mean of what the views say.
      subject: int64 `[N]`.
      action: int64 `[N]`, positions in `protocol.IMAGE_ACTIONS`.
      number: int64 `[N]`, which take of these, from 0: of rendered people a moment.
      frame: int64 `[N]`, of the take, from 0.
    """

    rows: np.ndarray
    views: tuple[int, ...]
    projection: np.ndarray
    joints_3d_mm: np.ndarray
    subject: np.ndarray
    action: np.ndarray
    number: np.ndarray
    frame: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def moments_of(
    dataset: ImageSet, views: Sequence[int] | int = 4, *, skip_bad: bool = False
) -> Moments:
    """Finds the moments of which there is a picture in each of several views.

    Pictures belong together that have the same subject, action, take and frame; moments
    that lack a view are left out.

    Args:
      dataset: a folder in the original's layout.
      views: the cameras' numbers, from 0, in the order wanted; or how many, from the
        first.
      skip_bad: leave out the samples that break a rule.

    Raises:
      InputError: naming the argument or the file, and the rule: a prepared set, which
        has no cameras' places; no whole moment; a camera that is none; two pictures of
        one moment by one camera, or two whose joints are not at one place.
    """
    if not isinstance(dataset, ImageDataset):
        raise InputError(
            f"{dataset.root}: must be a folder of files in the original's layout; a "
            "prepared set does not hold where cameras stand"
        )
    cameras = _checked(views)
    found = dataset.good_annotations(skip_bad=skip_bad)
    infos = _read_all(dataset.root, "info_all", found.index, read_info)
    keys = np.stack(
        [found.subject, found.action, *_columns(infos, "subaction", "frame")], axis=-1
    )
    seen_by = _columns(infos, "camera")[0] - 1
    rows = _together(dataset.root, keys, seen_by, cameras, found.index)
    taken = _read_all(dataset.root, "camera_all", found.index[rows].ravel(), _camera)
    _warn_of_lenses(dataset.root, taken)
    joints = _in_world(found.joints_3d_mm[rows], taken)
    _check_agreement(dataset.root, joints, found.index[rows])
    subject, action, take, frame = keys[rows[:, 0]].T
    return Moments(
        rows=rows,
        views=cameras,
        projection=np.stack([c.projection for c in taken]).reshape(*rows.shape, 3, 4),
        joints_3d_mm=joints.mean(axis=1),
        subject=subject,
        action=action,
        number=take - 1,
        frame=frame - 1,
    )


def _checked(views: Sequence[int] | int) -> tuple[int, ...]:
    if not isinstance(views, Iterable):
        check_whole("views", views, 1)
        return tuple(range(views))
    named = [*views]
    chosen = whole_numbers("views", named)
    cameras = tuple(map(int, named))
    if len(chosen) < len(cameras):
        raise InputError("views", "must name each camera once", list(cameras))
    return cameras


def _read_all(
    root: Path,
    folder: str,
    indices: np.ndarray,
    read: Callable[[Path], _Read],
) -> list[_Read]:
    paths = map(partial(text_path, root, folder), indices.tolist())
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(read, paths))


def _camera(path: Path) -> Camera:
    try:
        return read_camera(path).camera()
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def _columns(infos: Sequence[InfoFile], *names: str) -> list[np.ndarray]:
    return [np.array([getattr(i, name) for i in infos], np.int64) for name in names]


def _together(
    root: Path,
    keys: np.ndarray,
    seen_by: np.ndarray,
    cameras: tuple[int, ...],
    indices: np.ndarray,
) -> np.ndarray:
    """Rows `[N, V]` of samples with equal keys `[M, 4]`, one by each of the cameras."""
    _, moment = np.unique(keys, axis=0, return_inverse=True)
    moment = moment.ravel()
    table = np.full((moment.max() + 1, len(cameras)), -1, np.int64)
    for view, camera in enumerate(cameras):
        rows = np.flatnonzero(seen_by == camera)
        table[moment[rows], view] = rows
        twice = rows[table[moment[rows], view] != rows]
        if len(twice):
            other = table[moment[twice[0]], view]
            raise InputError(
                f"{root}: samples {indices[twice[0]]} and {indices[other]} are of one "
                f"moment and camera, {camera}; there must be one of each"
            )
    whole = table[(table >= 0).all(axis=1)]
    if not len(whole):
        numbers = ", ".join(map(str, cameras))
        raise InputError(
            f"{root}: must have pictures of one moment by each of the cameras {numbers}"
            " (from 0); no moment has"
        )
    return whole[np.argsort(whole[:, 0])]


def _warn_of_lenses(root: Path, cameras: Sequence[Camera]) -> None:
    distorting = sum(bool(camera.distortion) for camera in cameras)
    if distorting:
        logging.warning(
            "%s: the lenses of %d pictures distort, which is not undone: joints that "
            "are found in them lie some pixels off their projections",
            root,
            distorting,
        )


def _in_world(joints_mm: np.ndarray, cameras: Sequence[Camera]) -> np.ndarray:
    """Joints `[N, V, J, 3]` of camera frames in the world, float64."""
    shape = joints_mm.shape
    rotation = np.stack([c.rotation for c in cameras]).reshape(*shape[:2], 3, 3)
    centre = np.stack([c.position_mm for c in cameras]).reshape(*shape[:2], 1, 3)
    return np.asarray(joints_mm.astype(np.float64) @ rotation + centre)


def _check_agreement(root: Path, joints: np.ndarray, indices: np.ndarray) -> None:
    """Refuses views that place a moment's joints differently."""
    apart = np.linalg.norm(joints - joints[:, :1], axis=-1).max(axis=-1)
    moment, view = np.unravel_index(apart.argmax(), apart.shape)
    if not apart[moment, view] <= _MOST_APART_MM:
        raise InputError(
            f"{root}: samples {indices[moment, 0]} and {indices[moment, view]} are of "
            f"one moment; their joints in the world must agree within "
            f"{_MOST_APART_MM:g} mm; received {apart[moment, view]:.4g} mm"
        )
