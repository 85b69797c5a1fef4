"""`argmin`: minimise an energy, and differentiate the minimiser."""

from typing import Any

import tensorflow as tf

from wiberg_tf._as_written import as_written, entry
from wiberg_tf._auxiliary import aux_at, without_aux
from wiberg_tf._bounds import make_box
from wiberg_tf._derivatives import Derivative, Implicit
from wiberg_tf._equality import feasible, reduced, refuse_beside
from wiberg_tf._failures import OnFailure, check_on_failure, heed_failures
from wiberg_tf._iterate import (
    CallableSolver,
    Compacted,
    Seeded,
    Solver,
    given,
    solve,
)
from wiberg_tf._linear.lanczos import smallest_eigenvalue as smallest_eigenvalue_of
from wiberg_tf._nest import Packing, as_inputs
from wiberg_tf._problem import Energy, Problem
from wiberg_tf._solution import Solution
from wiberg_tf._solvers.newton import Newton
from wiberg_tf._solvers.seeds import check_solver
from wiberg_tf._unrolled import Unrolled


@entry
def argmin(
    energy: Energy,
    initial: Any,
    parameters: Any = (),
    *,
    solver: Solver | CallableSolver | Compacted | Seeded | None = None,
    derivative: Derivative | None = None,
    batch_dims: int = 0,
    bounds: tuple[Any, Any] | None = None,
    equality: tuple[Any, Any] | None = None,
    has_aux: bool = False,
    smallest_eigenvalue: bool = False,
    on_failure: OnFailure = "keep",
) -> Solution:
    """Minimises E(x; θ) over x; the minimiser is differentiable in θ.

    Args:
      energy: `energy(x, *parameters)`, or `energy(x, **parameters)` if `parameters` is
        a dict; returns one value per problem, `[*batch]`. Problems of a batch must be
        independent. Write it in TensorFlow operations; it is called under tapes.
      initial: where to start: a tensor or a nest of tensors of one floating dtype,
        each `[*batch, ...]`. A list of numbers is a nest, not a vector. Gradients
        flow to it with `Unrolled` alone: a minimiser does not depend on its start.
      parameters: θ: a tensor, or a tuple, list or dict of tensors, variables or
        nests of them; None is left alone. Gradients flow to every floating entry, and
        to what the energy captures, as it was at this call.
      solver: a `Solver` (default `Newton()`), or any callable `solver(objective,
        initial) -> value`, with `objective(x)` the energy at θ; `GridSeeds` chooses a
        start for any, `Compacted` saves steps of problems that are done.
      derivative: `Implicit()` (default), `TrustRegion(damping)` or `Unrolled()`; or
        `NoDerivative()`, where gradients raise.
      batch_dims: how many leading axes of `initial` index independent problems.
      bounds: (lower, upper) for x, each a number, or a nest like `initial` of what
        broadcasts to its entries. At an active bound the minimiser does not move with
        θ: its derivative is 0, and that of the other unknowns is theirs alone; it moves
        with the bound, which gradients flow to. A callable solver must keep to them
        itself.
      equality: (A, b), to minimise subject to A x = b: A `[*batch, m, n]` or `[m, n]`
        with linearly independent rows, m < n, b `[*batch, m]` or `[m]`; `initial` must
        be one tensor `[*batch, n]`, and is projected. Gradients flow to A and b. The
        solver, a callable one too, sees an orthonormal basis of what is left, of
        which `stats` and a damping λ are. Not with `bounds`.
      has_aux: whether the energy returns `(energy, aux)`, with aux any nest of tensors;
        of a `ResidualEnergy` the residuals return `(residuals, aux)`. `Solution.aux` is
        that of one more evaluation, at the minimiser.
      smallest_eigenvalue: whether to put that of the Hessian at the minimiser into
        `stats`: by a dense decomposition, or for more than 256 unknowns by 100
        Hessian-vector products, which may leave it a little too high.
      on_failure: what the gradient of a problem that has not converged is, by `value`
        and `stats.energy`: "keep", the formula's at the last x; "nan"; or "raise", an
        error in the backward pass (not under `jit_compile=True`, which drops
        assertions). Problems that the loss does not depend on do not count; in forward
        mode, those that do not move.

    Returns:
      A `Solution`: `value` (a nest like `initial`), `status`, `stats` and `aux`.

    Raises:
      TypeError: for arguments of another kind, such as a ragged parameter.
      ValueError: for an energy that does not depend on x or returns another shape
        than `[*batch]`; for a parameter that the energy does not use, which is named,
        when its gradient is taken, or with `Unrolled` at once.

    References:
      Toso, Campbell, Russell, Fixing Implicit Derivatives: Trust-Region Based
      Learning of Continuous Energy Functions, NeurIPS 2019.
    """
    solver = Newton() if solver is None else solver
    derivative = Implicit() if derivative is None else derivative
    _check(energy, solver, derivative)
    check_on_failure(on_failure)
    initial, packing, parameters = as_inputs(initial, parameters, batch_dims)
    alone = without_aux(energy, "energy") if has_aux else energy
    box = make_box(bounds, initial, batch_dims)
    start, theta, points = initial, parameters, None
    if equality is not None:
        refuse_beside(bounds, solver, derivative)
        points, start = feasible(equality, initial, batch_dims)
        alone, theta = reduced(alone, parameters, points)
        packing = Packing(start, batch_dims)
    value, status, stats, _ = as_written(derivative.attach)(
        lambda inputs, **options: solve(
            solver, alone, start, inputs, batch_dims, box, **options
        ),
        alone,
        theta,
        batch_dims,
        box,
    )
    stats = stats._replace(gradient_norm=tf.stop_gradient(stats.gradient_norm))
    if smallest_eigenvalue:
        x, theta = tf.nest.map_structure(tf.stop_gradient, (value, theta))
        problem = Problem(alone, packing, theta)
        least = smallest_eigenvalue_of(problem, packing.pack(x))
        stats = stats._replace(smallest_eigenvalue=least)
    if points is not None:
        value = points.x(value)
    solution = heed_failures(Solution(value, status, stats), on_failure)
    if not has_aux:
        return solution
    return solution._replace(aux=aux_at(energy, "energy", solution.value, parameters))


def _check(energy: Any, solver: Any, derivative: Any) -> None:
    if not callable(energy):
        raise TypeError(f"`energy` must be callable; received {energy!r}")
    check_solver(solver)
    if not isinstance(derivative, Derivative):
        raise TypeError(
            "`derivative` must be a derivative, such as wt.Implicit(); "
            f"received {derivative!r}"
        )
    while isinstance(solver, Seeded):
        solver = solver.solver
    if solver is given and derivative == Unrolled():
        raise ValueError(
            "`solver` wt.given has no steps to differentiate through: use Implicit() "
            "or TrustRegion(damping); received derivative=Unrolled()"
        )
