"""The test frames of the 15 actions, read from `testing/`."""

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
from human_pose.datasets.protocol import ACTIONS
from human_pose.files.errors import InputError


@dataclass(frozen=True)
class ActionFrames:
    """Frames of all actions, in the order of `ACTIONS`, and where each is from.

    Attributes:
      poses: the F frames.
      actions: int `[F]`, index into `ACTIONS`.
      files: names of the files read, in order.
      file_indices: int `[F]`, index into `files`.
      frame_numbers: int `[F]`, number within its file, counted from 0 before
        subsampling.
      missing: names of the files that are not there.
    """

    poses: PoseSet
    actions: np.ndarray
    files: tuple[str, ...]
    file_indices: np.ndarray
    frame_numbers: np.ndarray
    missing: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.poses)

    def source(self, frame: int) -> str:
        """Where frame number `frame` is from, in words."""
        name = self.files[self.file_indices[frame]]
        return f"{name}, frame {self.frame_numbers[frame]}"


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
