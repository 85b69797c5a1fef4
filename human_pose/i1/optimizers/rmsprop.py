"""RMSProp by Caffe's rule, which Keras's own differs from."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from human_pose.i1.optimizers.accumulation import Accumulating


@keras.saving.register_keras_serializable("human_pose")
class CaffeRMSProp(Accumulating):
    """h ← ρ h + (1 - ρ) g²;  w ← w - rate · g / (√h + ε), biases at twice the rate.

    ε stands outside the root, h starts at 0 and nothing corrects for it (Caffe,
    `rmsprop_solver`; int-3dhuman-I1's solver files).

    Kept is s = h / (1 - ρ), the decayed sum of squares: with it the rule is a decay and
    a step of Adagrad, for which TensorFlow has one kernel that makes no copies. Written
    out, the rule's dozen operations a variable cost an eighth of a training step.

    Args:
      learning_rate: a number or a schedule.
      rho: how much of h a step keeps, less than 1.
      epsilon: ε.
      bias_multiplier: of the rate of the convolutions' biases. Offsets of
        normalisations are no biases.
      **options: of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 2.5e-5,
        rho: float = 0.99,
        epsilon: float = 1e-8,
        bias_multiplier: float = 2.0,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, **{"name": "caffe_rmsprop", **options}
        )
        self.rho = rho
        self.epsilon = epsilon
        self.bias_multiplier = bias_multiplier

    def build(self, variables: Sequence[Any]) -> None:
        """Makes one s for every variable."""
        if self.built:
            return
        super().build(variables)
        self.square_sums = [
            self.add_variable_from_reference(variable, "square_sum")
            for variable in variables
        ]
        # Taken here: a step sees TensorFlow's variables, under other names.
        self._multipliers = [
            self.bias_multiplier if variable.name == "bias" else 1.0
            for variable in variables
        ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Takes one variable's step."""
        index = self._get_variable_index(variable)
        square_sum = self.square_sums[index].value
        square_sum.assign(self.rho * square_sum)
        unit = math.sqrt(1 - self.rho)  # √h = unit · √s
        tf.raw_ops.ResourceApplyAdagradV2(
            var=variable.handle,
            accum=square_sum.handle,
            lr=tf.cast(learning_rate, variable.dtype)
            * (self._multipliers[index] / unit),
            epsilon=tf.constant(self.epsilon / unit, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimiser."""
        return {
            **super().get_config(),
            "rho": self.rho,
            "epsilon": self.epsilon,
            "bias_multiplier": self.bias_multiplier,
        }
