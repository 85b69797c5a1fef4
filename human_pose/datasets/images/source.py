"""Where the pictures and numbers of samples come from, in a graph of TensorFlow.

Whoever makes batches of a set asks its `Source`; it need not know how the set is kept.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from human_pose.datasets.images import crop, cutting
from human_pose.datasets.images.annotations import Annotations
from human_pose.datasets.images.picture_file import IMAGE_SIZE_PX
from human_pose.datasets.images.schema import IMAGE_SCHEMA
from human_pose.datasets.shards.reading import Shards, record_reader
from human_pose.datasets.shards.records import parse
from human_pose.files.errors import InputError

Batch = dict[str, tf.Tensor]

# Pictures that are made smaller together.
_GROUP: Final = 32
# What is counted or listed has few values.
_SMALL: Final = ("subject", "action")


@dataclass(frozen=True)
class Source:
    """The samples of a set by row.

    Attributes:
      count: N, at least one.
      one: from a row, int64 `[]` in [0, N), to `image`, uint8 `[224, 224, 3]`, red
        first, and what lies beside it.
      many: from rows, int64 `[B]`, to the entries that `one` has not. Together they
        have those of `IMAGE_SCHEMA`; `subject` and `action` are int32.
    """

    count: int
    one: Callable[[tf.Tensor], Batch]
    many: Callable[[tf.Tensor], Batch]


def of_folder(
    annotations: Annotations, folder: str | os.PathLike[str], *, verify: bool
) -> Source:
    """Pictures in files of their own, numbers in memory.

    Args:
      annotations: at least one sample.
      folder: of the pictures.
      verify: whether pictures are checked before they are decoded, because nobody has
        looked at the files: a bad one is then named, with the rule.
    """
    # Captured as tensors, not as constants of the graph, which may not exceed 2 GB.
    names = tf.constant(annotations.image)
    root = tf.constant(os.fsencode(folder))  # of any bytes
    squares = None if annotations.squares is None else tf.constant(annotations.squares)
    if annotations.sizes_px is None:
        sizes_px = tf.fill([len(annotations), 2], IMAGE_SIZE_PX)
    else:
        sizes_px = tf.constant(annotations.sizes_px)
    columns = {
        name: tf.constant(getattr(annotations, name))
        for name in IMAGE_SCHEMA
        if name != "image"
    }

    def one(row: tf.Tensor) -> Batch:
        path = tf.strings.join([root, tf.gather(names, row)], "/")
        if verify:
            path = _verified(path, tf.gather(sizes_px, row))
        content = tf.io.read_file(path)
        if squares is None:
            return {"image": _decoded(content)}
        square = tf.gather(squares, row)
        return {"image": cutting.shown(cutting.decoded(content), square)}

    def many(rows: tf.Tensor) -> Batch:
        return {name: tf.gather(column, rows) for name, column in columns.items()}

    return Source(len(annotations), one, many)


def of_shards(shards: Shards, rows: np.ndarray) -> Source:
    """Pictures and numbers in the records of shards.

    Args:
      shards: of records of `IMAGE_SCHEMA`.
      rows: int `[N]`, which of their samples there are, at least one.
    """
    read = record_reader(shards, rows)

    def one(row: tf.Tensor) -> Batch:
        sample = parse(read(row), IMAGE_SCHEMA)
        sample |= {name: tf.cast(sample[name], tf.int32) for name in _SMALL}
        return sample | {"image": _decoded(sample["image"])}

    return Source(len(rows), one, lambda rows: {})


def in_memory(source: Source, made_of: Callable[[tf.Tensor], tf.Tensor]) -> Source:
    """The same samples, each read once, now.

    Args:
      source: of the samples.
      made_of: what is kept of pictures uint8 `[B, 224, 224, 3]`.
    """
    as_it_stands = tf.autograph.experimental.do_not_convert
    samples = tf.data.Dataset.range(source.count).map(
        as_it_stands(source.one), num_parallel_calls=tf.data.AUTOTUNE
    )
    groups = samples.batch(_GROUP).map(
        as_it_stands(lambda group: group | {"image": made_of(group["image"])})
    )
    kept = groups.rebatch(source.count).get_single_element()
    pictures = kept.pop("image")

    def many(rows: tf.Tensor) -> Batch:
        numbers = {name: tf.gather(column, rows) for name, column in kept.items()}
        return numbers | source.many(rows)

    return Source(source.count, lambda row: {"image": tf.gather(pictures, row)}, many)


def _decoded(content: tf.Tensor) -> tf.Tensor:
    """A picture of 224 px."""
    return tf.ensure_shape(cutting.decoded(content), [IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3])


def _verified(path: tf.Tensor, size_px: tf.Tensor) -> tf.Tensor:
    complaint = tf.numpy_function(_complaint, [path, size_px], tf.string)
    # Not raised in Python: TensorFlow's error would bury the line in a traceback.
    with tf.control_dependencies([tf.debugging.Assert(complaint == "", [complaint])]):
        return tf.identity(path)


def _complaint(path: bytes, size_px: np.ndarray) -> bytes:
    """What is wrong with a picture's file, in one line; empty if nothing is."""
    try:
        crop.check_as_kept(Path(os.fsdecode(path)), size_px.tolist())
    except InputError as error:
        return os.fsencode(str(error))
    return b""
