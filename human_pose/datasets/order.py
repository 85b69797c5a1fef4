"""Which sample comes at which position of the stream, and its uniform draws.

Both are functions of (seed, position) alone: the same whatever the number of threads or
the batch size, and a stream continues from any step without replaying what came before.
"""

import tensorflow as tf

from human_pose.datasets.sampling import Sampling

# Set off from each other, so that order and augmentation are independent.
_ORDER, _DRAWS = 1, 2


def row_at(
    position: tf.Tensor, count: int, seed: int, *, shuffle: bool, sampling: Sampling
) -> tf.Tensor:
    """The row of the sample at a position of the stream.

    Args:
      position: int64 `[]`, from 0; epoch e is positions e count to (e + 1) count - 1.
      count: the number of samples.
      seed: of the order.
      shuffle: False gives the rows in order, epoch after epoch.
      sampling: "epochs" permutes the rows anew in each epoch; "replacement" draws each
        row independently, as the original does (which seeds by the second, so that its
        batches of one second are equal; not here).

    Returns:
      int64 `[]` in [0, count).
    """
    epoch, place = position // count, position % count
    if not shuffle:
        return place
    if sampling == "replacement":
        return tf.random.stateless_uniform(
            [], _key(seed, _ORDER, position), 0, count, tf.int64
        )
    key = tf.cast(_key(seed, _ORDER, epoch), tf.int32)
    return tf.random.experimental.index_shuffle(place, key, count - 1)


def draws_at(position: tf.Tensor, count: int, seed: int) -> tf.Tensor:
    """`count` uniform numbers in [0, 1), float32, of a position of the stream."""
    return tf.random.stateless_uniform([count], _key(seed, _DRAWS, position))


def _key(seed: int, purpose: int, counter: tf.Tensor) -> tf.Tensor:
    return tf.stack([tf.constant(2 * seed + purpose, tf.int64), counter])
