"""From annotations to batches for the network, as a `tf.data.Dataset`.

Order of the stages: positions, (sample and picture), batch, joints and targets,
prefetch. Pictures are read and decoded one by one on all cores. The original's way of
placing them follows in small groups, whose pixels stay in the cache; one pass over a
whole batch is faster for the modern way. What is left of a batch are a few small
operations, so they are done once for all.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import tensorflow as tf

from human_pose import skeleton
from human_pose.arguments import check_whole
from human_pose.datasets.images import (
    colours,
    picture_file,
    placement,
    projection,
    resampling,
)
from human_pose.datasets.images.annotations import Annotations
from human_pose.datasets.images.sampling import (
    SAMPLINGS,
    SEEDS,
    Sampling,
    draws_at,
    row_at,
)
from human_pose.files import InputError
from human_pose.i1 import geometry

Augment = Literal["published", "modern", "mild"]
AUGMENTS: Final = ("published", "modern", "mild", None)
# What is done in one pass, mends the depths of the mirrored and changes colours.
ONE_PASS: Final = {"modern": placement.MODERN, "mild": placement.MILD}

Batch = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Stream:
    """What `batches` was asked for.

    Attributes:
      batch_size: samples per batch; the last of a stream that ends may be shorter.
      augment: see `ImageDataset.batches`.
      shuffle: whether the order is random.
      sampling: how it is random.
      seed: of order and augmentation.
      start: position of the first sample.
      count: how many samples; None never ends.
      input_size: side of the network's input, px.
      verify: whether pictures are checked before they are decoded, because nobody has
        looked at the files: a bad one is then named, with the rule.
    """

    batch_size: int
    augment: Augment | None
    shuffle: bool
    sampling: Sampling
    seed: int
    start: int
    count: int | None
    input_size: int
    verify: bool = False


def build(
    annotations: Annotations,
    folder: str,
    stream: Stream,
    kept: tf.Tensor | None = None,
) -> tf.data.Dataset:
    """The batches of a stream, `human_pose.datasets.images.ImageDataset.batches`.

    Args:
      annotations: at least one sample.
      folder: of the pictures.
      stream: what is wanted.
      kept: the pictures in memory, from `reduced_pictures`, or None to read them.
    """
    # Captured as tensors, not as constants of the graph, which may not exceed 2 GB.
    table = {
        "image": tf.constant(annotations.image),
        "index": tf.constant(annotations.index),
    }
    columns = {
        name: tf.constant(getattr(annotations, name))
        for name in (
            "box", "camera", "joints_2d_px", "joints_3d_mm", "action", "subject"
        )
    }  # fmt: skip

    def pictures(position: tf.Tensor) -> Batch:
        row = row_at(
            position,
            len(annotations),
            stream.seed,
            shuffle=stream.shuffle,
            sampling=stream.sampling,
        )
        draws = draws_at(position, placement.DRAWS + colours.DRAWS, stream.seed)
        return {
            "row": row,
            "draws": draws,
            "image": picture(row),
            "index": tf.gather(table["index"], row),
        }

    def picture(row: tf.Tensor) -> tf.Tensor:
        if kept is not None:
            return tf.gather(kept, row)
        path = tf.strings.join([folder, tf.gather(table["image"], row)], "/")
        image = read_picture(path, verify=stream.verify)
        if stream.augment in ONE_PASS:
            return projection.reduced(_blue_first(image), stream.input_size)
        return image

    def crops(group: Batch) -> Batch:
        where = placements(group["draws"][:, : placement.DRAWS], stream.augment)
        return group | {"image": resampling.crop_published(group["image"], where)}

    def targets(batch: Batch) -> Batch:
        row, draws = batch.pop("row"), batch.pop("draws")
        sample = {name: tf.gather(column, row) for name, column in columns.items()}
        return _finish(batch | sample, draws, stream)

    end = tf.int64.max if stream.count is None else stream.start + stream.count
    stages = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
    samples = tf.data.Dataset.range(stream.start, end).map(pictures, **stages)
    if stream.augment in ONE_PASS:
        batches = samples.batch(stream.batch_size)
    else:
        groups = samples.batch(resampling.GROUP).map(crops, **stages)
        batches = groups.rebatch(stream.batch_size)
    return batches.map(targets).apply(_of_known_length(stream)).prefetch(2)


def _of_known_length(stream: Stream) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """Tells Keras when a stream ends, which `rebatch` forgets."""
    if stream.count is None:
        length = tf.data.INFINITE_CARDINALITY
    else:
        length = -(-stream.count // stream.batch_size)
    return tf.data.experimental.assert_cardinality(length)


def reduced_pictures(
    annotations: Annotations, folder: str, input_size: int, *, verify: bool = False
) -> tf.Tensor:
    """All pictures in memory, as a stream of one pass reads them.

    Args:
      annotations: whose pictures.
      folder: of the pictures.
      input_size: of the stream, px.
      verify: see `Stream`.

    Returns:
      uint8 `[N, side, side, 3]`, see `projection.reduced`.
    """
    paths = tf.strings.join([folder, tf.constant(annotations.image)], "/")
    return (
        tf.data.Dataset.from_tensor_slices(paths)
        .map(
            lambda path: projection.reduced(
                _blue_first(read_picture(path, verify=verify)), input_size
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .batch(len(annotations))
        .get_single_element()
    )


def read_picture(path: tf.Tensor, *, verify: bool = False) -> tf.Tensor:
    """A PNG picture as uint8 `[224, 224, 4]`, red first, opaque if it does not say."""
    if verify:
        complaint = tf.numpy_function(_complaint, [path], tf.string)
        # Not raised in Python: TensorFlow's error would bury the line in a traceback.
        with tf.control_dependencies(
            [tf.debugging.Assert(complaint == "", [complaint])]
        ):
            path = tf.identity(path)
    image = tf.io.decode_png(tf.io.read_file(path), channels=resampling.CHANNELS)
    return tf.ensure_shape(image, [224, 224, resampling.CHANNELS])


def _blue_first(image: tf.Tensor) -> tf.Tensor:
    return image[..., 2::-1]


def _complaint(path: bytes) -> bytes:
    """What is wrong with a picture's file, in one line; empty if nothing is."""
    try:
        picture_file.check_image(Path(os.fsdecode(path)))
    except InputError as error:
        return os.fsencode(str(error))
    return b""


