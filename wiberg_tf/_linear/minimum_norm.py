"""The shortest solution of a damped system that may be singular: gauge freedom."""

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._linear.damping import Adaptive
from wiberg_tf._linear.dense import eigen
from wiberg_tf._linear.solver import LinearSolver, check_tolerance
from wiberg_tf._problem import Problem, round_off

_NEGATIVE = (
    "H + damping * I has a negative eigenvalue at the minimiser, beyond `rtol`: x is "
    "no minimum; use TrustRegion with a larger damping. Beside the largest it is"
)
_UNCLEAR = (
    "H + damping * I has an eigenvalue at the minimiser that may be 0 or not; say by "
    "`rtol` of wt.MinimumNorm which are 0, beside the largest. This one is"
)


@dataclass(frozen=True)
class MinimumNorm(LinearSolver):
    """v = (H + λI)⁺ u, by dense eigenvalues: 0 along what leaves the energy as it is.

    For minima with gauge freedom, such as poses up to a common rotation, that other
    solvers refuse: of all movements of the minimiser the derivative is the shortest, in
    the units of x, none of which are equilibrated.

    Attributes:
      rtol: eigenvalues up to this part of the largest count as 0. The freedom's own
        are 0 only as far as x is exact, so it must exceed the solver's tolerance. By
        default 16 n ε, and one above that but below ε^⅔ raises as unclear (under
        `jit_compile=True` v is NaN; there float64 wants 1e-9, and v is exact to 1e-6,
        as XLA's eigenvalues and eigenvectors are).
    """

    rtol: float | None = None
    matrix_free: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_tolerance("rtol", self.rtol)

    def solve(
        self,
        problem: Problem,
        x: tf.Tensor,
        damping: tf.Tensor | Adaptive,
        right: tf.Tensor,
        indefinite: bool,
    ) -> tf.Tensor:
        """See the base class; negative eigenvalues count if `indefinite`."""
        hessian = problem.hessian(x)
        idle = tf.reduce_all(right == 0, -1)
        finite = tf.reduce_all(tf.math.is_finite(hessian), [-2, -1])
        values, vectors = eigen(tf.where(finite[..., None, None], hessian, 0))
        if isinstance(damping, Adaptive):
            norm = tf.reduce_max(tf.abs(values), -1)
            damping = damping.least_damping(tf.reduce_min(values, -1), norm)
        values += damping[..., None]
        largest = tf.reduce_max(tf.abs(values), -1, keepdims=True)
        part = values / tf.where(largest > 0, largest, 1)
        epsilon = round_off(x.dtype)
        limit = 16 * x.shape[-1] * epsilon if self.rtol is None else self.rtol
        counts = tf.abs(part) > limit
        clear = limit if self.rtol is not None else max(limit, epsilon ** (2 / 3))
        unclear = counts & (tf.abs(part) <= clear)
        negative = counts & (part < 0) & (not indefinite)
        usable = finite
        for bad, message in ((negative, _NEGATIVE), (unclear, _UNCLEAR)):
            fine = ~tf.reduce_any(bad, -1)
            shown = tf.where(bad & ~idle[..., None], part, float("inf"))
            with insist(fine | idle, message, tf.reduce_min(shown)):
                usable &= fine
        with insist(
            finite | idle, "The energy's Hessian at the minimiser is not finite."
        ):
            along = tf.linalg.matvec(vectors, right, transpose_a=True)
        counted = tf.where(counts, along / tf.where(counts, values, 1), 0)
        v = tf.linalg.matvec(vectors, counted)
        lost = tf.where(idle[..., None], right, NAN)
        return tf.where(usable[..., None], v, lost)
