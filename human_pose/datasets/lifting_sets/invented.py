"""The embedded people as a source of shards, made as they are wanted."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import numpy as np

from human_pose.datasets.lifting_sets.schema import (
    LIFTING_SCHEMA,
    config_name,
    samples_of,
)
from human_pose.datasets.pose_files import PoseSet
from human_pose.datasets.protocol import ACTIONS, TEST_SUBJECTS, TRAIN_SUBJECTS
from human_pose.datasets.shards.plan import Piece, Source, stepped
from human_pose.datasets.shards.writing import Good
from human_pose.datasets.synthetic.dataset import Recipe, sequence, sequences

_SUBJECTS: Final = {"train": TRAIN_SUBJECTS, "test": TEST_SUBJECTS}


@dataclass(frozen=True)
class _Take:
    """One take: who does what, which time, and the index of its first frame."""

    subject: int
    action: str
    take: int
    frames: int
    first: int


def invented_source(recipe: Recipe | None = None, every: int = 1) -> Source:
    """The frames of a recipe, in the order of the files that `generate` writes.

    Args:
      recipe: what is made.
      every: use only frames whose index in their part is a multiple of this.

    Raises:
      InputError: if `every` is no number from 1 on.
    """
    recipe, name = recipe or Recipe(), config_name(every)
    frames = {"train": recipe.train_frames, "test": recipe.test_frames}
    parts = {}
    for part, subjects in _SUBJECTS.items():
        pieces, first = [], 0
        for subject, action, take in sequences(subjects):
            place = _Take(subject, action, take, frames[part], first)
            end = first + frames[part]
            pieces.append(Piece(place, stepped(first, end - 1, every)))
            first = end
        parts[part] = tuple(piece for piece in pieces if len(piece))
    return Source(
        "synthetic_lifting",
        name,
        LIFTING_SCHEMA,
        f"invented people, {recipe}, {name}",
        partial(_samples, recipe),
        parts,
        "Detections of 17 joints of invented people in four views, with the truth.",
    )


def _samples(recipe: Recipe, piece: Piece) -> Iterator[Good]:
    place: _Take = piece.place
    poses = _poses(recipe, place)
    subjects = np.full(len(poses), place.subject)
    action = ACTIONS.index(place.action)
    return samples_of(poses, place.first, piece.indices, subjects, action)


# A shard may end within a take, whose other frames are then wanted next.
@lru_cache(maxsize=1)
def _poses(recipe: Recipe, place: _Take) -> PoseSet:
    return sequence(place.subject, place.action, place.take, place.frames, recipe)
