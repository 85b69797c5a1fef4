"""Rows of Optimistix: its quasi-Newton and Newton methods, with `ImplicitAdjoint`."""

from collections.abc import Callable
from typing import Any

import jax
import lineax as lx
import optimistix as optx

from argmin_rows import problems
from argmin_rows.jax_energies import (
    chain_energy,
    chain_loss,
    compiled,
    curved_residuals,
    logistic_energy,
    logistic_problem,
    regression_problem,
    robust_energy,
    toy_loss,
)

_TOLERANCES = {"rtol": problems.TOLERANCE, "atol": problems.TOLERANCE}


def toy(problem: problems.Toy) -> dict[str, Callable]:
    loss = toy_loss(_minimise(robust_energy, optx.BFGS(**_TOLERANCES)))
    return {"Optimistix, BFGS": compiled(jax.vmap, loss, *problem[:3])}


def logistic(problem: problems.Logistic) -> dict[str, Callable]:
    bfgs = logistic_problem(_minimise(logistic_energy, optx.BFGS(**_TOLERANCES)))
    newton = logistic_problem(_root(logistic_energy))
    return {
        "Optimistix, BFGS": compiled(jax.vmap, bfgs, *problem),
        "Optimistix, Newton on the gradient": compiled(jax.vmap, newton, *problem),
    }


def chain(problem: problems.Chain) -> dict[str, Callable]:
    tolerance = problems.LINEAR_TOLERANCE
    adjoint = optx.ImplicitAdjoint(lx.CG(tolerance, tolerance))
    minimise = _minimise(chain_energy, optx.LBFGS(**_TOLERANCES), adjoint)
    loss = chain_loss(minimise)
    return {"Optimistix, L-BFGS, CG": compiled(lambda f: f, loss, *problem)}


def curved(problem: problems.Curved) -> dict[str, Callable]:
    def minimise(start: jax.Array, *parameters: Any) -> jax.Array:
        return optx.least_squares(
            lambda x, parameters: curved_residuals(x, *parameters),
            optx.LevenbergMarquardt(**_TOLERANCES),
            start,
            parameters,
            throw=False,
        ).value

    loss = regression_problem(minimise)
    return {"Optimistix, Levenberg-Marquardt": compiled(jax.vmap, loss, *problem)}


def _minimise(energy: Callable, solver: Any, adjoint: Any = None) -> Callable:
    def minimise(start: jax.Array, *parameters: Any) -> jax.Array:
        return optx.minimise(
            lambda x, parameters: energy(x, *parameters),
            solver,
            start,
            parameters,
            max_steps=500,
            throw=False,
            adjoint=adjoint or optx.ImplicitAdjoint(),
            tags=frozenset({lx.positive_semidefinite_tag}),
        ).value

    return minimise


def _root(energy: Callable) -> Callable:
    def minimise(start: jax.Array, *parameters: Any) -> jax.Array:
        return optx.root_find(
            lambda x, parameters: jax.grad(energy)(x, *parameters),
            optx.Newton(**_TOLERANCES),
            start,
            parameters,
            throw=False,
        ).value

    return minimise
