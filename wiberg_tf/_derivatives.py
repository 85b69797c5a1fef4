"""How gradients flow through a minimiser: trust region, implicit, or unrolled."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

from wiberg_tf._bounds import Restricted
from wiberg_tf._box import Box
from wiberg_tf._linear import (
    DENSE_LIMIT,
    Adaptive,
    insist,
    solve_conjugate_gradient,
    solve_dense,
)
from wiberg_tf._minres import solve_minres
from wiberg_tf._nest import Packing, entry_names
from wiberg_tf._problem import Energy, Problem
from wiberg_tf._solution import Solution

# The caller's own structured solve: `linear_solve(x, parameters, damping, right)`
# returns v with (H(x; parameters) + damping I) v = right, v and right nests like x.
LinearSolve = Callable[[Any, Any, tf.Tensor, Any], Any]
Solve = Callable[..., Solution]


class Derivative(abc.ABC):
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
        """Runs `solve(parameters)` and gives its value a derivative."""


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
      linear_solve: "dense"; "cg" (conjugate gradients on Hessian-vector products, for
        H + λI positive definite); "minres" (minimal residuals on the same, for any);
        "auto" (dense for few unknowns, which `Adaptive` always needs); or the
        caller's own `linear_solve(x, parameters, damping, right)`.
      indefinite: what to do where H + λI is indefinite, so that x is no minimum:
        "refuse" raises; "solve" applies the formula as it stands, unbounded. The
        caller's own solve decides for itself.

    References:
      [1] Toso, Campbell, Russell, Fixing Implicit Derivatives: Trust-Region Based
        Learning of Continuous Energy Functions, NeurIPS 2019.
    """

    damping: float | tf.Tensor | Adaptive | Literal["adaptive"]
    linear_solve: Literal["auto", "dense", "cg", "minres"] | LinearSolve = "auto"
    indefinite: Literal["refuse", "solve"] = "refuse"

    def __post_init__(self) -> None:
        if isinstance(self.damping, str) and self.damping != "adaptive":
            raise ValueError(
                "`damping` must be a number, a tensor or 'adaptive'; "
                f"received {self.damping!r}"
            )
        if isinstance(self.damping, int | float) and not self.damping >= 0:
            raise ValueError(f"`damping` must be >= 0; received {self.damping}")
        if not callable(self.linear_solve) and self.linear_solve not in (
            "auto",
            *_NAMED,
        ):
            raise ValueError(
                f"`linear_solve` must be auto, {', '.join(_NAMED)} or a callable; "
                f"received {self.linear_solve!r}"
            )
        if self.indefinite not in ("refuse", "solve"):
            raise ValueError(
                f"`indefinite` must be refuse or solve; received {self.indefinite!r}"
            )
        if self.indefinite == "solve" and self.linear_solve == "cg":
            raise ValueError(
                "`linear_solve` must be dense, minres or auto with indefinite='solve'; "
                "received 'cg'"
            )
        if self._adaptive and self.linear_solve not in ("auto", "dense"):
            raise ValueError(
                "`linear_solve` must be dense or auto with adaptive damping, which "
                f"needs eigenvalues; received {self.linear_solve!r}"
            )

    @property
    def _adaptive(self) -> Adaptive | None:
        if isinstance(self.damping, str):
            return Adaptive()
        return self.damping if isinstance(self.damping, Adaptive) else None

    def attach(
        self,
        solve: Solve,
        energy: Energy,
        parameters: Any,
        batch_dims: int,
        box: Box | None,
    ) -> Solution:
        """See the base class."""
        if box is not None and callable(self.linear_solve):
            raise ValueError("`linear_solve` of your own does not go with `bounds`")
        parameters = tf.nest.map_structure(_reverse_only, parameters)
        solution = solve(tf.nest.map_structure(tf.stop_gradient, parameters))
        x = tf.nest.map_structure(tf.stop_gradient, solution.value)
        damping = self._per_problem(x, batch_dims)

        # The project's one custom gradient of a minimiser.
        @tf.custom_gradient
        def minimiser(*flat: tf.Tensor) -> tuple[Any, Callable[..., Any]]:
            def backward(*incoming: tf.Tensor) -> list[tf.Tensor]:
                # A gather in the loss gives IndexedSlices.
                dense = [tf.convert_to_tensor(entry) for entry in incoming]
                right = tf.nest.pack_sequence_as(x, dense)
                inputs = tf.nest.pack_sequence_as(parameters, flat)
                problem = Problem(energy, Packing(x, batch_dims), inputs, box)
                v = self._solve(problem, x, damping, right)
                pulled = _pull_back(energy, x, v, parameters, flat, batch_dims)
                return _first_order(pulled, *flat, *dense)

            return tf.nest.flatten(tf.nest.map_structure(tf.identity, x)), backward

        value = tf.nest.pack_sequence_as(x, minimiser(*tf.nest.flatten(parameters)))
        return solution._replace(value=value)

    def _per_problem(self, x: Any, batch_dims: int) -> tf.Tensor | Adaptive:
        """λ as a checked tensor `[*batch]`, or its rule."""
        if self._adaptive:
            return self._adaptive
        packing = Packing(x, batch_dims)
        batch = tf.shape(packing.pack(x))[:-1]
        damping = tf.stop_gradient(tf.convert_to_tensor(self.damping, packing.dtype))
        if isinstance(self.damping, int | float):
            return tf.fill(batch, damping)
        with insist(damping >= 0, "`damping` must be >= 0 for every problem:", damping):
            return tf.broadcast_to(damping, batch)

    def _solve(
        self,
        problem: Problem,
        x: Any,
        damping: tf.Tensor | Adaptive,
        right: Any,
    ) -> Any:
        packing = problem.packing
        if callable(self.linear_solve):
            return self.linear_solve(x, problem.parameters, damping, right)
        flat_x, flat_right = packing.pack(x), packing.pack(right)
        if problem.box is not None:
            _, gradient = problem.value_and_gradient(flat_x)
            held = problem.box.held(flat_x, gradient)
            problem = Restricted(problem, held)
            flat_right = tf.where(held, tf.zeros_like(flat_right), flat_right)
        arguments = problem, flat_x, damping, flat_right
        method: str = self.linear_solve
        if method == "auto":
            small = packing.size <= DENSE_LIMIT or isinstance(damping, Adaptive)
            matrix_free = "cg" if self.indefinite == "refuse" else "minres"
            method = "dense" if small else matrix_free
        if method == "dense":
            v = solve_dense(*arguments, indefinite=self.indefinite == "solve")
        else:
            v = _NAMED[method](*arguments)
        return packing.unpack(v)


