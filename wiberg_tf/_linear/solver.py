"""What the solvers of the damped system have in common, and checks of their options."""

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import tensorflow as tf

from wiberg_tf._linear.damping import Adaptive
from wiberg_tf._problem import Problem
from wiberg_tf._tracing import TracedByValue


class LinearSolver(TracedByValue, abc.ABC):
    """A way to solve (H + λI) v = u at a minimiser."""

    # Whether H is never formed, so that an adaptive λ must be found beforehand.
    matrix_free: ClassVar[bool] = True
    # Whether it may be asked to solve where H + λI is indefinite.
    takes_indefinite: ClassVar[bool] = True

    @abc.abstractmethod
    def solve(
        self,
        problem: Problem,
        x: tf.Tensor,
        damping: tf.Tensor | Adaptive,
        right: tf.Tensor,
        indefinite: bool,
    ) -> tf.Tensor:
        """Solves the system for each problem of the batch.

        Args:
          problem: the energy.
          x: `[*batch, n]`, where H is taken.
          damping: λ, `[*batch]`; or the rule for it, unless `matrix_free`.
          right: u, `[*batch, n]`.
          indefinite: whether to solve where H + λI is indefinite.

        Returns:
          v, `[*batch, n]`.

        Raises:
          tf.errors.InvalidArgumentError: where there is no v, or it was not found.
        """


@dataclass(frozen=True, kw_only=True)
class IterativeSolver(LinearSolver):
    """One that stops at a residual, or refuses after too many products."""

    tolerance: float | None = None
    max_iterations: int | None = None
    rtol: float | None = None

    def __post_init__(self) -> None:
        if self.tolerance is not None and self.rtol is not None:
            raise ValueError(
                "`tolerance` and `rtol` are the same: give one of them; received "
                f"tolerance={self.tolerance}, rtol={self.rtol}"
            )
        for name in ("tolerance", "rtol"):
            check_tolerance(name, getattr(self, name))
        _check_iterations(self.max_iterations)

    @property
    def relative(self) -> float | None:
        """The relative residual to stop at, under either name."""
        return self.tolerance if self.rtol is None else self.rtol


def check_tolerance(name: str, tolerance: Any) -> None:
    """Refuses a relative residual that is none.

    Raises:
      TypeError: for another kind than a number or None.
      ValueError: for one out of range.
    """
    if tolerance is not None:
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
            raise TypeError(
                f"`{name}` must be a number or None; received {tolerance!r}"
            )
        if not 0 < tolerance < 1:
            raise ValueError(
                f"`{name}` must be above 0 and below 1; received {tolerance}"
            )


def _check_iterations(max_iterations: Any) -> None:
    """Refuses a limit of iterations that is none.

    Raises:
      TypeError: for another kind than an integer or None.
      ValueError: for one out of range.
    """
    if max_iterations is not None:
        if isinstance(max_iterations, bool) or not isinstance(max_iterations, int):
            raise TypeError(
                "`max_iterations` must be an integer or None; "
                f"received {max_iterations!r}"
            )
        if max_iterations < 1:
            raise ValueError(
                f"`max_iterations` must be >= 1; received {max_iterations}"
            )


def default_tolerance(dtype: tf.DType) -> float:
    """The relative residual to stop at: 1e-10 in float64, 1e-5 in float32."""
    return 1e-10 if dtype == tf.float64 else 1e-5


def default_iterations(size: int) -> int:
    """For n unknowns: round-off makes Krylov methods take more than n in practice."""
    return 10 * size
