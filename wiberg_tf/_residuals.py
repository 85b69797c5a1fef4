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
)
from wiberg_tf.losses import Loss, Squared


@dataclass(frozen=True)
class ResidualEnergy:
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
        squared = tf.square(self.residuals(x, *parameters, **named))
        if self.vectors:
            squared = tf.reduce_sum(squared, -1)
        loss = self._loss(*parameters, **named)
        return 0.5 * tf.reduce_sum(loss(squared), -1)

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
            return call_energy(self.residuals, unpacked, problem.parameters)

        # [*batch, m] and [*batch, m, n], or [*batch, m, k] and [*batch, m, k, n]
        residuals, jacobian = _jacobian(evaluate, x)
        if not self.vectors:
            residuals, jacobian = residuals[..., None], jacobian[..., None, :]
        squared = tf.reduce_sum(residuals**2, -1)  # [*batch, m]
        loss = call_energy(
            lambda _, *t, **n: self._loss(*t, **n), x, problem.parameters
        )
        weight, bend = loss.weight_and_curvature(squared)
        curvature = _gram(jacobian, weight[..., None])
        if not exact:
            return curvature
        # ρ′ + 2 s ρ″ is the curvature along the residual itself.
        safe = tf.where(squared > 0, squared, tf.ones_like(squared))
        bend = tf.where(squared > 0, tf.maximum(2 * bend, -weight / safe), 0 * bend)
        along = tf.einsum("...k,...kn->...n", residuals, jacobian)
        return curvature + _gram(along[..., None, :], bend[..., None])


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
    """Σ w j jᵀ over the residuals m and components k of `[*batch, m, k, n]`."""
    shape = tf.shape(jacobian)
    rows = tf.concat([shape[:-3], [-1], shape[-1:]], 0)
    weighted = tf.reshape(jacobian * weight[..., None], rows)
    return tf.matmul(weighted, tf.reshape(jacobian, rows), transpose_a=True)


def _jacobian(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """f, and ∂f/∂x with the axis of x last, by one forward product per unknown.

    A forward product is a reverse product differentiated with respect to the vector it
    multiplies; TensorFlow's own forward mode lacks some operations in graphs.
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
    return value, tf.transpose(columns, [*range(1, columns.shape.rank), 0])
