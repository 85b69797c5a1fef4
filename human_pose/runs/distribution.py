"""One training on several replicas that each hold a part of every batch.

Under a strategy of `tf.distribute` a step runs once on every replica. Numbers of the
whole batch are sums over samples, added over replicas, and divided by the number of all
samples: a mean of the replicas' means is wrong where their parts differ in size, as in
a short last batch, and NaN where one has none. A loss is therefore each replica's part
of the whole: `Optimizer.apply` adds the gradients. With one replica, and outside of a
step, everything here leaves the numbers as they are.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from human_pose.files.errors import InputError
from human_pose.runs.interruption import Notice


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


def of_each(values: tf.Tensor) -> tf.Tensor:
    """What each replica has, `[R, ...]`, which all get; differentiable.

    Args:
      values: of one shape on every replica.
    """
    if not in_parts():
        return values[None]
    return tf.distribute.get_replica_context().all_gather(values[None], axis=0)


def mean(values: Any) -> Any:
    """The mean over the replicas, which all get it; see `total`."""
    if not in_parts():
        return values
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    return tf.nest.map_structure(lambda value: value / replicas, total(values))


def samples(batch: Any, dtype: Any) -> tf.Tensor:
    """Samples in the whole batch, a scalar of `dtype`.

    Args:
      batch: a tensor whose first axis is that of the replica's samples.
      dtype: floating.
    """
    return total(tf.cast(tf.shape(batch)[0], dtype))


class Place(NamedTuple):
    """A process among those that train together.

    Attributes:
      processes: how many they are.
      number: of this one, from 0; number 0 is the chief.
    """

    processes: int = 1
    number: int = 0


def place_of(strategy: tf.distribute.Strategy | None = None) -> Place:
    """Where this process stands.

    Args:
      strategy: that they train by; None for the one in force.
    """
    resolver = (strategy or tf.distribute.get_strategy()).cluster_resolver
    if resolver is None or not (cluster := resolver.cluster_spec().as_dict()):
        return Place()
    chiefs, workers = len(cluster.get("chief", ())), len(cluster.get("worker", ()))
    first = {"chief": 0, "worker": chiefs}.get(resolver.task_type)
    if first is None:
        return Place(chiefs + workers, chiefs + workers)  # that of an evaluator
    return Place(chiefs + workers, first + int(resolver.task_id or 0))


def in_cluster(strategy: tf.distribute.Strategy) -> bool:
    """Whether processes are told of each other, be it one alone."""
    resolver = strategy.cluster_resolver
    return resolver is not None and bool(resolver.cluster_spec().as_dict())


def is_chief(strategy: tf.distribute.Strategy | None = None) -> bool:
    """Whether this process writes files: one of all that train together does.

    Args:
      strategy: that they train by; None for the one in force.
    """
    return place_of(strategy).number == 0


def check_shares(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """Refuses a batch that several processes cannot share in equal parts.

    Args:
      strategy: that they train by.
      batch_size: samples in a whole batch.

    Raises:
      InputError: naming how many devices share it.
    """
    replicas = strategy.num_replicas_in_sync
    if in_cluster(strategy) and batch_size % replicas:
        rule = f"must be a multiple of {replicas}, the devices that share it"
        raise InputError("batch_size", rule, batch_size)


def batches_for(
    strategy: tf.distribute.Strategy,
    batch_size: int,
    make: Callable[[int, int], tf.data.Dataset],
) -> Any:
    """The batches that a process gives to `fit`, of which it reads its own part only.

    Args:
      strategy: that they train by.
      batch_size: samples in a whole batch, a multiple of the number of replicas.
      make: the parts of every batch for one of several processes, by how many they are
        and its number; its elements are shared by the process's own replicas.

    Returns:
      Outside of a cluster the whole batches, which Keras splits among replicas.

    Raises:
      InputError: see `check_shares`.
    """
    replicas = strategy.num_replicas_in_sync
    if not in_cluster(strategy):
        return make(1, 0)
    check_shares(strategy, batch_size)

    def parts(context: tf.distribute.InputContext) -> tf.data.Dataset:
        batches = make(context.num_input_pipelines, context.input_pipeline_id)
        alone = replicas == context.num_input_pipelines
        return batches if alone else batches.rebatch(batch_size // replicas)

    return strategy.distribute_datasets_from_function(parts)


def most_steps_at_once(strategy: tf.distribute.Strategy, most: int) -> int:
    """How many steps `fit` can run in one call, up to `most`."""
    # Keras's loop over steps holds no values that differ between replicas, and
    # processes that train together agree after each.
    alone = strategy.num_replicas_in_sync == 1 and not in_cluster(strategy)
    return most if alone else 1


class LocalMean(keras.metrics.Mean):
    """A mean of values that all replicas have: nothing is added over replicas."""

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        aggregation: str = "only_first_replica",
        name: str | None = None,
    ) -> Any:
        """Makes a variable that each replica keeps up alone."""
        own = "only_first_replica"
        return super().add_variable(shape, initializer, dtype, own, name)


class Largest:
    """The largest of a model's values since it was last asked for; NaN stays.

    A mean hides one bad step among many good ones. Each replica keeps it up; it is
    equal on all where the values are.

    Args:
      model: the one whose state it is.
      name: of the variable.
    """

    def __init__(self, model: keras.Model, name: str) -> None:
        self._value = model.add_weight(
            name=name, shape=(), initializer="zeros", trainable=False
        )

    def note(self, value: tf.Tensor) -> None:
        """Takes a value in."""
        value = tf.cast(value, tf.float32)
        largest = tf.maximum(self._value.value, value)
        # XLA's maximum of a number and NaN is the number, on CPUs.
        spoilt = tf.math.is_nan(self._value.value) | tf.math.is_nan(value)
        self._value.assign(tf.where(spoilt, float("nan"), largest))

    def take(self) -> float:
        """The largest, which is forgotten then."""
        largest = float(self._value.numpy())
        self._value.assign(0.0)
        return largest


class BuiltModel(keras.Model):
    """A model whose layers have their variables before `fit`, for any strategy.

    Its steps return what all replicas have found together (`total`).

    Attributes:
      notice: to end, of which processes that train together tell each other.
    """

    notice: Notice | None = None
    train_function: Any
    test_function: Any

    def make_train_function(self, force: bool = False) -> None:
        """Makes what `fit` calls for a step."""
        if self._takes_keras_steps():
            super().make_train_function(force)
        elif self.train_function is None or force:
            self.train_function = self._step_together(self.train_step)

    def make_test_function(self, force: bool = False) -> None:
        """Makes what `evaluate` calls for a step."""
        if self._takes_keras_steps():
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = self._step_together(self.test_step)

    def _takes_keras_steps(self) -> bool:
        """Whether steps are those of Keras: several at once, or compiled."""
        return self.steps_per_execution > 1 or bool(self.jit_compile)

    def _step_together(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A step of all processes and replicas.

        Keras's own takes means of scalars along an axis that they do not have, where
        there are several processes; and it is a function in a function, whose graphs
        take 200 MB of the published network's step.
        """
        strategy = self.distribute_strategy

        def part(batch: Any, asked: tf.Tensor) -> Any:
            # A copy that lies on the replica's device.
            return step(batch), total(tf.identity(asked))

        @tf.function(autograph=False)
        def together(iterator: Any, asked: tf.Tensor) -> Any:
            found = strategy.run(part, args=(next(iterator), asked))
            # All replicas have the same.
            return tf.nest.map_structure(
                lambda value: strategy.experimental_local_results(value)[0], found
            )

        def function(iterator: Any) -> Any:
            asked = self.notice is not None and self.notice.asked
            logs, told = together(iterator, tf.constant(float(asked)))
            if self.notice is not None:
                self.notice.share(asked=bool(told > 0))
            return logs

        return function

    def _maybe_symbolic_build(self, *arguments: Any, **options: Any) -> None:
        """Builds nothing: Keras would reduce a batch to its mean for that.

        It cannot, of a batch with a bool entry on several replicas.
        """
