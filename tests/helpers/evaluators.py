"""Processes that evaluate together: `python evaluators.py PICTURES FOLDER`.

FOLDER gets `shared/`, the results of fewer samples than there are processes. Then each
comes with a network of its own.
"""

import sys
from pathlib import Path
from unittest import mock

import keras
import tensorflow as tf

from human_pose.datasets.images import open_dataset
from human_pose.files.errors import InputError
from human_pose.i1.evaluation import run as evaluation
from human_pose.runs import cluster, distribution

SIZE, DEPTH_BINS = 16, 4


class Brightness(keras.Model):
    """Heatmaps that are cheap to make, and differ from picture to picture."""

    def __init__(self, weight=1.0):
        super().__init__()
        self.weight = self.add_weight(initializer=keras.initializers.Constant(weight))

    def call(self, image, training=False):
        heatmap = self.weight * image[:, ::4, ::4, :1] * tf.range(1.0, 17.0)
        return {"heatmap": heatmap, "heatmap2": tf.repeat(heatmap, DEPTH_BINS, -1)}


def evaluated(pictures, folder, strategy=None, network=None):
    """Evaluates one sample, the test sample number 10; nobody looks at pictures."""
    with mock.patch.object(evaluation, "_write_pictures", return_value={}):
        return evaluation.evaluate(
            network or Brightness(),
            open_dataset(pictures, part="test", every=10),
            folder,
            depth_bins=DEPTH_BINS,
            input_size=4 * SIZE,
            verbose=False,
            strategy=strategy,
        )


def differences(work, **changed):
    """What processes would differ in, of which one works with other options."""

    class Told(Exception):
        """Ends an evaluation before it has measured anything."""

    def conditions(**options):
        with mock.patch.object(cluster, "check_alike", side_effect=Told) as told:
            try:
                work(**options)
            except Told:
                return told.call_args.args[1]
        raise AssertionError("nothing was compared")

    one, other = conditions(), conditions(**changed)
    assert one.keys() == other.keys()
    return {name for name in one if one[name] != other[name]}


if __name__ == "__main__":
    place, where = map(Path, sys.argv[1:])
    try:
        with cluster.sharing("multiworker") as (used, _):
            found = evaluated(place, where / "shared", used)
            assert found.index.tolist() == [10]
            other = Brightness(1.0 + distribution.place_of(used).number)
            evaluated(place, where / "unlike", used, other)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
