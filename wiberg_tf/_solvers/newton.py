"""Newton's method with a backtracking line search, for small dense problems."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._box import restrict
from wiberg_tf._iterate import Solver, ended
from wiberg_tf._linear.dense import eigen, equilibrate, factorise
from wiberg_tf._linear.structured import LinearSolve, solve_structured
from wiberg_tf._problem import Problem, round_off
from wiberg_tf._solution import Status
from wiberg_tf._solvers.line_search import backtrack
from wiberg_tf._stopping import check_limits, settled


class _State(NamedTuple):
    x: tf.Tensor
    energy: tf.Tensor
    gradient: tf.Tensor
    # CONVERGED while steps can be made, else why they cannot.
    obstacle: tf.Tensor
    # E at the start, and whether the relative rule holds.
    first_energy: tf.Tensor
    settled: tf.Tensor


# M⁻¹g and xᵀ diag(M) x, for x and its gradient g after a step of matrix M.
Correct = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
_Taken = tuple[tf.Tensor, tf.Tensor, Correct]


@dataclass(frozen=True, kw_only=True)
class Newton(Solver):
    """Newton's method with the Hessian's eigenvalues made positive.

    The direction is −V |Λ|⁻¹ Vᵀ g with |Λ| floored, which is Newton's direction where
    the Hessian is safely positive definite and a direction of descent elsewhere
    (Nocedal and Wright, Numerical Optimization, 2nd ed., section 3.4). The step is
    halved until the energy falls enough (Armijo).

    With `line_search=False` each step is −(H + λI)⁻¹ g as it stands, towards a saddle
    or a maximum where H + λI is indefinite.

    With a `linear_solve` no matrix is formed: the step is the caller's −(H + λI)⁻¹ g,
    or down the gradient where that leads uphill or is not finite.

    Attributes:
      tolerance: a problem has converged when its gradient norm is at most this, in the
        units of E by those of x; by default `rtol` decides.
      rtol: a problem has converged when the step that is left is about this part of
        the way made, in the metric of the steps (see docs/mathematics.md); by default
        1e-8 in float64, 1e-4 in float32.
      max_iterations: the most steps that any problem takes.
      max_halvings: the most halvings of one step.
      sufficient_decrease: Armijo's constant (Nocedal and Wright, eq. 3.4).
      eigenvalue_floor: the floor of |Λ|, relative to the largest |eigenvalue|; never
        below round-off.
      damping: λ, added to the Hessian's diagonal: a number, or a tensor that
        broadcasts to `[*batch]`. It slows convergence and does not move the minimum.
      line_search: whether to mend the direction and search along it.
      linear_solve: the caller's `linear_solve(x, parameters, damping, right)` for
        matrices with structure, as of `TrustRegion`: one function serves both. It may
        take any positive definite matrix for H, and then decides how fast the steps
        converge, not where.
    """

    tolerance: float | None = None
    rtol: float | None = None
    max_iterations: int = 100
    max_halvings: int = 40
    sufficient_decrease: float = 1e-4
    eigenvalue_floor: float = 1e-12
    damping: float | tf.Tensor = 0.0
    line_search: bool = True
    linear_solve: LinearSolve | None = None
    takes_bounds = True

    def __post_init__(self) -> None:
        check_limits(self.tolerance, self.rtol)

    def init(self, problem: Problem, x: tf.Tensor) -> _State:
        """Evaluates energy and gradient at the start."""
        x = problem.project(x)
        energy, gradient = problem.value_and_free_gradient(x)
        there = tf.reduce_all(gradient == 0, -1)
        obstacle = tf.zeros_like(energy, tf.int32)
        return _State(x, energy, gradient, obstacle, energy, there)

    def step(self, problem: Problem, state: _State) -> _State:
        """One Newton step."""
        if self.linear_solve is not None:
            taken = self._structured_step(problem, state, self.linear_solve)
        else:
            taken = self._dense_step(problem, state)
        x, obstacle, correct = taken
        energy, gradient = problem.value_and_free_gradient(x)
        if self.tolerance is None:
            # Nothing differentiates a decision.
            held = tf.nest.map_structure(tf.stop_gradient, (x, energy, gradient))
            correction, size = correct(held[0], held[2])
            first = tf.stop_gradient(state.first_energy)
            there = settled(held[2], correction, held[1], first, size, self.rtol)
        else:
            there = state.settled
        return _State(x, energy, gradient, obstacle, state.first_energy, there)

    def terminate(self, state: _State) -> tuple[tf.Tensor, tf.Tensor]:
        """Done when the gradient is small, no step descends, or values are lost."""
        return ended(
            state.energy,
            state.gradient,
            self.tolerance,
            state.obstacle,
            state.settled,
        )

    def postprocess(self, state: _State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The last point."""
        return state.x, state.energy, state.gradient

    def curvature(self, problem: Problem, x: tf.Tensor) -> tf.Tensor:
        """The matrix `[*batch, n, n]` of the steps: the Hessian."""
        return problem.hessian(x)

    def _dense_step(self, problem: Problem, state: _State) -> _Taken:
        hessian = self._damped(self.curvature(problem, state.x))
        if problem.box is not None:
            at_bound = problem.box.touched(state.x)
            hessian = restrict(hessian, at_bound & (state.gradient == 0))
        if not self.line_search:
            x, obstacle = _plain_step(state, hessian)
            return problem.project(x), obstacle, by_matrix(_regular(hessian)[0])
        noise = 4 * hessian.shape[-1] * round_off(hessian.dtype)
        even, scale = equilibrate(hessian)
        even += _raising(even, max(self.eigenvalue_floor, noise))
        raised = even / scale / tf.linalg.matrix_transpose(scale)
        x, obstacle = self._descend(
            problem, state, -solve_scaled(raised, state.gradient)
        )
        return x, obstacle, by_matrix(raised)

    def _structured_step(
        self, problem: Problem, state: _State, linear_solve: LinearSolve
    ) -> _Taken:
        damping = tf.convert_to_tensor(self.damping, state.energy.dtype)
        damping = tf.broadcast_to(damping, tf.shape(state.energy))
        step = -solve_structured(
            linear_solve, problem, state.x, damping, state.gradient
        )
        finite = tf.reduce_all(tf.math.is_finite(step), -1)
        if not self.line_search:
            x = tf.where(finite[..., None], state.x + step, state.x)
            obstacle = tf.where(finite, int(Status.CONVERGED), int(Status.SINGULAR))
            return x, obstacle, by_step(state.gradient, step)
        downhill = finite & (tf.reduce_sum(step * state.gradient, -1) < 0)
        step = tf.where(downhill[..., None], step, -state.gradient)
        x, obstacle = self._descend(problem, state, step)
        return x, obstacle, by_step(state.gradient, step)

    def _damped(self, hessian: tf.Tensor) -> tf.Tensor:
        # Problems with lost values are already done; eigh must not see them.
        safe = tf.where(tf.math.is_finite(hessian), hessian, 0)
        damping = tf.convert_to_tensor(self.damping, hessian.dtype)[..., None]
        return safe + damping[..., None] * tf.eye(
            hessian.shape[-1], dtype=hessian.dtype
        )

    def _descend(
        self, problem: Problem, state: _State, direction: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A step that lowers the energy, and whether there is none."""
        x, accepted = self._search(problem, state, direction)
        if problem.box is not None:
            # Projected, only the gradient's direction is sure to lead downhill.
            safe, found = self._search(problem, state, -state.gradient)
            x = tf.where(accepted[..., None], x, safe)
            accepted |= found
        obstacle = tf.where(accepted, int(Status.CONVERGED), int(Status.NO_DESCENT))
        return tf.where(accepted[..., None], x, state.x), obstacle

    def _search(
        self, problem: Problem, state: _State, direction: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The point of a step along the direction, and whether there is one."""
        size, accepted = backtrack(
            problem,
            (state.x, state.energy, state.gradient),
            direction,
            tf.ones_like(state.energy),
            self.sufficient_decrease,
            self.max_halvings,
        )
        return problem.project(state.x + size[..., None] * direction), accepted


def by_matrix(matrix: tf.Tensor) -> Correct:
    """The correction by the matrix of the last step."""
    matrix = tf.stop_gradient(matrix)

    def correct(x: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        diagonal = tf.abs(tf.linalg.diag_part(matrix))
        return solve_scaled(matrix, gradient), tf.reduce_sum(diagonal * x**2, -1)

    return correct


def by_step(gradient: tf.Tensor, step: tf.Tensor) -> Correct:
    """The correction by the last step alone: M as a multiple of the identity."""
    gradient, step = tf.stop_gradient(gradient), tf.stop_gradient(step)
    promised = tf.reduce_sum(tf.abs(gradient * step), -1, keepdims=True)
    length = tf.reduce_sum(gradient**2, -1, keepdims=True)
    inverse = tf.math.divide_no_nan(promised, length)

    def correct(x: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        squared = tf.reduce_sum(x**2, -1)
        return inverse * gradient, tf.math.divide_no_nan(squared, inverse[..., 0])

    return correct


def _plain_step(state: _State, hessian: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The step −(H + λI)⁻¹ g, and whether the matrix is singular."""
    safe, singular = _regular(hessian)
    usable = ~singular[..., None]
    x = tf.where(usable, state.x - _solve(safe, state.gradient), state.x)
    return x, tf.where(singular, int(Status.SINGULAR), int(Status.CONVERGED))


def _regular(hessian: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The matrix, or the identity where it is singular, and whether it is."""
    size = hessian.shape[-1]
    sizes = tf.abs(eigen(equilibrate(tf.stop_gradient(hessian))[0])[0])
    noise = 4 * size * round_off(hessian.dtype) * tf.reduce_max(sizes, -1)
    # A single eigenvalue is as exact as the Hessian itself.
    singular = tf.reduce_min(sizes, -1) <= (noise if size > 1 else 0)
    unit = tf.eye(size, dtype=hessian.dtype)
    return tf.where(singular[..., None, None], unit, hessian), singular


def _solve(matrix: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    if matrix.shape[-1] == 1:
        return right / matrix[..., 0]
    return tf.linalg.solve(matrix, right[..., None])[..., 0]


def solve_scaled(matrix: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """`[*batch, n]`, whose pivots are chosen without regard to the units of x."""
    if matrix.shape[-1] == 1:
        return right / matrix[..., 0]
    even, scale = equilibrate(matrix)
    return scale[..., 0] * _solve(even, scale[..., 0] * right)


def _raising(hessian: tf.Tensor, floor: float) -> tf.Tensor:
    """What to add to V Λ Vᵀ to make it V max(|Λ|, floor · max|Λ|) Vᵀ.

    Zero for a positive definite matrix. Its derivative is written out (divided
    differences of the eigenvalues, Daleckii and Krein), because that of `eigh` alone
    is wrong where eigenvalues coincide, and a Hessian is often the identity.
    A Cholesky factor, which is cheaper than eigenvalues, tells when there are none to
    raise.
    """
    if hessian.shape[-1] == 1:
        return tf.where(hessian == 0, tf.ones_like(hessian), tf.abs(hessian) - hessian)

    @tf.custom_gradient
    def raising(matrix: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
        values, vectors = tf.linalg.eigh(matrix)
        largest = tf.reduce_max(tf.abs(values), -1, keepdims=True)
        size = tf.maximum(tf.abs(values), floor * largest)
        # A zero Hessian leaves steepest descent.
        size = tf.where(largest > 0, size, 1)
        shift = size - values

        def backward(upstream: tf.Tensor) -> tf.Tensor:
            gap = values[..., :, None] - values[..., None, :]
            change = shift[..., :, None] - shift[..., None, :]
            # The derivative of the shift, where eigenvalues coincide.
            raised = size > tf.abs(values)
            tangent = tf.where(raised, -tf.ones_like(size), tf.sign(values) - 1)
            apart = gap != 0
            slope = change / tf.where(apart, gap, 1)
            slope = tf.where(apart, slope, tangent[..., None])
            inner = tf.matmul(vectors, tf.matmul(upstream, vectors), transpose_a=True)
            return _recompose(vectors, slope * inner)

        return _recompose(vectors, tf.linalg.diag(shift)), backward

    return tf.cond(
        _surely_definite(tf.stop_gradient(hessian)),
        lambda: tf.zeros_like(hessian),
        lambda: raising(hessian),
    )


def _surely_definite(matrix: tf.Tensor) -> tf.Tensor:
    """Whether every matrix of the batch is positive definite beyond doubt."""
    diagonal = tf.linalg.diag_part(matrix)
    # TensorFlow logs every failing factorisation; most are foretold by the 2×2 minors.
    minors = diagonal[..., :, None] * diagonal[..., None, :] - matrix**2
    plausible = tf.reduce_all(diagonal > 0) & tf.reduce_all(minors >= 0)
    return tf.cond(
        plausible, lambda: factorise(matrix)[1], lambda: tf.zeros_like(plausible)
    )


def _recompose(vectors: tf.Tensor, inner: tf.Tensor) -> tf.Tensor:
    return tf.matmul(vectors, tf.matmul(inner, vectors, transpose_b=True))
