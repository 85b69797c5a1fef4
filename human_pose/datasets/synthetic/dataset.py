"""Makes the embedded data: pose files of training and test subjects."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, product
from pathlib import Path
from typing import Final

import numpy as np

from human_pose.datasets.pose_files import (
    PoseSet,
    action_file_names,
    concatenate,
    write_pose_file,
)
from human_pose.datasets.protocol import ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.synthetic.body import BODIES
from human_pose.datasets.synthetic.detector import Detector
from human_pose.datasets.synthetic.motion import perform
from human_pose.datasets.synthetic.rig import cameras
from human_pose.files.checks import check_whole
from human_pose.files.errors import InputError, one_line
from human_pose.geometry.cameras import Camera

TAKES: Final = 2

# Human3.6M's evaluation leaves this subject, action and take out, and so do we.
_SKIPPED: Final = {(11, "Directions", 0)}

# What a seed is used for, so that no two purposes share random numbers.
_CAMERAS, _MOTION = 0, 1


@dataclass(frozen=True)
class Recipe:
    """What is made.

    Attributes:
      train_frames: frames of each training sequence. 32 frames x 150 sequences are
        960 training frames at the default subsampling of 5, a multiple of the batch.
      test_frames: frames of each test sequence; 472 in all at a subsampling of 5.
      seed: everything random follows from it.
      detector: the errors of the 2D joints.

    Raises:
      InputError: if a sequence would have no frame, or the seed is no number from 0 on.
    """

    train_frames: int = 32
    test_frames: int = 40
    seed: int = 0
    detector: Detector = field(default_factory=Detector)

    def __post_init__(self) -> None:
        check_whole("train_frames", self.train_frames, 1)
        check_whole("test_frames", self.test_frames, 1)
        check_whole("seed", self.seed, 0)


def subject_cameras(subject: int, seed: int) -> tuple[Camera, ...]:
    """The four cameras of a subject's recordings."""
    return cameras(np.random.default_rng([seed, _CAMERAS, subject]))


def sequence(
    subject: int, action: str, take: int, frames: int, recipe: Recipe
) -> PoseSet:
    """One subject's take of an action, filmed and detected.

    Each sequence has its own stream of random numbers: it is the same whichever others
    are made.
    """
    streams = np.random.SeedSequence(
        [recipe.seed, _MOTION, subject, ACTIONS.index(action), take]
    ).spawn(2)
    motion, detection = map(np.random.default_rng, streams)
    joints = perform(action, BODIES[subject], motion, frames).joints_3d_mm
    views = subject_cameras(subject, recipe.seed)
    exact = np.stack([view.project(joints) for view in views], axis=1)
    rotations = np.stack([view.rotation for view in views])
    return PoseSet(
        recipe.detector.detect(exact, detection),
        joints,
        np.broadcast_to(rotations, (frames, *rotations.shape)),
    )


def sequences(subjects: Iterable[int]) -> Iterator[tuple[int, str, int]]:
    """Subject, action and take of every sequence, in the order of the whole set."""
    subjects = tuple(subjects)
    for take, action, subject in product(range(TAKES), ACTIONS, subjects):
        if (subject, action, take) not in _SKIPPED:
            yield subject, action, take


def takes(
    subjects: Iterable[int], frames: int, recipe: Recipe
) -> Iterator[tuple[str, PoseSet]]:
    """File names and contents, in the order of the whole set.

    A file holds the sequences of all subjects, one after the other.
    """
    ordered = sequences(subjects)
    for (action, take), group in groupby(ordered, lambda found: found[1:]):
        parts = [sequence(*found, frames, recipe) for found in group]
        yield action_file_names(action)[take], concatenate(parts)


def generate(
    data_dir: str | os.PathLike[str],
    recipe: Recipe | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[Path, int, int], None] = lambda path, done, total: None,
) -> None:
    """Writes the embedded data set; equal recipes give equal bytes.

    Makes `train_sh.h5`, `test_sh.h5`, and one file per action and take in `training/`
    and `testing/`. Nothing else in the folder is touched. The files are made beside
    those that are there, and take their places when all are done: whenever this is
    killed, they never are of two recipes.

    Args:
      data_dir: the folder; made if need be.
      recipe: what is made.
      overwrite: replace files of these names; they may be somebody's own.
      progress: called with each path once its file is made, and how many of all are.

    Raises:
      InputError: if a file is there already and `overwrite` is False, or the folder
        cannot be written to.
    """
    recipe, data_dir = recipe or Recipe(), Path(data_dir)
    files = data_files(data_dir)
    present = [path for path in files if path.exists()]
    if present and not overwrite:
        raise InputError(
            f"{present[0]} is there already, as are {len(present) - 1} more of the "
            f"{len(files)} files; `overwrite` replaces them"
        )
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=data_dir, prefix=".synthetic.", suffix=".part"
        ) as made:
            contents = _contents(Path(made), recipe)
            for done, (path, poses) in enumerate(contents, start=1):
                write_pose_file(path, poses)
                progress(data_dir / path.relative_to(made), done, len(files))
            _put_in_place(Path(made), data_dir)
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise InputError(f"{data_dir}: cannot be written: {reason}") from error


def _put_in_place(made: Path, data_dir: Path) -> None:
    """Moves new files into a folder, when none of the old ones is there any more."""
    for path in data_files(data_dir):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
    for path in data_files(made):
        path.replace(data_dir / path.relative_to(made))


def data_files(data_dir: str | os.PathLike[str]) -> list[Path]:
    """The paths that `generate` writes."""
    names = [action_file_names(action)[take] for action in ACTIONS for take in range(2)]
    files = [Path(folder, name) for folder in ("training", "testing") for name in names]
    files += [Path("train_sh.h5"), Path("test_sh.h5")]
    return [Path(data_dir) / file for file in files]


def _contents(data_dir: Path, recipe: Recipe) -> Iterator[tuple[Path, PoseSet]]:
    for whole, folder, subjects, frames in (
        ("train_sh.h5", "training", TRAIN_SUBJECTS, recipe.train_frames),
        ("test_sh.h5", "testing", TEST_SUBJECTS, recipe.test_frames),
    ):
        parts = []
        for name, poses in takes(subjects, frames, recipe):
            parts.append(poses)
            yield data_dir / folder / name, poses
        yield data_dir / whole, concatenate(parts)
