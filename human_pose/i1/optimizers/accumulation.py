"""Updates from the gradients of several batches, on several replicas too."""

from typing import Any

import keras
import tensorflow as tf

from human_pose.runs import distribution


class Accumulating(keras.optimizers.Optimizer):
    """What an optimiser with `gradient_accumulation_steps` needs under replicas.

    Keras decides on every replica whether to update, and then adds the gradients of all
    of them; TensorFlow lets replicas meet outside of such a branch only. Here they meet
    first.
    """

    def _backend_apply_gradients(self, grads: Any, trainable_variables: Any) -> None:
        """Keras's, but for batches that are gathered on several replicas."""
        if self.gradient_accumulation_steps is None or not distribution.in_parts():
            super()._backend_apply_gradients(grads, trainable_variables)
            return
        tf.distribute.get_replica_context().merge_call(
            self._gather,
            args=(
                distribution.total(list(grads)),
                [variable.value for variable in trainable_variables],
                [
                    self._accumulated_gradients[self._get_variable_index(v)].value
                    for v in trainable_variables
                ],
            ),
        )

    def _gather(
        self,
        strategy: tf.distribute.Strategy,
        gradients: Any,
        variables: Any,
        accumulators: Any,
    ) -> None:
        """Adds gradients of all replicas up, or takes a step by their mean."""
        batches = self.gradient_accumulation_steps

        def step() -> None:
            rate = self.learning_rate

            def update(variable: Any, gradient: Any, gathered: Any) -> None:
                mean = (gradient + gathered) / batches
                self.update_step(mean, variable, rate)
                gathered.assign(tf.zeros_like(gathered))

            each(update)

        def gather() -> None:
            each(lambda variable, gradient, gathered: gathered.assign_add(gradient))

        def each(change: Any) -> None:
            for variable, gradient, gathered in zip(
                variables, gradients, accumulators, strict=True
            ):
                strategy.extended.update(
                    variable, change, args=(gradient, gathered), group=False
                )

        tf.cond((self._iterations.value + 1) % batches == 0, step, gather)
