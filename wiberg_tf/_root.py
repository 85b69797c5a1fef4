"""`root` and `fixed_point`: solve equations, and differentiate what solves them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import as_written, entry
from wiberg_tf._autodiff import refuse_forward_mode, refuse_without_tapes
from wiberg_tf._auxiliary import aux_at, without_aux
from wiberg_tf._derivatives import Derivative, Implicit, TrustRegion
from wiberg_tf._equations import Equations, Function
from wiberg_tf._implicit_root import with_derivative
from wiberg_tf._isolation import Isolation, away_from, set_aside
from wiberg_tf._iterate import as_solved, given
from wiberg_tf._linear.dense import Dense
from wiberg_tf._linear.gmres import GMRES
from wiberg_tf._linear.length import norm
from wiberg_tf._loop import flag_not_finite, iterate
from wiberg_tf._nest import as_inputs, select
from wiberg_tf._solution import Solution, Status, raise_if_failed
from wiberg_tf._solvers.anderson import Anderson
from wiberg_tf._solvers.newton_krylov import NewtonKrylov
from wiberg_tf._solvers.roots import RootSolver
from wiberg_tf._unrolled import Unrolled

# The caller's own: `solver(function, initial) -> value`, θ being filled in.
CallableSolver = Callable[[Callable[[Any], Any], Any], Any]


class RootStats(NamedTuple):
    """Figures of a solve, one of each per system.

    Attributes:
      iterations: int32 `[*batch]`, 0 for a solver that does not count.
      residual_norm: `[*batch]`, Euclidean norm of F at the returned value.
    """

    iterations: tf.Tensor
    residual_norm: tf.Tensor


class Root(NamedTuple):
    """The result of `root` and `fixed_point`.

    Attributes:
      value: the root, a nest like `initial`; differentiable with respect to
        `parameters`, and to what the function captures.
      status: int32 `[*batch]`, a `Status` for each system.
      stats: `RootStats` for each system.
      aux: what the function returned besides at `value`, if it `has_aux`, else None.
    """

    value: Any
    status: tf.Tensor
    stats: RootStats
    aux: Any = None

    def raise_if_failed(
        self, *, accept: Sequence[Status] = (Status.NOT_CHECKED,)
    ) -> "Root":
        """Raises where a system is not solved; see `Solution.raise_if_failed`."""
        raise_if_failed(self.status, accept, "system")
        return self


@entry
def root(
    function: Function,
    initial: Any,
    parameters: Any = (),
    *,
    solver: RootSolver | CallableSolver | None = None,
    derivative: Derivative | None = None,
    batch_dims: int = 0,
    has_aux: bool = False,
) -> Root:
    """Solves F(x; θ) = 0 for x; the root is differentiable in θ.

    Its derivative is dx/dθ = −(∂F/∂x)⁻¹ ∂F/∂θ: the backward pass is one solve with the
    transposed Jacobian and one vector-Jacobian product, whatever the solver did.

    Args:
      function: `function(x, *parameters)`, or with `**parameters` if `parameters` is a
        dict; returns a nest like x, one equation per unknown. Systems of a batch must
        be independent.
      initial: where to start, as of `argmin`.
      parameters: θ, as of `argmin`.
      solver: `NewtonKrylov()` (default), `Anderson()`, a `RootSolver` of your own, or
        any callable `solver(function, initial) -> value`; `given` takes
        `initial` for the root.
      derivative: `Implicit()` (default), or with `linear_solve` "dense" or
        `GMRES(...)`; or `Unrolled()`.
      batch_dims: how many leading axes of `initial` index independent systems.
      has_aux: whether the function returns `(value, aux)`, with aux any nest of
        tensors; `Root.aux` is that of one more evaluation, at the root.

    Returns:
      A `Root`.

    Raises:
      TypeError: for arguments of another kind.
      ValueError: for a function that returns another nest, shape or dtype than x; for a
        parameter that it does not use, which is named, when its gradient is taken.
      tf.errors.InvalidArgumentError: where the Jacobian is singular, when a gradient is
        taken (under `jit_compile=True` it is NaN).
    """
    return _solve(
        function,
        initial,
        parameters,
        NewtonKrylov() if solver is None else solver,
        derivative,
        batch_dims,
        has_aux,
        minus_x=False,
    )


@entry
def fixed_point(
    function: Function,
    initial: Any,
    parameters: Any = (),
    *,
    solver: RootSolver | CallableSolver | None = None,
    derivative: Derivative | None = None,
    batch_dims: int = 0,
    has_aux: bool = False,
) -> Root:
    """Solves x = f(x; θ), as a deep equilibrium layer does; differentiable in θ.

    As `root` for F(x; θ) = f(x; θ) − x; the solver is `Anderson()` if left out, and a
    callable solver gets f.

    References:
      Bai, Kolter, Koltun, Deep Equilibrium Models, NeurIPS 2019.
    """
    return _solve(
        function,
        initial,
        parameters,
        Anderson() if solver is None else solver,
        derivative,
        batch_dims,
        has_aux,
        minus_x=True,
    )


def _solve(
    function: Function,
    initial: Any,
    parameters: Any,
    solver: RootSolver | CallableSolver,
    derivative: Derivative | None,
    batch_dims: int,
    has_aux: bool,
    minus_x: bool,
) -> Root:
    derivative = Implicit() if derivative is None else derivative
    _check(function, solver, derivative)
    refuse_without_tapes("function")
    initial, packing, parameters = as_inputs(initial, parameters, batch_dims)
    if any(entry.dtype.is_complex for entry in tf.nest.flatten(parameters)):
        raise TypeError(
            "`parameters` must be real for equations, as two of them, the real and the "
            "imaginary part; received a complex one"
        )

    alone = without_aux(function, "function") if has_aux else function

    def equations(parameters: Any) -> Equations:
        return Equations(alone, packing, parameters, minus_x)

    if isinstance(derivative, TrustRegion):
        refuse_forward_mode(
            tf.nest.flatten(parameters), "Implicit and equations", "Unrolled()"
        )
        found = _run(solver, equations(_still(parameters)), _still(initial))
        x = packing.pack(found.value)
        size, choice = found.stats.residual_norm, derivative.linear_solve
        root = with_derivative(x, size, equations, parameters, choice)
        found = found._replace(value=packing.unpack(root))
    else:
        found = _unrolled(solver, equations, parameters, initial)
    return found._replace(
        stats=_still(found.stats),
        aux=aux_at(function, "function", found.value, parameters) if has_aux else None,
    )


def _still(nest: Any) -> Any:
    return tf.nest.map_structure(tf.stop_gradient, nest)


def _run(
    solver: RootSolver | CallableSolver, equations: Equations, initial: Any
) -> Root:
    packing = equations.packing
    if isinstance(solver, RootSolver):
        return _as_root(_iterated(solver, equations, packing.pack(initial), None))
    value = as_written(solver)(equations.call, initial)
    value = as_solved(initial, value)
    x = packing.pack(value)
    residual = equations.residual(x)
    size = norm(residual)
    status = tf.fill(tf.shape(size), int(Status.NOT_CHECKED))
    return Root(
        value,
        flag_not_finite(status, x, size, residual),
        RootStats(tf.zeros_like(status), size),
    )


def _iterated(
    solver: RootSolver, equations: Equations, x: tf.Tensor, aside: Any
) -> Solution:
    init, step = as_written(solver.init), as_written(solver.step)
    return iterate(solver, init, step, equations, x, True, aside)


def _as_root(ended: Solution) -> Root:
    stats = RootStats(ended.stats.iterations, ended.stats.gradient_norm)
    return Root(ended.value, ended.status, stats)


def _unrolled(
    solver: RootSolver | CallableSolver,
    equations: Callable[[Any], Equations],
    parameters: Any,
    initial: Any,
) -> Root:
    """The root through the solver's operations, or implicitly where it made none."""
    if not isinstance(solver, RootSolver):
        return _run(solver, equations(parameters), initial)
    packing = equations(parameters).packing
    x = packing.pack(initial)
    size = norm(equations(_still(parameters)).residual(tf.stop_gradient(x)))
    faults = Isolation(x, size, size)
    x = faults.borrow(x)
    beside = away_from(tf.stop_gradient(x))
    own = faults.borrow_own(
        parameters, lambda lent: (equations(_still(lent)).residual(beside),)
    )
    ended = _iterated(solver, equations(own), x, set_aside)
    found = _as_root(faults.give_back(ended, initial))
    stayed = (found.stats.iterations == 0) & (found.status == int(Status.CONVERGED))
    if tf.executing_eagerly() and tf.size(stayed) > 0 and not tf.reduce_any(stayed):
        return found
    refuse_forward_mode(
        tf.nest.flatten(parameters),
        "equations in a graph, or that are started at their root",
        "Unrolled() eagerly and another start",
    )
    x = packing.pack(found.value)
    # GMRES makes no product where u is 0, as it is unless a root stayed.
    exact = with_derivative(
        x, found.stats.residual_norm, equations, parameters, GMRES()
    )
    value = select(stayed, packing.unpack(exact), found.value)
    return found._replace(value=value)


def _check(function: Any, solver: Any, derivative: Any) -> None:
    if not callable(function):
        raise TypeError(f"`function` must be callable; received {function!r}")
    if isinstance(solver, type) or not (
        isinstance(solver, RootSolver) or callable(solver)
    ):
        raise TypeError(
            f"`solver` must be a solver, such as wt.NewtonKrylov(); received {solver!r}"
        )
    implicit = (
        isinstance(derivative, TrustRegion)
        and isinstance(derivative.damping, float)
        and derivative.damping == 0
    )
    if not (implicit or derivative == Unrolled()):
        raise ValueError(
            "`derivative` must be wt.Implicit() or wt.Unrolled() for equations; "
            f"received {derivative!r}"
        )
    if solver is given and not implicit:
        raise ValueError(
            "`solver` wt.given has no steps to differentiate through: use Implicit(); "
            "received derivative=Unrolled()"
        )
    if implicit:
        choice = derivative.linear_solve
        words = isinstance(choice, str) and choice in ("auto", "dense")
        if not words and not isinstance(choice, Dense | GMRES):
            raise ValueError(
                "`linear_solve` must be auto, dense or wt.GMRES() for equations; "
                f"received {choice!r}"
            )
