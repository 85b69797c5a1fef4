"""A data set's batches for the network."""

import os
from typing import Final
from weakref import WeakKeyDictionary

import tensorflow as tf

from human_pose.datasets.images.dataset import ImageDataset
from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.i1.input import pipeline, projection
from human_pose.i1.input.stream import Stream

# Decoding is half the time of a small picture's way; sets of this size need it once.
_MOST_KEPT_BYTES: Final = 1 << 30

# Pictures in memory by data set and input size: stages share them.
_kept_pictures: WeakKeyDictionary[ImageDataset, dict[int, tf.Tensor]] = (
    WeakKeyDictionary()
)


def batches(dataset: ImageDataset, stream: Stream) -> tf.data.Dataset:
    """Batches for the network; equal arguments give equal batches on any machine.

    Args:
      dataset: the samples.
      stream: which batches of them.

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

    Raises:
      InputError: for a bad sample, if the stream may not leave it out.
    """
    annotations = dataset.good_annotations(skip_bad=stream.skip_bad)
    comes_back = stream.repeat and stream.augment in pipeline.ONE_PASS
    return pipeline.build(
        annotations,
        os.fspath(dataset.root / "images"),
        stream,
        verify=dataset.trust_index,
        kept=_kept(dataset, stream.input_size) if comes_back else None,
    )


def _kept(dataset: ImageDataset, size: int) -> tf.Tensor | None:
    """The pictures in memory for a stream that comes back to them, if they fit."""
    side = IMAGE_SIZE_PX // projection.reduction(size)
    if len(dataset.annotations) * side**2 * 3 > _MOST_KEPT_BYTES:
        return None
    pictures = _kept_pictures.setdefault(dataset, {})
    if size not in pictures:
        pictures[size] = pipeline.reduced_pictures(
            dataset.annotations,
            os.fspath(dataset.root / "images"),
            size,
            verify=dataset.trust_index,
        )
    return pictures[size]
