"""Rows of JAXopt: L-BFGS with its implicit derivative."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jaxopt

from argmin_rows import problems
from argmin_rows.jax_energies import (
    chain_energy,
    chain_loss,
    compiled,
    equilibrium_loss,
    layer,
    logistic_energy,
    logistic_problem,
    robust_energy,
    toy_loss,
)


def toy(problem: problems.Toy) -> dict[str, Callable]:
    loss = toy_loss(_lbfgs(robust_energy))
    return {"JAXopt, L-BFGS": compiled(jax.vmap, loss, *problem[:3])}


def logistic(problem: problems.Logistic) -> dict[str, Callable]:
    loss = logistic_problem(_lbfgs(logistic_energy))
    return {"JAXopt, L-BFGS": compiled(jax.vmap, loss, *problem)}


def chain(problem: problems.Chain) -> dict[str, Callable]:
    loss = chain_loss(_lbfgs(chain_energy))
    return {"JAXopt, L-BFGS, CG": compiled(lambda f: f, loss, *problem)}


def equilibrium(problem: problems.Equilibrium) -> dict[str, Callable]:
    options = {
        "maxiter": 500,
        "tol": problems.TOLERANCE,
        "implicit_diff_solve": functools.partial(
            jaxopt.linear_solve.solve_gmres, tol=problems.TOLERANCE
        ),
    }
    solvers = {
        "JAXopt, Anderson, GMRES": jaxopt.AndersonAcceleration(
            layer, ridge=1e-12, **options
        ),
        "JAXopt, iteration, GMRES": jaxopt.FixedPointIteration(layer, **options),
    }

    def row(solver: Any) -> Callable:
        loss = equilibrium_loss(lambda start, *theta: solver.run(start, *theta).params)
        return compiled(lambda f: f, loss, *problem)

    return {name: row(solver) for name, solver in solvers.items()}


def _lbfgs(energy: Callable) -> Callable:
    solver = jaxopt.LBFGS(
        energy,
        maxiter=500,
        tol=problems.TOLERANCE,
        # The Hessian is definite; by default CG runs on the normal equations, and to
        # 1e-5.
        implicit_diff_solve=functools.partial(
            jaxopt.linear_solve.solve_cg, tol=problems.LINEAR_TOLERANCE
        ),
    )

    def minimise(start: jax.Array, *parameters: Any) -> jax.Array:
        return solver.run(start, *parameters).params

    return minimise