def Implicit(
    linear_solve: Literal["auto", "dense", "cg", "minres"] | LinearSolve = "auto",
    indefinite: Literal["refuse", "solve"] = "refuse",
) -> TrustRegion:
    """The implicit derivative dx/dθ = −H⁻¹ ∂²E/∂x∂θ: `TrustRegion` with λ = 0."""
    return TrustRegion(0.0, linear_solve, indefinite)


@dataclass(frozen=True)
class Unrolled(Derivative):
    """Reverse mode through the solver's own operations.

    Exact for what the solver computed, converged or not; memory grows with its
    iterations. Second derivatives work, and forward mode where TensorFlow has it
    (eagerly). The solver must be made of differentiable TensorFlow operations.
    Gradients also flow to tensors and variables that the energy captures. Unlike with
    the other derivatives, a parameter that the energy does not use is an error at once,
    not when its gradient is asked for.

    Attributes:
      checkpoint: keep the state between iterations only, and compute each once more in
        the backward pass: less memory for more time. Then the solver must be a
        `Solver`, gradients reach variables but no tensors that the energy captures,
        and second derivatives are left to plain unrolling.
    """

    checkpoint: bool = False

    def attach(
        self,
        solve: Solve,
        energy: Energy,
        parameters: Any,
        batch_dims: int,
        box: Box | None,
    ) -> Solution:
        """See the base class."""
        del box
        solution = solve(parameters, checkpoint=self.checkpoint)
        packing = Packing(solution.value, batch_dims)
        flat = tuple(tf.identity(entry) for entry in tf.nest.flatten(parameters))
        problem = Problem(energy, packing, tf.nest.pack_sequence_as(parameters, flat))
        # Nobody would call this derivative for such a parameter: TensorFlow gives None.
        _refuse_unused(
            problem,
            tf.stop_gradient(packing.pack(solution.value)),
            flat,
            entry_names(parameters, "parameters"),
        )
        return solution


