"""`root` and `fixed_point`: solve equations, and differentiate what solves them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from wiberg_tf._as_written import as_written, entry
from wiberg_tf._autodiff import (
    refuse_forward_mode,
    refuse_without_tapes,
    with_backward,
)
from wiberg_tf._auxiliary import aux_at, without_aux
from wiberg_tf._derivatives import Derivative, Implicit, TrustRegion
from wiberg_tf._equations import Equations, Function, Linearised, linearise
from wiberg_tf._isolation import Isolation
from wiberg_tf._iterate import as_solved
from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._linear.dense import DENSE_LIMIT, Dense
from wiberg_tf._linear.gmres import GMRES
from wiberg_tf._linear.square import solve_square
from wiberg_tf._linearised import floating_of, spread
from wiberg_tf._loop import flag_not_finite, iterate
from wiberg_tf._nest import as_inputs
from wiberg_tf._problem import round_off
from wiberg_tf._second_order import pull
from wiberg_tf._solution import Status, raise_if_failed
from wiberg_tf._solvers.anderson import Anderson
from wiberg_tf._solvers.newton_krylov import NewtonKrylov
from wiberg_tf._solvers.roots import RootSolver
from wiberg_tf._unrolled import Unrolled

# The caller's own: `solver(function, initial) -> value`, θ being filled in.
CallableSolver = Callable[[Callable[[Any], Any], Any], Any]

_SINGULAR = (
    "The equations' Jacobian is singular at the root, so the root has no derivative "
    "there."
)


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
        # The tape knows a tensor by its identity: one passed twice, or captured by the
        # function besides, would get the gradient of all its uses in each place.
        held = tf.nest.map_structure(
            lambda entry: tf.identity(tf.stop_gradient(entry)), parameters
        )
        start = tf.nest.map_structure(tf.stop_gradient, initial)
        found = _run(solver, equations(held), start)
        x = tf.stop_gradient(packing.pack(found.value))
        faults, point, held = _isolated(found, x, equations, held)
        linear = linearise(equations(held), point)

        def solve(right: tf.Tensor, transposed: bool) -> tf.Tensor:
            return faults.solve(
                lambda right: _solve_system(linear, right, derivative, transposed),
                right,
            )

        flat = tf.nest.flatten(parameters)
        floating = floating_of(flat)
        # Tapes reach what the function captures through its value.
        by_captures = [linear.value] if linear.captures else []
        cell = list[tf.Tensor]()

        def backward(incoming: list[tf.Tensor]) -> list[tf.Tensor]:
            by_value, gradients = pull(
                linear,
                lambda right: solve(right, True),
                lambda right: solve(right, False),
                incoming[0],
                cell[0],
                floating,
            )
            return [*spread(gradients, flat), *[by_value] * len(by_captures)]

        sources = [*flat, *by_captures]
        (root,) = with_backward([x], sources, backward, forward=False)
        cell.append(root)
        found = found._replace(value=packing.unpack(root))
    else:
        found = _run(solver, equations(parameters), initial)
    return found._replace(
        stats=tf.nest.map_structure(tf.stop_gradient, found.stats),
        aux=aux_at(function, "function", found.value, parameters) if has_aux else None,
    )


def _run(
    solver: RootSolver | CallableSolver, equations: Equations, initial: Any
) -> Root:
    packing = equations.packing
    if isinstance(solver, RootSolver):
        ended = iterate(
            solver,
            as_written(solver.init),
            as_written(solver.step),
            equations,
            packing.pack(initial),
            loop=True,
        )
        stats = RootStats(ended.stats.iterations, ended.stats.gradient_norm)
        return Root(ended.value, ended.status, stats)
    value = as_written(solver)(equations.call, initial)
    value = as_solved(initial, value)
    x = packing.pack(value)
    residual = equations.residual(x)
    size = tf.norm(residual, axis=-1)
    status = tf.fill(tf.shape(size), int(Status.NOT_CHECKED))
    return Root(
        value,
        flag_not_finite(status, x, size, residual),
        RootStats(tf.zeros_like(status), size),
    )


def _isolated(
    found: Root, x: tf.Tensor, equations: Callable[[Any], Equations], held: Any
) -> tuple[Isolation, tf.Tensor, Any]:
    """Which systems are lost, and x and θ with rows of a sound one in their places."""
    norm = tf.stop_gradient(found.stats.residual_norm)
    faults = Isolation(x, norm, norm)
    point, borrowed = faults.borrow((x, held))
    if faults.has_borrowed:
        # At roots F is round-off, which says nothing of what it is made of.
        now, before = (
            tf.norm(equations(inputs).residual(_away_from(at)), axis=-1)
            for at, inputs in ((point, borrowed), (x, held))
        )
        faults.check(now, before)
    return faults, point, borrowed


def _away_from(x: tf.Tensor) -> tf.Tensor:
    return x + round_off(x.dtype) ** 0.25 * (1 + tf.abs(x))


def _solve_system(
    equations: Linearised, right: tf.Tensor, derivative: TrustRegion, transposed: bool
) -> tf.Tensor:
    """(∂F/∂x)⁻¹ u or (∂F/∂x)⁻ᵀ u; 0 for a system with u = 0, whatever its Jacobian."""
    choice = derivative.linear_solve
    if choice == "auto":
        choice = Dense() if equations.packing.size <= DENSE_LIMIT else GMRES()
    if isinstance(choice, GMRES):
        x = equations.point
        product = equations.transposed_product if transposed else equations.product
        return choice.solve_system(lambda v: product(x, v), right)
    matrix = equations.jacobian(equations.point)
    matrix = tf.linalg.matrix_transpose(matrix) if transposed else matrix
    v, usable = solve_square(matrix, right)
    # That of a system with u = 0 may be singular.
    usable |= tf.reduce_all(right == 0, -1)
    with insist(usable, _SINGULAR):
        return tf.where(usable[..., None], v, NAN)


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
    if implicit:
        choice = derivative.linear_solve
        words = isinstance(choice, str) and choice in ("auto", "dense")
        if not words and not isinstance(choice, Dense | GMRES):
            raise ValueError(
                "`linear_solve` must be auto, dense or wt.GMRES() for equations; "
                f"received {choice!r}"
            )