def placements(draws: tf.Tensor, augment: Augment | None) -> placement.Placement:
    """The placements that draws `[..., 6]` mean under an augmentation."""
    if augment is None:
        return placement.at_test(tf.shape(draws)[:-1])
    return placement.from_draws(draws, ONE_PASS.get(augment, placement.Ranges()))


def _finish(batch: Batch, draws: tf.Tensor, stream: Stream) -> Batch:
    """Joints and depths of a batch, and its pictures if they are not finished."""
    where = placements(draws[:, : placement.DRAWS], stream.augment)
    if stream.augment in ONE_PASS:
        change = colours.from_draws(draws[:, placement.DRAWS :])
        batch["image"] = projection.crop(
            batch["image"], where, change, stream.input_size
        )
    else:
        batch["image"] = resampling.network_input(batch["image"], stream.input_size)
    joints = placement.place_joints(batch.pop("joints_2d_px"), where)
    joints = tf.cast(joints / placement.CROP_SIZE_PX, tf.float32)
    flipped = where.flipped
    batch["joints_2d"] = _swapped(joints, flipped)
    z_mm = batch["joints_3d_mm"][..., 2]
    if stream.augment in ONE_PASS:
        # The original forgets this: its mirrored people have left and right depths
        # exchanged.
        z_mm = _swapped(z_mm[..., None], flipped)[..., 0]
    batch["z_mm"] = z_mm
    batch["depth"] = geometry.encode_depth(z_mm)
    batch["flipped"] = flipped
    return batch


def _swapped(joints: tf.Tensor, flipped: tf.Tensor) -> tf.Tensor:
    """Left and right exchanged where `flipped`; joints `[B, 16, C]`."""
    mirrored = tf.gather(joints, skeleton.FLIP_ORDER_16, axis=1)
    return tf.where(flipped[:, None, None], mirrored, joints)


def check_arguments(
    *,
    batch_size: int,
    augment: Augment | None,
    sampling: Sampling,
    seed: int,
    epoch: int,
    start_step: int,
    input_size: int,
) -> None:
    """Checks what `batches` is given.

    Raises:
      InputError: naming the argument and the rule.
    """
    check_whole("batch_size", batch_size, 1)
    check_whole("seed", seed, 0)
    check_whole("epoch", epoch, 0)
    check_whole("start_step", start_step, 0)
    check_whole("input_size", input_size, 1)
    rules: tuple[tuple[str, Any, bool, str], ...] = (
        ("augment", augment, augment in AUGMENTS, "published, modern, mild or None"),
        ("sampling", sampling, sampling in SAMPLINGS, "epochs or replacement"),
        ("seed", seed, seed < SEEDS, "in [0, 2^30)"),
        (
            "input_size",
            input_size,
            placement.CROP_SIZE_PX % input_size == 0,
            "a divisor of 256",
        ),
    )
    for name, value, holds, rule in rules:
        if not holds:
            raise InputError(f"{name} must be {rule}; got {value!r}")
