"""The solver of the damped system that an option stands for."""

from typing import Any, Literal

from wiberg_tf._linear.conjugate_gradient import CG
from wiberg_tf._linear.dense import DENSE_LIMIT, Dense
from wiberg_tf._linear.minimum_norm import MinimumNorm
from wiberg_tf._linear.minres import MINRES
from wiberg_tf._linear.solver import LinearSolver
from wiberg_tf._linear.structured import LinearSolve, Structured

# What a derivative's `linear_solve` may be.
Choice = (
    Literal["auto", "dense", "cg", "minres", "minimum-norm"]
    | LinearSolver
    | LinearSolve
)

_WORDS = {
    "dense": Dense(),
    "cg": CG(),
    "minres": MINRES(),
    "minimum-norm": MinimumNorm(),
}


def check_choice(choice: Any, indefinite: Any) -> None:
    """Refuses what names no solver, or one that does not do what is asked for.

    Raises:
      ValueError: for it.
    """
    word = isinstance(choice, str) and choice in ("auto", *_WORDS)
    # A class is callable too: wt.CG is not yet a solver.
    own = callable(choice) and not isinstance(choice, type)
    if not (word or own or isinstance(choice, LinearSolver)):
        raise ValueError(
            "`linear_solve` must be auto, dense, cg, minres, minimum-norm, a solver "
            f"such as wt.CG(tolerance=1e-6), or a callable; received {choice!r}"
        )
    if indefinite not in ("refuse", "solve"):
        raise ValueError(
            f"`indefinite` must be refuse or solve; received {indefinite!r}"
        )
    named = _WORDS.get(choice) if isinstance(choice, str) else choice
    if (
        indefinite == "solve"
        and isinstance(named, LinearSolver)
        and not named.takes_indefinite
    ):
        raise ValueError(
            "`linear_solve` must be dense, minres, minimum-norm or auto with "
            f"indefinite='solve'; received {choice!r}"
        )


def is_own(choice: Choice) -> bool:
    """Whether it is the caller's own function."""
    return not isinstance(choice, str | LinearSolver)


def linear_solver(choice: Choice, size: int, indefinite: bool) -> LinearSolver:
    """The solver for problems of `size` unknowns."""
    if isinstance(choice, LinearSolver):
        return choice
    if not isinstance(choice, str):
        return Structured(choice)
    if choice != "auto":
        return _WORDS[choice]
    if size <= DENSE_LIMIT:
        return _WORDS["dense"]
    return _WORDS["minres" if indefinite else "cg"]