def _pull_back(
    energy: Energy,
    x: Any,
    v: Any,
    parameters: Any,
    flat: tuple[tf.Tensor, ...],
    batch_dims: int,
) -> list[tf.Tensor]:
    """−∂/∂θ [v · ∂E/∂x(x; θ)], with x and v held fixed."""
    packing = Packing(x, batch_dims)
    flat_x, flat_v = packing.pack(x), packing.pack(v)
    # The tape knows a tensor by its identity: one passed twice, or captured by the
    # energy besides, would get the gradient of all its uses in each place.
    flat = tuple(tf.identity(entry) for entry in flat)
    floating = [entry for entry in flat if entry.dtype.is_floating]

    problem = Problem(energy, packing, tf.nest.pack_sequence_as(parameters, flat))
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(floating)
        _, gradient = problem.value_and_gradient(flat_x)
        product = -tf.reduce_sum(gradient * flat_v)
    pulled = iter(tape.gradient(product, floating))
    gradients = [next(pulled) if entry.dtype.is_floating else None for entry in flat]
    if any(
        g is None and e.dtype.is_floating for g, e in zip(gradients, flat, strict=True)
    ):
        _refuse_unused(problem, flat_x, flat, entry_names(parameters, "parameters"))
    return [
        # A gather in the energy gives IndexedSlices.
        tf.zeros_like(entry) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, entry in zip(gradients, flat, strict=True)
    ]


def _refuse_unused(
    problem: Problem, x: tf.Tensor, flat: tuple[tf.Tensor, ...], names: list[str]
) -> None:
    """Tells a parameter that is not used from one that only shifts the energy."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([entry for entry in flat if entry.dtype.is_floating])
        value = problem.value(x)
    gradients = tape.gradient(value, list(flat))
    for gradient, entry, name in zip(gradients, flat, names, strict=True):
        if gradient is None and entry.dtype.is_floating:
            raise ValueError(
                f"`energy` does not use `{name}`, so the minimiser has no derivative "
                "with respect to it; leave it out of `parameters`"
            )


def _first_order(gradients: list[tf.Tensor], *sources: tf.Tensor) -> list[tf.Tensor]:
    """The gradients, refusing to be differentiated with respect to the sources.

    The backward pass holds x fixed, so differentiating it would give a wrong second
    derivative, or none, without a word.
    """

    @tf.custom_gradient
    def once(*tensors: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
        def refuse(*_: tf.Tensor) -> Any:
            raise tf.errors.UnimplementedError(
                None,
                None,
                "Second derivatives and forward mode (ForwardAccumulator) of a "
                "minimiser are not there with TrustRegion or Implicit; use Unrolled, "
                "or finite differences",
            )

        return [tf.identity(entry) for entry in tensors[: len(gradients)]], refuse

    return once(*gradients, *sources)


def _reverse_only(parameter: tf.Tensor) -> tf.Tensor:
    """The parameter, refusing forward mode, which differentiates its gradient."""

    @tf.custom_gradient
    def identity(tensor: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        return tf.identity(tensor), lambda upstream: _first_order([upstream])

    return identity(parameter) if parameter.dtype.is_floating else parameter


_NAMED = {
    "dense": solve_dense,
    "cg": solve_conjugate_gradient,
    "minres": solve_minres,
}
