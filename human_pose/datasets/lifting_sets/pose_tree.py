"""The original's tree: `training/` and `testing/`, a pose file for each action's take.

Files hold the recordings of several subjects one after the other and do not say whose;
a split by subject is what the two folders are.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.lifting_sets.schema import (
    LIFTING_SCHEMA,
    UNKNOWN,
    config_name,
    samples_of,
)
from human_pose.datasets.pose_files import PoseSet, action_file_names, read_people
from human_pose.datasets.protocol import ACTIONS
from human_pose.datasets.shards.plan import Piece, Source, stepped, summary_of
from human_pose.datasets.shards.sidecar import crc32_of
from human_pose.datasets.shards.writing import Good
from human_pose.files.errors import InputError
from human_pose.files.h5 import read_h5
from human_pose.files.paths import locate
from human_pose.geometry.skeletons import JOINTS

_FOLDERS: Final = {"train": "training", "test": "testing"}


@dataclass(frozen=True)
class _File:
    """One pose file: its path in the tree, its action, the index of its first frame."""

    path: str
    action: int
    first: int


def tree_source(
    root: str | os.PathLike[str],
    every: int = 1,
    *,
    partial_set: bool = False,
    data_set: str = "h36m_lifting",
) -> Source:
    """The frames of a tree of pose files, in the order of the whole-set files.

    Args:
      root: the folder that holds `training/` and `testing/`.
      every: use only frames whose index in their part is a multiple of this.
      partial_set: also where files are missing, of a part all of them.
      data_set: its name.

    Raises:
      InputError: naming the file or argument and the rule; a missing file, too, unless
        `partial_set`; or if none is there.
    """
    root, name = locate(root), config_name(every)
    parts, held = {}, []
    for part, folder in _FOLDERS.items():
        pieces, first = [], 0
        for path, action in _files(root, folder, partial_set):
            joints = read_h5(root / path, {"joint_3d": ("F", JOINTS, 3)})["joint_3d"]
            frames = len(joints)
            indices = stepped(first, first + frames - 1, every)
            pieces.append(Piece(_File(path, action, first), indices))
            # Other detections of as many frames are another source.
            held.append(f"{path} {frames} {crc32_of(root / path)}")
            first += frames
        if pieces:
            parts[part] = tuple(piece for piece in pieces if len(piece))
    if not parts:
        raise InputError(f"{root}: has no pose file of training/ or testing/")
    return Source(
        data_set,
        name,
        LIFTING_SCHEMA,
        f"pose files {summary_of(held)}, {name}",
        partial(_samples, root),
        parts,
        "Detections of 17 joints in four views, with their truth and the cameras.",
    )


def _files(root: Path, folder: str, partial_set: bool) -> list[tuple[str, int]]:
    """The files of a part that are there: first takes of all actions, then second."""
    wanted = [
        (f"{folder}/{action_file_names(action)[take]}", number)
        for take in (0, 1)
        for number, action in enumerate(ACTIONS)
    ]
    present = [(path, number) for path, number in wanted if (root / path).exists()]
    if len(present) < len(wanted) and not partial_set:
        missing = next(path for path, _ in wanted if not (root / path).exists())
        raise InputError(
            f"{root}: lacks {len(wanted) - len(present)} of {len(wanted)} pose files "
            f"of {folder}/, the first {missing}; human-pose-h36m makes them, or let "
            "`partial` prepare the others"
        )
    return present


def _samples(root: Path, piece: Piece) -> Iterator[Good]:
    file: _File = piece.place
    poses = _poses(root / file.path, (root / file.path).stat().st_mtime_ns)
    subjects = np.full(len(poses), UNKNOWN)
    return samples_of(poses, file.first, piece.indices, subjects, file.action)


# Shards cut files into pieces, and come to one worker one after the other.
@lru_cache(maxsize=1)
def _poses(path: Path, changed_ns: int) -> PoseSet:
    return read_people(path)
