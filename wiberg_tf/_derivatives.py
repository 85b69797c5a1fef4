"""How gradients flow through a minimiser: with a trust region, or implicitly."""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from wiberg_tf._as_written import as_written
from wiberg_tf._box import Box
from wiberg_tf._implicit import with_derivative
from wiberg_tf._linear.checks import insist
from wiberg_tf._linear.choice import Choice, check_choice, is_own, linear_solver
from wiberg_tf._linear.damping import Adaptive, adaptive_rule
from wiberg_tf._linear.lanczos import adaptive_damping
from wiberg_tf._nest import Packing, entry_names
from wiberg_tf._problem import Energy, Problem
from wiberg_tf._solution import Solution
from wiberg_tf._tracing import TracedByValue

Solve = Callable[..., Solution]

_NO_DERIVATIVE = (
    "wt.NoDerivative() was asked for, so the minimiser has none; use wt.Implicit(), "
    "wt.TrustRegion(damping) or wt.Unrolled(); a tf.function with it is called outside "
    "of tapes, or within tape.stop_recording()"
)


class Derivative(TracedByValue, abc.ABC):
    """A rule for differentiating the minimiser with respect to the parameters."""

    @abc.abstractmethod
    def attach(
        self,
        solve: Solve,
        energy: Energy,
        parameters: Any,
        batch_dims: int,
        box: Box | None,
    ) -> Solution:
        """Runs the solve and gives its value a derivative.

        Args:
          solve: `solve(parameters, differentiability=Differentiability.NONE)`; its
            operations have the derivatives that are asked for, and no others.
          energy: as of `argmin`.
          parameters: θ, a tuple, list or dict of tensors.
          batch_dims: as of `argmin`.
          box: the bounds, or None.
        """


@dataclass(frozen=True)
class NoDerivative(Derivative):
    """None, where only the minimiser is wanted: the derivative's graph is not made.

    Whoever asks for a gradient of `value` or `stats.energy` gets a `LookupError`, by
    parameters, captures and bounds alike.
    """

    def attach(
        self,
        solve: Solve,
        energy: Energy,
        parameters: Any,
        batch_dims: int,
        box: Box | None,
    ) -> Solution:
        """See the base class."""
        # Tapes trace what is found to all that it depends on, so that none returns a
        # part of a gradient as if it were the whole.
        solution = solve(parameters)
        value, level = tf.nest.map_structure(
            _without_gradient, (solution.value, solution.stats.energy)
        )
        stats = solution.stats._replace(energy=level)
        return solution._replace(value=value, stats=stats)


