"""The rule that chooses the damping λ of a derivative, for each problem."""

import math
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._options import check_numbers
from wiberg_tf._tracing import TracedByValue


@dataclass(frozen=True)
class Adaptive(TracedByValue):
    """The smallest λ that makes H + λI safely positive definite, for each problem.

    Its smallest eigenvalue becomes at least m = max(|H| / condition, floor), so that
    |dx/dθ| ≤ |∂²E/∂x∂θ| / m. λ is 0 where H is that well conditioned already, and so
    is the bias. Where H is 0 it has no scale, and m is 1 unless `floor` is given.

    Attributes:
      condition: the largest condition number that is left to H + λI.
      floor: the smallest eigenvalue that is left to H + λI, absolute: it alone bounds
        the derivative at a minimum that is flat in every direction.
      products: where H is not formed, the most Hessian-vector products that are spent
        on its smallest eigenvalue, which may then come out a little too high; each
        keeps a vector of n numbers.
    """

    condition: float = 1e3
    floor: float = 0.0
    products: int = 100

    def __post_init__(self) -> None:
        # An infinite one leaves no smallest eigenvalue, but that of an H of 0.
        if not 1 <= self.condition < math.inf:
            raise ValueError(
                f"`condition` must be finite and >= 1; received {self.condition}"
            )
        check_numbers(floor=self.floor)
        if not self.products >= 1:
            raise ValueError(f"`products` must be >= 1; received {self.products}")

    def least_damping(self, smallest: tf.Tensor, norm: tf.Tensor) -> tf.Tensor:
        """λ for the smallest eigenvalue of H and |H|, each `[*batch]`."""
        least = tf.maximum(norm / self.condition, self.floor)
        least = tf.where(least > 0, least, 1)
        return tf.maximum(least - smallest, 0)


def adaptive_rule(damping: Any) -> Adaptive | None:
    """The rule that a `damping` stands for, if it does for one."""
    if isinstance(damping, str) and damping == "adaptive":
        return Adaptive()
    return damping if isinstance(damping, Adaptive) else None
