"""Differentiable minimisers for TensorFlow: learn through `argmin`.

`argmin(energy, initial, parameters, ...)` minimises an energy and returns a minimiser
that can be differentiated with respect to the energy's parameters, with the
trust-region derivative of Toso, Campbell and Russell (NeurIPS 2019), the plain
implicit one, or by unrolling the solver.
"""

import importlib
from typing import Any

from wiberg_tf import losses
from wiberg_tf._argmin import argmin
from wiberg_tf._check_energy import check_energy
from wiberg_tf._derivatives import Derivative, Implicit, NoDerivative, TrustRegion
from wiberg_tf._diagnostics import Diagnostics, diagnose
from wiberg_tf._differentiability import Differentiability
from wiberg_tf._equations import Equations
from wiberg_tf._iterate import Compacted, Solver, ended, given
from wiberg_tf._linear.conjugate_gradient import CG
from wiberg_tf._linear.damping import Adaptive
from wiberg_tf._linear.dense import Dense
from wiberg_tf._linear.gmres import GMRES
from wiberg_tf._linear.minimum_norm import MinimumNorm
from wiberg_tf._linear.minres import MINRES
from wiberg_tf._problem import Problem
from wiberg_tf._residuals import ResidualEnergy
from wiberg_tf._root import Root, RootStats, fixed_point, root
from wiberg_tf._solution import Solution, Stats, Status
from wiberg_tf._solvers.anderson import Anderson
from wiberg_tf._solvers.gradient_descent import GradientDescent
from wiberg_tf._solvers.lbfgs import LBFGS
from wiberg_tf._solvers.least_squares import IRLS, GaussNewton, LevenbergMarquardt
from wiberg_tf._solvers.newton import Newton
from wiberg_tf._solvers.newton_krylov import NewtonKrylov
from wiberg_tf._solvers.roots import RootSolver
from wiberg_tf._solvers.seeds import GridSeeds
from wiberg_tf._unrolled import Unrolled

__all__ = [
    "CG",
    "GMRES",
    "IRLS",
    "LBFGS",
    "MINRES",
    "Adaptive",
    "Anderson",
    "Compacted",
    "Dense",
    "Derivative",
    "Diagnostics",
    "Differentiability",
    "Equations",
    "GaussNewton",
    "GradientDescent",
    "GridSeeds",
    "Implicit",
    "LevenbergMarquardt",
    "MinimumNorm",
    "Newton",
    "NewtonKrylov",
    "NoDerivative",
    "Problem",
    "ResidualEnergy",
    "Root",
    "RootSolver",
    "RootStats",
    "Solution",
    "Solver",
    "Stats",
    "Status",
    "TrustRegion",
    "Unrolled",
    "argmin",
    "check_energy",
    "diagnose",
    "ended",
    "fixed_point",
    "given",
    "losses",
    "root",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Imports `wiberg_tf.keras` when it is first asked for: it needs Keras."""
    if name == "keras":
        return importlib.import_module("wiberg_tf.keras")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
