"""VideoPose3D's `.npz` of Human3.6M: detections, positions, and the archive's cameras.

`data_2d_h36m_<detector>.npz` holds `positions_2d`, `data_3d_h36m.npz` `positions_3d`:
pickled dictionaries, subject -> action -> four arrays `[F, 17, 2]` of pixels, or one
`[F, 32 or 17, 3]` of metres. Neither holds cameras; `cameras.h5` of the archive does.
`metadata` of the detections tells whose 17 joints they are: some of that project's
detectors find COCO's.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from absl import logging

from human_pose.datasets.h36m.build import read_rotations
from human_pose.datasets.h36m.names import CAMERAS_FILE
from human_pose.datasets.lifting_sets.schema import (
    LIFTING_SCHEMA,
    UNKNOWN,
    config_name,
    samples_of,
)
from human_pose.datasets.pose_files import PoseSet
from human_pose.datasets.protocol import (
    ACTIONS,
    POSE_ACTIONS,
    TEST_SUBJECTS,
    TRAIN_SUBJECTS,
)
from human_pose.datasets.shards.plan import Piece, Source, stepped, summary_of
from human_pose.datasets.shards.sidecar import crc32_of
from human_pose.datasets.shards.writing import Good
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.npz import npz_ranks
from human_pose.files.paths import locate
from human_pose.files.pickles import unpickle_npz
from human_pose.geometry.skeleton import convert
from human_pose.geometry.skeletons import JOINTS, LIFTER_17, RECORDED_32, VIEWS

POSITIONS_FILE: Final = "data_3d_h36m.npz"
DETECTIONS_FILES: Final = "data_2d_h36m_*.npz"
_METADATA: Final = "metadata"
_LAYOUT: Final = "h36m"

# Recordings end some frames apart. Where one of every so many is there, in one of the
# files, frames and positions of equal number are not of one moment.
_LEAST_SHARE: Final = 0.6
_MM_PER_M: Final = 1000.0
_SUBJECTS: Final = {"train": TRAIN_SUBJECTS, "test": TEST_SUBJECTS}


@dataclass(frozen=True)
class _Take:
    """One take, and the index of its first frame."""

    subject: int
    name: str
    first: int

    @property
    def action(self) -> int:
        """A position in `ACTIONS`, or `UNKNOWN`."""
        action = self.name.split(" ")[0]
        action = POSE_ACTIONS.get(action, action)
        return ACTIONS.index(action) if action in ACTIONS else UNKNOWN


def videopose3d_source(
    root: str | os.PathLike[str], every: int = 1, *, partial_set: bool = False
) -> Source:
    """The frames that both files have, by subject and action.

    Where a take's views or positions differ in length, the shorter counts.

    Args:
      root: the folder of the two files and `cameras.h5`.
      every: use only frames whose index in their part is a multiple of this.
      partial_set: also where subjects are missing.

    Raises:
      InputError: naming the file and the rule; a missing subject, too, unless
        `partial_set`.
    """
    root, name = locate(root), config_name(every)
    detections = _detections_file(root)
    _check_layout(root / detections)
    parts = {}
    for part, subjects in _SUBJECTS.items():
        pieces, first = [], 0
        for subject in subjects:
            for take in _takes(root, detections, subject, partial_set):
                frames = len(_poses(root, detections, subject, take))
                indices = stepped(first, first + frames - 1, every)
                pieces.append(Piece(_Take(subject, take, first), indices))
                first += frames
        if pieces:
            parts[part] = tuple(piece for piece in pieces if len(piece))
    # Other detections of as many frames are another source.
    files = (POSITIONS_FILE, detections, CAMERAS_FILE)
    held = summary_of(f"{file} {crc32_of(root / file)}" for file in files)
    return Source(
        "h36m_lifting",
        name,
        LIFTING_SCHEMA,
        f"{detections} {held}, {name}",
        partial(_samples, root, detections),
        parts,
        "Detections of 17 joints in four views, with their truth and the cameras.",
    )


def _detections_file(root: Path) -> str:
    found = sorted(path.name for path in root.glob(DETECTIONS_FILES))
    if len(found) != 1:
        raise InputError(
            f"{root}: must hold one file {DETECTIONS_FILES}; it has "
            f"{', '.join(found) or 'none'}"
        )
    return found[0]


def _check_layout(path: Path) -> None:
    """Refuses as many joints of another skeleton, where the file tells whose they are.

    Older files have no name of it, and are told by the joints of their left side.
    """
    if _METADATA not in npz_ranks(path):
        return
    told = unpickle_npz(path, _METADATA)
    with refusing(path, f"has a {_METADATA} that is not VideoPose3D's"):
        layout = told.get("layout_name", _LAYOUT)
        sides = told.get("keypoints_symmetry") or [LIFTER_17.left]
        left = sorted(map(int, sides[0]))
    if layout != _LAYOUT or left != sorted(LIFTER_17.left):
        raise InputError(
            f"{path}: must have the 17 joints of Human3.6M, layout_name {_LAYOUT}; "
            f"it has {layout!r}, with {left} on the left"
        )


def _takes(root: Path, detections: str, subject: int, partial_set: bool) -> list[str]:
    """The takes of a subject that both files have, in order."""
    held = [
        _of_subject(path, entry, subject)
        for path, entry in (
            (root / POSITIONS_FILE, "positions_3d"),
            (root / detections, "positions_2d"),
        )
    ]
    common = sorted(set(held[0]) & set(held[1]))
    if common and (alone := sorted(set(held[0]) ^ set(held[1]))):
        logging.warning(
            "%s: leaves out %d takes of S%d that only one of %s and %s has, the first "
            "%s",
            *(root, len(alone), subject, POSITIONS_FILE, detections, alone[0]),
        )
    if not common and not partial_set:
        raise InputError(
            f"{root}: lacks S{subject} in {POSITIONS_FILE} or {detections}; let "
            "`partial` prepare the others"
        )
    return common


def _poses(root: Path, detections: str, subject: int, take: str) -> PoseSet:
    positions, views = root / POSITIONS_FILE, root / detections
    joints = _checked(
        f"{positions}: S{subject} {take}",
        _of_subject(positions, "positions_3d", subject)[take],
        (JOINTS, len(RECORDED_32)),
        3,
    )
    if joints.shape[1] != JOINTS:
        joints = convert(joints, RECORDED_32, LIFTER_17)
    where = f"{views}: S{subject} {take}"
    cameras = _of_subject(views, "positions_2d", subject)[take]
    with refusing(where, "must be a list of cameras"):
        count = len(cameras)
    if count != VIEWS:
        raise InputError(where, f"must have {VIEWS} cameras", count)
    points = [_checked(where, camera, (JOINTS,), 2) for camera in cameras]
    lengths = [*map(len, points), len(joints)]
    frames = min(lengths)
    if frames < _LEAST_SHARE * max(lengths):
        rule = "must have a position for each frame, or all but a few"
        received = f"views of {', '.join(map(str, lengths[:-1]))} frames"
        raise InputError(where, rule, f"{received}, and {lengths[-1]} positions")
    rotations = read_rotations(root / CAMERAS_FILE, subject)
    return PoseSet(
        np.stack([each[:frames] for each in points], axis=1),
        joints[:frames] * _MM_PER_M,
        np.broadcast_to(rotations, (frames, VIEWS, 3, 3)),
    )


def _checked(where: str, values: Any, joints: tuple[int, ...], axes: int) -> np.ndarray:
    array = np.asarray(values)
    if (
        array.dtype.kind != "f"
        or array.ndim != 3
        or array.shape[1] not in joints
        or array.shape[2] != axes
        or not np.isfinite(array).all()
    ):
        counts = " or ".join(map(str, joints))
        raise InputError(
            where, f"must be finite numbers [F, {counts}, {axes}]", list(array.shape)
        )
    return array.astype(np.float64)


def _of_subject(path: Path, entry: str, subject: int) -> Mapping[str, Any]:
    """What a file holds of a subject, by take; nothing if it has none of it."""
    content = _content(path, entry, path.stat().st_mtime_ns if path.exists() else 0)
    held = content.get(f"S{subject}", {}) if isinstance(content, dict) else None
    if not isinstance(held, dict):
        raise InputError(
            f"{path}: {entry} must be dictionaries of subjects and actions"
        )
    return held


# All of Human3.6M has some hundred megabytes: both files are read once a process.
@lru_cache(maxsize=2)
def _content(path: Path, entry: str, changed_ns: int) -> Any:
    return unpickle_npz(path, entry)


def _samples(root: Path, detections: str, piece: Piece) -> Iterator[Good]:
    place: _Take = piece.place
    poses = _poses(root, detections, place.subject, place.name)
    subjects = np.full(len(poses), place.subject)
    return samples_of(poses, place.first, piece.indices, subjects, place.action)
