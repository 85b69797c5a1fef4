"""From samples to batches for the network, as a `tf.data.Dataset`.

Order of the stages: positions, (sample and picture), batch, joints and targets,
prefetch. Pictures are read and decoded one by one on all cores. The original's way of
placing them follows in small groups, whose pixels stay in the cache; one pass over a
whole batch is faster for the modern way. What is left of a batch are a few small
operations, so they are done once for all.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import tensorflow as tf

from human_pose.datasets.images.source import Batch, Source
from human_pose.datasets.order import draws_at
from human_pose.geometry import skeletons
from human_pose.i1 import codec
from human_pose.i1.config import CROP_SIZE_PX, Augment
from human_pose.i1.input import colours, placement, projection, resampling
from human_pose.i1.input.stream import Stream
from human_pose.i1.input.visits import visits

# What is done in one pass, mends the depths of the mirrored and changes colours.
ONE_PASS: Final = {"modern": placement.MODERN, "mild": placement.MILD}


# Nothing here needs autograph, and it takes longer than the rest of the tracing.
_as_it_stands = tf.autograph.experimental.do_not_convert


def build(
    source: Source,
    stream: Stream,
    groups: np.ndarray | None = None,
) -> tf.data.Dataset:
    """The batches of a stream, see `loader.batches`.

    Args:
      source: of the samples. For augmentation in one pass, pictures may be those of
        `projection.reduced`.
      stream: what is wanted.
      groups: see `loader.batches`.

    Raises:
      InputError: as `visits.visits`.
    """
    order = visits(source.count, stream, groups)
    start, end = stream.span(order.count)

    @_as_it_stands
    def pictures(number: tf.Tensor) -> Batch:
        position = _position(number, start, stream)
        which = order.at(position)
        draws = draws_at(position, placement.DRAWS + colours.DRAWS, stream.seed)
        return source.one(which["row"]) | which | {"draws": draws}

    @_as_it_stands
    def crops(group: Batch) -> Batch:
        where = placements(group["draws"][:, : placement.DRAWS], stream.augment)
        return group | {"image": resampling.crop_published(group["image"], where)}

    @_as_it_stands
    def targets(batch: Batch) -> Batch:
        row, draws = batch.pop("row"), batch.pop("draws")
        return _finish(batch | source.many(row), draws, stream)

    length = None if end is None else -(-(end - start) // stream.batch_size)
    last = stream.last_part_size(order.count)
    stages = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
    samples = tf.data.Dataset.range(
        tf.int64.max
        if end is None
        else (end - start) // stream.batch_size * stream.part_size + (last or 0)
    ).map(pictures, **stages)
    if stream.augment in ONE_PASS:
        batches = samples.batch(stream.part_size)
    else:
        cropped = samples.batch(resampling.GROUP).map(crops, **stages)
        batches = cropped.rebatch(stream.part_size)
    batches = batches.map(targets, **stages)
    if last == 0:
        batches = batches.concatenate(_no_samples(batches.element_spec))
    return batches.apply(_of_length(length)).prefetch(2)


def _position(number: tf.Tensor, start: int, stream: Stream) -> tf.Tensor:
    """The position in the stream of all workers of the number-th sample of this one."""
    if stream.workers == 1:
        return start + number
    batch, place = number // stream.part_size, number % stream.part_size
    return start + batch * stream.batch_size + stream.part_start + place


def _no_samples(batch: dict[str, tf.TensorSpec]) -> tf.data.Dataset:
    """One batch, of no samples."""
    return tf.data.Dataset.from_tensors(
        {
            name: tf.zeros([0, *spec.shape[1:]], spec.dtype)
            for name, spec in batch.items()
        }
    )


def _of_length(batches: int | None) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """Tells Keras when a stream ends, which `rebatch` forgets; None never does."""
    length = tf.data.INFINITE_CARDINALITY if batches is None else batches
    return tf.data.experimental.assert_cardinality(length)


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
        pictures = projection.reduced(batch["image"], stream.input_size)
        batch["image"] = projection.crop(pictures, where, change, stream.input_size)
    else:
        batch["image"] = resampling.network_input(batch["image"], stream.input_size)
    joints = placement.place_joints(batch.pop("joints_2d_px"), where)
    joints = tf.cast(joints / CROP_SIZE_PX, tf.float32)
    flipped = where.flipped
    batch["joints_2d"] = _swapped(joints, flipped)
    z_mm = batch["joints_3d_mm"][..., 2]
    if stream.augment in ONE_PASS:
        # The original forgets this: its mirrored people have left and right depths
        # exchanged.
        z_mm = _swapped(z_mm[..., None], flipped)[..., 0]
    batch["z_mm"] = z_mm
    batch["depth"] = codec.encode_depth(z_mm)
    batch["flipped"] = flipped
    return batch


def _swapped(joints: tf.Tensor, flipped: tf.Tensor) -> tf.Tensor:
    """Left and right exchanged where `flipped`; joints `[B, 16, C]`."""
    mirrored = tf.gather(joints, skeletons.FLIP_ORDER_16, axis=1)
    return tf.where(flipped[:, None, None], mirrored, joints)
