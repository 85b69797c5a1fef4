"""What the solvers of equations have in common."""

import abc
from typing import Any, ClassVar

import tensorflow as tf

from wiberg_tf._equations import Equations
from wiberg_tf._options import check_counts
from wiberg_tf._solution import Status
from wiberg_tf._tracing import TracedByValue


class RootSolver(TracedByValue, abc.ABC):
    """An iterative solver of equations: the four steps of a `Solver`.

    States are nests of tensors with the batch axes first. Systems that are done stop
    changing while the others go on, so `terminate` must look at the state alone.
    """

    max_iterations: int
    by_steps: ClassVar[bool] = False

    @abc.abstractmethod
    def init(self, equations: Equations, x: tf.Tensor) -> Any:
        """The state at the start vector `[*batch, n]`."""

    @abc.abstractmethod
    def step(self, equations: Equations, state: Any) -> Any:
        """The state after one iteration."""

    @abc.abstractmethod
    def terminate(self, state: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Whether each system is done, bool `[*batch]`, and its status."""

    @abc.abstractmethod
    def postprocess(self, state: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """X `[*batch, n]`, ½ |F|² `[*batch]` and F `[*batch, n]` at the end."""


def check_limits(rtol: float | None, atol: float, max_iterations: int) -> None:
    """Refuses limits that are none.

    Raises:
      ValueError: for them.
    """
    check_counts(max_iterations=max_iterations)
    if rtol is not None and not 0 < rtol < 1:
        raise ValueError(f"`rtol` must be above 0 and below 1; received {rtol}")
    if not 0 <= atol < float("inf"):
        raise ValueError(f"`atol` must be finite and >= 0; received {atol}")


def ended_at_root(
    residual: tf.Tensor, solved: tf.Tensor, obstacle: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """A solver's `terminate`: solved, stuck, or values that are lost.

    Args:
      residual: `[*batch, n]`.
      solved: bool `[*batch]`.
      obstacle: int32 `[*batch]`, `Status.CONVERGED` while steps can be made, else the
        reason why not.
    """
    finite = tf.reduce_all(tf.math.is_finite(residual), -1)
    status = tf.where(solved, int(Status.CONVERGED), obstacle)
    status = tf.where(finite, status, int(Status.NOT_FINITE))
    return solved | (obstacle != int(Status.CONVERGED)) | ~finite, status
