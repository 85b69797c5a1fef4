"""The test frames of the 15 actions, read from `testing/` or a prepared set."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from absl import logging

from human_pose.datasets.pose_files import (
    PoseSet,
    action_file_names,
    concatenate,
    read_people,
)
from human_pose.datasets.pose_shards import PreparedPoses, read_prepared
from human_pose.datasets.protocol import ACTIONS
from human_pose.datasets.shards.folders import is_prepared
from human_pose.files.errors import InputError


@dataclass(frozen=True)
class ActionFrames:
    """Frames of all actions, in the order of `ACTIONS`, and where each is from.

    Attributes:
      poses: the F frames.
      actions: int `[F]`, index into `ACTIONS`.
      files: names of the files read, in order; of a prepared set its name alone.
      file_indices: int `[F]`, index into `files`.
      frame_numbers: int `[F]`, number within its file, counted from 0 before
        subsampling; of a prepared set the index of the sample.
      missing: names of the files that are not there, or of actions without samples.
      prepared: whether they are of a prepared set.
    """

    poses: PoseSet
    actions: np.ndarray
    files: tuple[str, ...]
    file_indices: np.ndarray
    frame_numbers: np.ndarray
    missing: tuple[str, ...]
    prepared: bool = False

    def __len__(self) -> int:
        return len(self.poses)

    def source(self, frame: int) -> str:
        """Where frame number `frame` is from, in words."""
        name = self.files[self.file_indices[frame]]
        word = "sample" if self.prepared else "frame"
        return f"{name}, {word} {self.frame_numbers[frame]}"


def read_test_frames(data_dir: str | os.PathLike[str], subsample: int) -> ActionFrames:
    """Reads what a lifter is evaluated on.

    Args:
      data_dir: the folder that holds `testing/`, or one of shards.
      subsample: every how many frames of each file, or take, one is used.

    Raises:
      InputError: as `read_action_frames` and `read_prepared_frames`.
    """
    if is_prepared(data_dir):
        return read_prepared_frames(data_dir, subsample)
    return read_action_frames(Path(data_dir) / "testing", subsample)


def read_prepared_frames(
    folder: str | os.PathLike[str], subsample: int
) -> ActionFrames:
    """Reads the test part of a prepared set, every `subsample`-th frame of each take.

    A take is a run of samples of one subject and action; of a set that was prepared
    from a whole tree of pose files it is a file, and so the frames are the same, in the
    same order.

    Raises:
      InputError: as `read_prepared`; and naming the first sample whose action the set
        does not tell.
    """
    part = read_prepared(folder, "test")
    known = (part.actions >= 0) & (part.actions < len(ACTIONS))
    if len(unknown := np.flatnonzero(~known)):
        raise InputError(
            f"{folder}: must tell the action of every sample, by which errors are "
            f"listed; that of sample {part.indices[unknown[0]]} is unknown"
        )
    rows = np.flatnonzero(_numbers_in_takes(part) % subsample == 0)
    rows = rows[np.argsort(part.actions[rows], kind="stable")]
    actions = part.actions[rows]
    return ActionFrames(
        poses=part.poses[rows],
        actions=actions,
        files=(_name_of(folder),),
        file_indices=np.zeros(len(rows), np.int64),
        frame_numbers=part.indices[rows],
        missing=tuple(
            name for number, name in enumerate(ACTIONS) if number not in actions
        ),
        prepared=True,
    )


def _name_of(folder: str | os.PathLike[str]) -> str:
    """What a set is called: the last of `<data_dir>/<name>/<config>/<version>`."""
    return "/".join(Path(folder).absolute().parts[-3:])


def _numbers_in_takes(part: PreparedPoses) -> np.ndarray:
    """The number of each frame in its take, from 0: int `[F]`."""
    rows = np.arange(len(part.indices))
    begins = np.ones(len(rows), bool)
    begins[1:] = (np.diff(part.subjects) != 0) | (np.diff(part.actions) != 0)
    return rows - np.maximum.accumulate(np.where(begins, rows, 0))


def read_action_frames(folder: str | os.PathLike[str], subsample: int) -> ActionFrames:
    """Reads both takes of every action, every `subsample`-th frame of each file.

    Raises:
      InputError: if no file of any action is there, or one is no pose file.
    """
    folder = Path(folder)
    sets, actions, files, frame_numbers, missing = [], [], [], [], []
    for action, action_name in enumerate(ACTIONS):
        for name in action_file_names(action_name):
            if not (folder / name).exists():
                missing.append(name)
                continue
            whole = read_people(folder / name)
            sets.append(whole[::subsample])
            actions.append(action)
            files.append(name)
            frame_numbers.append(np.arange(len(whole))[::subsample])
    if over := sorted({path.name for path in folder.glob("*.h5")} - {*files}):
        logging.warning(
            "%s: passes over %s, which no action is called; actions: %s",
            *(folder, ", ".join(over), ", ".join(ACTIONS)),
        )
    if not sets:
        raise InputError(
            f"{folder}: must hold test files such as {missing[0]}; none is there"
        )
    counts = [len(poses) for poses in sets]
    return ActionFrames(
        poses=concatenate(sets),
        actions=np.repeat(actions, counts),
        files=tuple(files),
        file_indices=np.repeat(np.arange(len(files)), counts),
        frame_numbers=np.concatenate(frame_numbers),
        missing=tuple(missing),
    )
