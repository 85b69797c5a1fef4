"""Energies that are sums of (robust) squared residuals, and their curvature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._problem import (
    Problem,
    call_energy,
    count_operations,
    each_direction,
    is_plain,
    refuse_nest,
)
from wiberg_tf._tracing import TracedByValue
from wiberg_tf.losses import Loss, Squared


@dataclass(frozen=True)
class ResidualEnergy(TracedByValue):
    """E(x; θ) = ½ Σ ρ(|r(x; θ)|²): an energy that shows its residuals to solvers.

    Any solver and any derivative takes it; `GaussNewton`, `LevenbergMarquardt` and
    `IRLS` need it.

    Attributes:
      residuals: `residuals(x, *parameters)`, or with `**parameters`, of shape
        `[*batch, m]`, or `[*batch, m, k]` with `vectors`.
      loss: ρ, from `wt.losses`; or a function of the parameters that returns it, for a
        width that is learnt: `lambda points, width: wt.losses.Huber(width)`.
      vectors: whether the last axis holds the components of one residual, which is
        robust as a whole: |r|² is then the squared length.
    """

    residuals: Callable[..., tf.Tensor]
    loss: Loss | Callable[..., Loss] = Squared()  # noqa: RUF009  It is frozen.
    vectors: bool = False

    def __post_init__(self) -> None:
        if not callable(self.loss):
            raise TypeError(
                "`loss` must be one of wt.losses, such as wt.losses.Huber(1.0), or a "
                f"function that returns one; received {self.loss!r}"
            )

    def __call__(self, x: Any, *parameters: Any, **named: Any) -> tf.Tensor:
        """The energy, `[*batch]`."""
        squared = tf.square(self._evaluate(x, *parameters, **named))
        if self.vectors:
            squared = tf.reduce_sum(squared, -1)
        loss = self._loss(*parameters, **named)
        return 0.5 * tf.reduce_sum(loss(squared), -1)

    def _evaluate(self, x: Any, *parameters: Any, **named: Any) -> tf.Tensor:
        residuals = self.residuals(x, *parameters, **named)
        refuse_nest(residuals, "residuals")
        return residuals

    def _loss(self, *parameters: Any, **named: Any) -> Loss:
        return (
            self.loss
            if isinstance(self.loss, Loss)
            else self.loss(*parameters, **named)
        )

    def gauss_newton(self, problem: Problem, x: tf.Tensor, exact: bool) -> tf.Tensor:
        """The positive semi-definite curvature `[*batch, n, n]` of the energy.

        It leaves out the curvature of the residuals. `exact` takes that of the loss
        along with it, as far as it is positive (Triggs et al., Bundle Adjustment - A
        Modern Synthesis, 2000, section 4.3); otherwise the loss only weighs.
        """

        def evaluate(x: tf.Tensor) -> tf.Tensor:
            unpacked = problem.packing.unpack(x)
            return call_energy(self._evaluate, unpacked, problem.parameters)

        # [*batch, m] and [*batch, n, m], or [*batch, m, k] and [*batch, n, m, k]
        residuals, jacobian = problem.traced(
            "residuals", lambda x: _jacobian(evaluate, x), x
        )
        squared = residuals**2
        if self.vectors:
            squared = tf.reduce_sum(squared, -1)  # [*batch, m]
        loss = call_energy(
            lambda _, *t, **n: self._loss(*t, **n), x, problem.parameters
        )
        weight, bend = loss.weight_and_curvature(squared)
        # ρ′ + 2 s ρ″ is the curvature along the residual itself.
        safe = tf.where(squared > 0, squared, tf.ones_like(squared))
        bend = tf.where(squared > 0, tf.maximum(2 * bend, -weight / safe), 0 * bend)
        if not self.vectors:
            return _gram(jacobian, weight + bend * squared if exact else weight)
        curvature = _gram(_flat(jacobian), _flat(weight[..., None] + 0 * residuals))
        if not exact:
            return curvature
        along = tf.reduce_sum(residuals[..., None, :, :] * jacobian, -1)
        return curvature + _gram(along, bend)


def residual_energy(problem: Problem, solver: object) -> ResidualEnergy:
    """The problem's energy as one of residuals.

    Raises:
      ValueError: if it is not one.
    """
    if not isinstance(problem.energy, ResidualEnergy):
        raise ValueError(
            f"`energy` must be a wt.ResidualEnergy for {type(solver).__name__}; "
            f"received {type(problem.energy).__name__}"
        )
    return problem.energy


def _gram(jacobian: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Σ w j jᵀ over the last axis of `[*batch, n, m]`."""
    weighted = jacobian * weight[..., None, :]
    return tf.matmul(weighted, jacobian, transpose_b=True)


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """The last two axes as one."""
    shape = tf.shape(tensor)
    return tf.reshape(tensor, tf.concat([shape[:-2], [shape[-2] * shape[-1]]], 0))


def _jacobian(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The value `[*batch, ...]`, and its derivative `[*batch, n, ...]` in x.

    One forward product per unknown: a reverse product differentiated with respect
    to the vector it multiplies, for TensorFlow's own forward mode lacks some operations
    in graphs.
    """
    before = count_operations()
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(x)
            value = function(x)
        multiplier = tf.zeros_like(value)
        outer.watch(multiplier)
        pulled = inner.gradient(value, x, multiplier, tf.UnconnectedGradients.ZERO)

    def column(direction: tf.Tensor) -> tf.Tensor:
        tangent = tf.broadcast_to(direction, tf.shape(x))
        return outer.gradient(pulled, multiplier, tangent, tf.UnconnectedGradients.ZERO)

    columns = each_direction(column, x, is_plain(before))
    # The axis of x comes after those of the batch: what lies together stays so.
    batch = x.shape.rank - 1
    order = [*range(1, batch + 1), 0, *range(batch + 1, columns.shape.rank)]
    return value, tf.transpose(columns, order)