def _without_gradient(found: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.PreventGradient(input=found, message=_NO_DERIVATIVE)


@dataclass(frozen=True)
class TrustRegion(Derivative):
    """The damped derivative dx/dθ = −(H + λI)⁻¹ ∂²E/∂x∂θ of Toso et al. [1], eq. 7.

    Where H is positive semi-definite, |dx/dθ| ≤ |∂²E/∂x∂θ| / λ: gradients stay
    bounded at flat minima, at the price of a bias that vanishes with λ. The backward
    pass is one damped solve against the incoming gradient and one vector-Jacobian
    product; ∂²E/∂x∂θ is never formed. It raises where H + λI is singular (under
    `jit_compile=True`, which drops assertions, it gives NaN).

    Attributes:
      damping: λ ≥ 0, absolute: a number or a tensor that broadcasts to `[*batch]`; or
        "adaptive", which is `Adaptive()`, or an `Adaptive`: the smallest λ that makes
        H + λI safely positive definite. No gradient flows to it.
      linear_solve: `Dense()`, or "dense"; `CG()`, or "cg" (conjugate gradients on
        Hessian-vector products, for H + λI positive definite); `MINRES()`, or "minres"
        (minimal residuals on the same, for any); `MinimumNorm()`, or "minimum-norm"
        (for singular H + λI, where x may move freely); "auto" (dense for few unknowns,
        conjugate gradients for many); or the caller's own
        `linear_solve(x, parameters, damping, right)`.
      indefinite: what to do where H + λI is indefinite, so that x is no minimum:
        "refuse" raises; "solve" applies the formula as it stands, unbounded. The
        caller's own solve decides for itself, and refuses by returning NaN.

    References:
      [1] Toso, Campbell, Russell, Fixing Implicit Derivatives: Trust-Region Based
        Learning of Continuous Energy Functions, NeurIPS 2019.
    """

    damping: float | tf.Tensor | Adaptive | Literal["adaptive"]
    linear_solve: Choice = "auto"
    indefinite: Literal["refuse", "solve"] = "refuse"

    def __post_init__(self) -> None:
        word = isinstance(self.damping, str) and self.damping != "adaptive"
        if word or self.damping is None or isinstance(self.damping, type):
            raise ValueError(
                "`damping` must be a number, a tensor, 'adaptive' or wt.Adaptive(); "
                f"received {self.damping!r}"
            )
        if isinstance(self.damping, int | float) and not 0 <= self.damping < math.inf:
            raise ValueError(
                f"`damping` must be finite and >= 0; received {self.damping}"
            )
        check_choice(self.linear_solve, self.indefinite)

    def attach(
        self,
        solve: Solve,
        energy: Energy,
        parameters: Any,
        batch_dims: int,
        box: Box | None,
    ) -> Solution:
        """See the base class."""
        if box is not None and is_own(self.linear_solve):
            raise ValueError("`linear_solve` of your own does not go with `bounds`")
        refuse_complex(parameters)
        held = tf.nest.map_structure(tf.stop_gradient, parameters)
        solution = solve(held)
        damping = self._per_problem(solution.value, batch_dims)

        def damped_solve(problem: Problem, x: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
            return self._solve(problem, x, damping, right)

        solution, _ = with_derivative(
            solution, energy, parameters, batch_dims, box, damped_solve
        )
        return solution

    def _per_problem(self, x: Any, batch_dims: int) -> tf.Tensor | Adaptive:
        """λ as a checked tensor `[*batch]`, or its rule."""
        if rule := adaptive_rule(self.damping):
            return rule
        packing = Packing(x, batch_dims)
        vector = packing.pack(x)
        batch = tf.shape(vector)[:-1]
        if isinstance(self.damping, int | float):
            return tf.fill(batch, tf.constant(self.damping, packing.dtype))
        damping = tf.stop_gradient(tf.cast(self.damping, packing.dtype))
        shape = vector.shape[:-1]
        if not _broadcasts(damping.shape, shape):
            raise ValueError(
                f"`damping` must broadcast to the batch {shape}; received shape "
                f"{damping.shape}"
            )
        with insist(damping >= 0, "`damping` must be >= 0 for every problem:", damping):
            return tf.broadcast_to(damping, batch)

    def _solve(
        self,
        problem: Problem,
        x: tf.Tensor,
        damping: tf.Tensor | Adaptive,
        right: tf.Tensor,
    ) -> tf.Tensor:
        indefinite = self.indefinite == "solve"
        solver = linear_solver(self.linear_solve, problem.packing.size, indefinite)
        if isinstance(damping, Adaptive) and solver.matrix_free:
            damping = adaptive_damping(damping, problem, x, right)
        return as_written(solver.solve)(problem, x, damping, right, indefinite)


def refuse_complex(parameters: Any) -> None:
    """Refuses complex parameters, whose gradient would be 0 without a word.

    Raises:
      TypeError: for one, which is named.
    """
    names = entry_names(parameters, "parameters")
    for name, entry in zip(names, tf.nest.flatten(parameters), strict=True):
        if entry.dtype.is_complex:
            raise TypeError(
                f"`{name}` must be real for this derivative: pass its real and "
                f"imaginary parts, or use wt.Unrolled(); received {entry.dtype.name}"
            )


def _broadcasts(shape: tf.TensorShape, target: tf.TensorShape) -> bool:
    try:
        return tf.broadcast_static_shape(shape, target).is_compatible_with(target)
    except ValueError:
        return False


def Implicit(
    linear_solve: Choice = "auto",
    indefinite: Literal["refuse", "solve"] = "refuse",
) -> TrustRegion:
    """The implicit derivative dx/dθ = −H⁻¹ ∂²E/∂x∂θ: `TrustRegion` with λ = 0."""
    return TrustRegion(0.0, linear_solve, indefinite)
