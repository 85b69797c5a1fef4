"""One training on several replicas that each hold a part of every batch.

Under a strategy of `tf.distribute` a step runs once on every replica. Numbers of the
whole batch are sums over samples, added over replicas, and divided by the number of all
samples: a mean of the replicas' means is wrong where their parts differ in size, as in
a short last batch, and NaN where one has none. A loss is therefore each replica's part
of the whole: `Optimizer.apply` adds the gradients. With one replica, and outside of a
step, everything here leaves the numbers as they are.
"""

from typing import Any

import keras
import tensorflow as tf


def in_parts() -> bool:
    """Whether the code runs on one of several replicas."""
    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def total(values: Any) -> Any:
    """Sums over the replicas, which all get them.

    Differentiable: a replica's gradient is that of what all replicas make of the sum.

    Args:
      values: a tensor or a nest of tensors, of equal shapes on every replica.
    """
    if not in_parts():
        return values
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def samples(batch: Any, dtype: Any) -> tf.Tensor:
    """Samples in the whole batch, a scalar of `dtype`.

    Args:
      batch: a tensor whose first axis is that of the replica's samples.
      dtype: floating.
    """
    return total(tf.cast(tf.shape(batch)[0], dtype))


def is_chief(strategy: tf.distribute.Strategy | None = None) -> bool:
    """Whether this process writes files: one of all that train together does.

    Args:
      strategy: that they train by; None for the one in force.
    """
    resolver = (strategy or tf.distribute.get_strategy()).cluster_resolver
    if resolver is None or not (cluster := resolver.cluster_spec().as_dict()):
        return True
    if "chief" in cluster:
        return resolver.task_type == "chief"
    return resolver.task_type == "worker" and resolver.task_id == 0


def most_steps_at_once(strategy: tf.distribute.Strategy, most: int) -> int:
    """How many steps Keras can run in one call, up to `most`."""
    # Its loop over steps holds no values that differ between replicas.
    return most if strategy.num_replicas_in_sync == 1 else 1


class BuiltModel(keras.Model):
    """A model whose layers have their variables before `fit`."""

    def _maybe_symbolic_build(self, *arguments: Any, **options: Any) -> None:
        """Builds nothing: Keras would reduce a batch to its mean for that.

        It cannot, of a batch with a bool entry on several replicas.
        """
