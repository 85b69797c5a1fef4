"""A data set's batches for the network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.opening import ImageSet
from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.datasets.images.source import Source, in_memory
from human_pose.i1.input import pipeline, projection
from human_pose.i1.input.service import served
from human_pose.i1.input.stream import Stream

# Decoding is half the time of a small picture's way; sets of this size need it once.
_MOST_KEPT_BYTES: Final = 1 << 30

# Samples in memory by data set and input size: stages share them.
_kept: WeakKeyDictionary[ImageSet, dict[int, Source]] = WeakKeyDictionary()


def batches(
    dataset: ImageSet,
    stream: Stream,
    *,
    services: Sequence[str] = (),
    groups: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Batches for the network; equal arguments give equal batches on any machine.

    Args:
      dataset: the samples.
      stream: which batches of them.
      services: addresses of tf.data services that make them (`service.served`), which
        changes nothing about them; none: they are made here.
      groups: int `[N, V]`, rows of the data set's good samples that stay together, such
        as `Moments.rows`: the stream then visits groups in the place of samples, and a
        batch of B has the V pictures of each of B / V groups, group by group. An epoch
        visits each group once.

    Returns:
      Dictionaries of

      - `image` float32 `[B, S, S, 3]`, blue first, (grey level - 128) / 256
      - `joints_2d` float32 `[B, 16, 2]`, x and y in [0, 1] of the crop or beyond
      - `depth` float32 `[B, 16]`, encoded by `codec.encode_depth`
      - `z_mm` float32 `[B, 16]`, the camera-frame z that `depth` encodes
      - `joints_3d_mm` float32 `[B, 16, 3]`, camera frame, never augmented
      - `box` float32 `[B, 4]` x1 y1 x2 y2, and `camera` float32 `[B, 4]` fx fy cx
        cy, px of the raw camera frame
      - `flipped` bool, `index` int64, `action` and `subject` int32, `[B]`
      - `group` int64 `[B]`, positions in `groups`, where these are given

    Raises:
      InputError: for a bad sample, if the stream may not leave it out, or as
        `visits.visits` for groups.
    """
    source = dataset.source(skip_bad=stream.skip_bad)
    if services:
        make = partial(pipeline.build, source, groups=groups)
        return served(make, stream, services)
    if stream.repeat and stream.augment in pipeline.ONE_PASS:
        source = _kept_if_it_fits(dataset, source, stream.input_size)
    return pipeline.build(source, stream, groups)


@contextmanager
def naming_damage(*datasets: ImageSet | None) -> Iterator[None]:
    """Finds the file that is meant where a stream meets a damaged record.

    TensorFlow's error tells the place in a file, but not which.

    Args:
      *datasets: that are streamed; None is passed over.

    Raises:
      InputError: naming the file.
    """
    try:
        yield
    except tf.errors.DataLossError:
        for dataset in datasets:
            if dataset is not None:
                dataset.check()
        raise


def _kept_if_it_fits(dataset: ImageSet, source: Source, size: int) -> Source:
    """The samples in memory, for a stream of one pass that comes back to them."""
    side = IMAGE_SIZE_PX // projection.reduction(size)
    if source.count * side**2 * 3 > _MOST_KEPT_BYTES:
        return source
    kept = _kept.setdefault(dataset, {})
    if size not in kept:
        kept[size] = in_memory(source, lambda images: projection.reduced(images, size))
    return kept[size]
