"""Rows of JAXopt: L-BFGS with its implicit derivative."""

from collections.abc import Callable
from typing import Any

import jax
import jaxopt

from argmin_rows import problems
from argmin_rows.jax_energies import (
    chain_energy,
    chain_loss,
    compiled,
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


def _lbfgs(energy: Callable) -> Callable:
    solver = jaxopt.LBFGS(
        energy,
        maxiter=500,
        tol=problems.TOLERANCE,
        # The Hessian is definite; by default CG runs on the normal equations.
        implicit_diff_solve=jaxopt.linear_solve.solve_cg,
    )

    def minimise(start: jax.Array, *parameters: Any) -> jax.Array:
        return solver.run(start, *parameters).params

    return minimise
