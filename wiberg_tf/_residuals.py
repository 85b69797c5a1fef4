"""Energies that are sums of (robust) squared residuals, and their curvature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._operations import count_operations, depends, in_reach, is_plain
from wiberg_tf._problem import Problem, call_energy, each_direction, refuse_nest
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
        residuals = self._evaluate(x, *parameters, **named)
        loss = self._loss(*parameters, **named)
        return 0.5 * tf.reduce_sum(as_written(loss)(self._squared(residuals)), -1)

    def _evaluate(self, x: Any, *parameters: Any, **named: Any) -> tf.Tensor:
        residuals = as_written(self.residuals)(x, *parameters, **named)
        refuse_nest(residuals, "residuals")
        return residuals

    def _loss(self, *parameters: Any, **named: Any) -> Loss:
        return (
            self.loss
            if isinstance(self.loss, Loss)
            else as_written(self.loss)(*parameters, **named)
        )

    def _squared(self, residuals: tf.Tensor) -> tf.Tensor:
        """|r|², `[*batch, m]`."""
        squared = tf.square(residuals)
        return tf.reduce_sum(squared, -1) if self.vectors else squared

    def gauss_newton(self, problem: Problem, x: tf.Tensor, exact: bool) -> tf.Tensor:
        """The positive semi-definite curvature `[*batch, n, n]` of the energy.

        It leaves out the curvature of the residuals. `exact` takes that of the loss
        along with it, as far as it is positive (Triggs et al., Bundle Adjustment - A
        Modern Synthesis, 2000, section 4.3); otherwise the loss only weighs.
        """
        residuals, jacobian = self._linearised(problem, x)
        return self._curvature(residuals, jacobian, self._its_loss(problem, x), exact)

    def expand(
        self, problem: Problem, x: tf.Tensor, exact: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | tuple[()]]:
        """E, ∂E/∂x and `gauss_newton`, of one evaluation of the residuals.

        Where bounds hold unknowns their derivative is 0, as of
        `Problem.value_and_free_gradient`. There is no curvature, but (), for what is to
        be differentiated, which goes by TensorFlow's own gradient, and for energies
        whose `__call__` is another one.
        """
        if problem.unrolled or type(self).__call__ is not ResidualEnergy.__call__:
            return *problem.value_and_free_gradient(x), ()
        residuals, jacobian = self._linearised(problem, x)
        loss = self._its_loss(problem, x)
        squared = self._squared(residuals)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(squared)
            each = as_written(loss)(squared)
        # As `_curvature` takes it, so that in graphs it is computed once.
        weight = tape.gradient(each, squared)
        energy = 0.5 * tf.reduce_sum(each, -1)
        slope = (weight[..., None] if self.vectors else weight) * residuals
        if self.vectors:
            gradient = _pull(_flat(jacobian, 1), _flat(slope, 0))
        else:
            gradient = _pull(jacobian, slope)
        curvature = self._curvature(residuals, jacobian, loss, exact)
        energy = tf.ensure_shape(energy, x.shape[:-1])
        return energy, problem.free_gradient(x, gradient), curvature

    def _its_loss(self, problem: Problem, x: tf.Tensor) -> Loss:
        return call_energy(
            lambda _, *t, **n: self._loss(*t, **n), x, problem.parameters
        )

    def _curvature(
        self, residuals: tf.Tensor, jacobian: tf.Tensor, loss: Loss, exact: bool
    ) -> tf.Tensor:
        squared = self._squared(residuals)
        weight, bend = as_written(loss.weight_and_curvature)(squared)
        # ρ′ + 2 s ρ″ is the curvature along the residual itself.
        safe = tf.where(squared > 0, squared, tf.ones_like(squared))
        bend = tf.where(squared > 0, tf.maximum(2 * bend, -weight / safe), 0 * bend)
        if not self.vectors:
            return _gram(jacobian, weight + bend * squared if exact else weight)
        each = weight[..., None] + 0 * residuals
        curvature = _gram(_flat(jacobian, 1), _flat(each, 0))
        if not exact:
            return curvature
        along = tf.reduce_sum(residuals[..., None] * jacobian, -2)
        return curvature + _gram(along, bend)

    def _linearised(
        self, problem: Problem, x: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The residuals, and their derivative after the batch.

        They are `[*batch, m]` and `[*batch, m, n]`, or `[*batch, m, k]` and
        `[*batch, m, k, n]`. In graphs the derivative of residuals that are linear in x
        is taken once, not in every step.
        """

        def evaluate(x: tf.Tensor) -> tf.Tensor:
            unpacked = problem.packing.unpack(x)
            return call_energy(self._evaluate, unpacked, problem.parameters)

        if tf.executing_eagerly() or problem.unrolled:
            return problem.traced("residuals", lambda x: _jacobian(evaluate, x), x)
        known = problem.kept.get("jacobian")
        if known is not None and in_reach(known):
            return evaluate(x), known
        before = count_operations()
        x = tf.identity(x)  # Which may be a parameter, too.
        residuals, jacobian = _jacobian(evaluate, x)
        if not depends(before, jacobian, x):
            problem.kept["jacobian"] = jacobian
        return residuals, jacobian


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


def _pull(jacobian: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Σ s j over the axis m of `[*batch, m, n]`."""
    return tf.linalg.matvec(jacobian, slope, transpose_a=True)


def _gram(jacobian: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Σ w j jᵀ over the axis m of `[*batch, m, n]`."""
    return tf.matmul(jacobian * weight[..., None], jacobian, transpose_a=True)


def _flat(tensor: tf.Tensor, last: int) -> tf.Tensor:
    """Two axes as one, which are the last but for `last` others."""
    shape = tf.shape(tensor)
    end = tensor.shape.rank - last
    joint = [shape[end - 2] * shape[end - 1]]
    return tf.reshape(tensor, tf.concat([shape[: end - 2], joint, shape[end:]], 0))


def _jacobian(
    function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The value `[*batch, ...]`, and its derivative `[*batch, ..., n]` in x.

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
    # Products that sum over residuals are fastest with the axis of x last.
    order = [*range(1, columns.shape.rank), 0]
    return value, tf.transpose(columns, order)
