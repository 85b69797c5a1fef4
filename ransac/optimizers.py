"""Descent on nests of parameters, in-graph: plain, averaged and adaptive.

Each has a state of its own, a nest of tensors, and learning rates that differ between
the variants learned side by side, so the stock optimisers do not fit.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

import tensorflow as tf

# One tensor for each thing learned: "sigma" `[N, V]`, others `[N, V, ...]`.
Parameters = dict[str, tf.Tensor]


class Optimizer(Protocol):
    """Moves parameters against their gradients."""

    def init(self, parameters: Parameters) -> Any:
        """The state before the first step."""
        ...

    def apply(
        self,
        step: tf.Tensor,
        parameters: Parameters,
        gradients: Parameters,
        rate: tf.Tensor,
        state: Any,
    ) -> tuple[Parameters, Any]:
        """Takes one step.

        Args:
          step: steps taken before this one, float64.
          parameters: what is learned.
          gradients: likewise.
          rate: learning rate of each variant, `[V]`.
          state: from the step before.

        Returns:
          The parameters and the state after the step.
        """
        ...


@dataclass(frozen=True)
class SGD:
    """Plain gradient descent."""

    def init(self, parameters: Parameters) -> Any:
        """There is no state."""
        del parameters
        return ()

    def apply(
        self,
        step: tf.Tensor,
        parameters: Parameters,
        gradients: Parameters,
        rate: tf.Tensor,
        state: Any,
    ) -> tuple[Parameters, Any]:
        """θ ← θ − η g."""
        del step
        moved = {
            name: value - add_axes(rate, value) * gradients[name]
            for name, value in parameters.items()
        }
        return moved, state


@dataclass(frozen=True)
class AveragedSGD(SGD):
    """The descent of averaged SGD [1], with the published code's constants.

    η_n = η₀ / (1 + d η₀ n)^α; θ ← (1 − d η_n) θ − η_n g. The published code never uses
    the average itself, so it is not kept.

    Attributes:
      decay: d, PyTorch's `lambd`.
      power: α.

    References:
      [1] Polyak, Juditsky, Acceleration of Stochastic Approximation by Averaging,
        SIAM J. Control Optim. 30(4), 1992; the schedule is that of PyTorch's ASGD.
    """

    decay: float = 0.0005
    power: float = 0.75

    def apply(
        self,
        step: tf.Tensor,
        parameters: Parameters,
        gradients: Parameters,
        rate: tf.Tensor,
        state: Any,
    ) -> tuple[Parameters, Any]:
        """See the class."""
        rate = rate / (1 + self.decay * rate * step) ** self.power
        decayed = {
            name: value * (1 - self.decay * add_axes(rate, value))
            for name, value in parameters.items()
        }
        return super().apply(step, decayed, gradients, rate, state)


@dataclass(frozen=True)
class Adam:
    """Adam, with its authors' constants.

    Attributes:
      first: decay of the mean gradient, β₁.
      second: decay of the mean squared gradient, β₂.
      epsilon: keeps the division finite.

    References:
      Kingma, Ba, Adam: A Method for Stochastic Optimization, ICLR 2015.
    """

    first: float = 0.9
    second: float = 0.999
    epsilon: float = 1e-8

    def init(self, parameters: Parameters) -> Any:
        """Both means are 0."""
        zeros = {name: tf.zeros_like(value) for name, value in parameters.items()}
        return zeros, zeros

    def apply(
        self,
        step: tf.Tensor,
        parameters: Parameters,
        gradients: Parameters,
        rate: tf.Tensor,
        state: Any,
    ) -> tuple[Parameters, Any]:
        """See the reference, algorithm 1."""

        def blend(decay: float, old: Any, new: Any) -> Any:
            return tf.nest.map_structure(
                lambda a, b: decay * a + (1 - decay) * b, old, new
            )

        squares = tf.nest.map_structure(tf.square, gradients)
        mean = blend(self.first, state[0], gradients)
        square = blend(self.second, state[1], squares)
        first = 1 - self.first ** (step + 1)
        second = 1 - self.second ** (step + 1)
        moved = {
            name: value
            - add_axes(rate, value)
            * (mean[name] / first)
            / (tf.sqrt(square[name] / second) + self.epsilon)
            for name, value in parameters.items()
        }
        return moved, (mean, square)


OPTIMIZERS: Final[dict[str, Optimizer]] = {
    "asgd": AveragedSGD(),
    "adam": Adam(),
    "sgd": SGD(),
}


def add_axes(tensor: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """`[V]` or `[N, V]`, with axes of size 1 to broadcast against `[N, V, ...]`."""
    return tensor[(..., *[tf.newaxis] * (like.shape.rank - 2))]
