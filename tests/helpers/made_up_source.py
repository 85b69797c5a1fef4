"""A made-up source of shards: every number of a sample follows from its index."""

import os
import time

import numpy as np

from human_pose.datasets.shards.plan import Piece, Source
from human_pose.datasets.shards.records import Field
from human_pose.datasets.shards.writing import Bad, Good

SCHEMA = {
    "exact": Field((2, 3), "float64", "mm, world frame"),
    "index": Field(dtype="int64"),
    "rough": Field((4,)),
    "name": Field(text=True),
    "one": Field(dtype="float64"),
}


def sample(index):
    return {
        "exact": np.random.default_rng(index).normal(size=(2, 3)),
        "index": index,
        "rough": np.full(4, index / 3, np.float32),
        "name": f"ä{index}",
        "one": index / 3,
    }


def make(piece):
    """A piece's place says what is wrong: the index of a bad sample, or nothing."""
    for index in piece.indices:
        if index == piece.place:
            yield Bad(index, f"{index} is\nbroken")
        else:
            yield Good(index, sample(index))


def make_slowly(piece):
    """As `make`, with time to be killed."""
    for item in make(piece):
        time.sleep(0.02)
        yield item


def make_on_a_full_disk(piece):
    """Fails as the writer would."""
    for item in make(piece):
        if item.index == piece.place:
            raise OSError(28, "No space left on device")
        yield item


def source(parts=None, make=make):
    parts = parts or {
        "train": (Piece(None, range(0, 13)), Piece(None, range(20, 30))),
        "test": (Piece(None, range(100, 104)),),
    }
    return Source("made_up", "all", SCHEMA, "made up", make, parts, "Made up.")


def files(folder):
    """The content of each file, by its name."""
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}
