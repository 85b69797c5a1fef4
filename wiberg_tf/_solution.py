"""What a minimisation returns: the minimiser, and how it went, as data."""

import enum
from typing import Any, NamedTuple

import tensorflow as tf


class Status(enum.IntEnum):
    """How the minimisation of one problem ended; `message` says it in words."""

    CONVERGED = 0
    MAX_ITERATIONS = 1
    NO_DESCENT = 2
    NOT_FINITE = 3
    NOT_CHECKED = 4
    SINGULAR = 5

    @property
    def message(self) -> str:
        """The status as a sentence for people."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "The gradient norm is below the tolerance.",
    Status.MAX_ITERATIONS: "The iterations ran out before the gradient was small.",
    Status.NO_DESCENT: "No step lowers the energy, though the gradient is not small.",
    Status.NOT_FINITE: "The energy or its gradient is NaN or infinite.",
    Status.NOT_CHECKED: "The caller's own solver does not say whether it converged.",
    Status.SINGULAR: "The (damped) Hessian is singular, so there is no Newton step.",
}


class Stats(NamedTuple):
    """Figures of a minimisation, one of each per problem.

    Attributes:
      iterations: int32 `[*batch]`, 0 for a solver that does not count.
      energy: `[*batch]`, at the returned value.
      gradient_norm: `[*batch]`, Euclidean norm of the energy's gradient there, without
        unknowns that a bound holds.
      smallest_eigenvalue: `[*batch]`, of the energy's Hessian there; None unless
        `argmin` was asked for it.
    """

    iterations: tf.Tensor
    energy: tf.Tensor
    gradient_norm: tf.Tensor
    smallest_eigenvalue: tf.Tensor | None = None


class Solution(NamedTuple):
    """The result of `argmin`.

    Attributes:
      value: the minimiser, a nest like `initial`; differentiable with respect to
        `parameters`, as the chosen derivative says, and to nothing else.
      status: int32 `[*batch]`, a `Status` for each problem.
      stats: `Stats` for each problem.
    """

    value: Any
    status: tf.Tensor
    stats: Stats
