"""Small sets for the lifter in shards."""

import numpy as np

from human_pose.datasets.lifting_sets.schema import LIFTING_SCHEMA, samples_of
from human_pose.datasets.shards.writing import Bad, shard_name, write_shard


def write_lifting_shards(folder, poses, part="train", shards=2, action=0, bad=()):
    """Frames in shards, the last first, so that their order must be found.

    Args:
      folder: where to.
      poses: a `PoseSet`.
      part: of the set.
      shards: how many.
      action: of all frames.
      bad: indices that are listed as bad.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subjects = np.full(len(poses), -1)
    samples = [
        Bad(sample.index, "was bad") if sample.index in bad else sample
        for sample in samples_of(poses, 0, range(len(poses)), subjects, action)
    ][::-1]
    for number, rows in enumerate(np.array_split(np.arange(len(samples)), shards)):
        name = shard_name("made_up", part, number, shards)
        chosen = [samples[row] for row in rows]
        write_shard(folder / name, chosen, LIFTING_SCHEMA, "made up")
    return folder
