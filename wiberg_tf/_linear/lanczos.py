"""The ends of the Hessian's spectrum from Hessian-vector products."""

from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._linear.checks import NAN, dot, insist
from wiberg_tf._linear.damping import Adaptive
from wiberg_tf._linear.dense import DENSE_LIMIT, eigen_or_nan
from wiberg_tf._linear.length import norm
from wiberg_tf._problem import Problem, round_off


class Ends(NamedTuple):
    """Figures of H, `[*batch]`.

    Attributes:
      smallest: its smallest eigenvalue, from above.
      error: how far below that the process may still expect it: the residual of its
        vector, which is 0 to round-off once the process has converged.
      norm: |H|, its largest |eigenvalue|, from below.
    """

    smallest: tf.Tensor
    error: tf.Tensor
    norm: tf.Tensor


def spectrum_ends(problem: Problem, x: tf.Tensor, products: int) -> Ends:
    """A Lanczos process from a fixed pseudo-random vector, fully re-orthogonalised.

    It finds the ends of the spectrum first, and all eigenvalues once it has made as
    many products as H has different ones (Golub and Van Loan, Matrix Computations,
    4th ed., section 10.1). It keeps one vector per product.

    Args:
      problem: the energy.
      x: `[*batch, n]`, where H is taken.
      products: how many Hessian-vector products to make, at most n.

    Returns:
      NaN for problems whose Hessian is not finite.
    """
    steps = min(products, problem.packing.size)
    start = tf.random.stateless_normal(x.shape[-1:], [2019, 12], dtype=x.dtype)
    start = problem.free(tf.broadcast_to(start, tf.shape(x)))
    initial = _Process(
        tf.zeros(tf.concat([tf.shape(x)[:-1], [steps, x.shape[-1]]], 0), x.dtype),
        _unit(start),
        tf.zeros_like(x[..., :1]),
        tf.zeros(tf.concat([tf.shape(x)[:-1], [steps]], 0), x.dtype),
        tf.zeros(tf.concat([tf.shape(x)[:-1], [steps]], 0), x.dtype),
    )
    noise = 8 * round_off(x.dtype) * x.shape[-1] ** 0.5

    def body(step: tf.Tensor, process: _Process) -> tuple[tf.Tensor, _Process]:
        at = tf.one_hot(step, steps, dtype=x.dtype)
        image = problem.hessian_product(x, process.vector)
        along = dot(process.vector, image)
        size = tf.maximum(process.size, norm(image, keepdims=True))
        basis = process.basis + at[:, None] * process.vector[..., None, :]
        for _ in range(2):  # Once leaves round-off of the size of what was taken away.
            parts = tf.linalg.matvec(basis, image)
            image -= tf.linalg.matvec(basis, parts, transpose_a=True)
        side = norm(image, keepdims=True)
        # Nothing new: the vectors met span a space that H keeps, with all eigenvalues.
        ended = ~(side > noise * size)
        over = dot(process.vector, process.vector) == 0
        # Any value of the spectrum fills the rest of the matrix.
        along = tf.where(over, process.diagonal[..., :1], along)
        side = tf.where(ended & (side >= 0), tf.zeros_like(side), side)  # Keeps NaN.
        return step + 1, _Process(
            basis,
            tf.where(ended, tf.zeros_like(image), _unit(image)),
            size,
            process.diagonal + at * along,
            process.sides + at * side,
        )

    _, process = tf.while_loop(
        lambda step, _: step < steps, body, (0, initial), maximum_iterations=steps
    )
    return _ends(process)


class _Process(NamedTuple):
    basis: tf.Tensor  # [*batch, steps, n]
    vector: tf.Tensor
    size: tf.Tensor
    # Of the tridiagonal matrix, [*batch, steps].
    diagonal: tf.Tensor
    sides: tf.Tensor


def _ends(process: _Process) -> Ends:
    sides = process.sides[..., :-1]
    matrix = tf.linalg.diag(process.diagonal)
    matrix += tf.linalg.diag(sides, k=1) + tf.linalg.diag(sides, k=-1)
    finite = tf.reduce_all(tf.math.is_finite(matrix), [-2, -1])
    # `eigh` may not see a NaN.
    values, vectors = tf.linalg.eigh(tf.where(finite[..., None, None], matrix, 0))
    residuals = process.sides[..., -1:] * tf.abs(vectors[..., -1, :])
    ends = Ends(values[..., 0], residuals[..., 0], tf.reduce_max(tf.abs(values), -1))
    lost = tf.constant(NAN, values.dtype)
    return Ends(*(tf.where(finite, end, lost) for end in ends))


def _unit(vector: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(vector, norm(vector, keepdims=True))


def adaptive_damping(
    rule: Adaptive, problem: Problem, x: tf.Tensor, right: tf.Tensor
) -> tf.Tensor:
    """λ `[*batch]` by the rule, without forming H.

    Where the process has not converged, λ takes its error on top.

    Raises:
      tf.errors.InvalidArgumentError: for a Hessian that is not finite, of a problem
        with right ≠ 0.
    """
    ends = spectrum_ends(problem, x, rule.products)
    damping = rule.least_damping(ends.smallest - ends.error, ends.norm)
    idle = tf.reduce_all(right == 0, -1)
    finite = tf.math.is_finite(damping)
    with insist(finite | idle, "The energy's Hessian at the minimiser is not finite."):
        return tf.where(finite | ~idle, damping, 0)


def smallest_eigenvalue(problem: Problem, x: tf.Tensor) -> tf.Tensor:
    """Of the Hessian, `[*batch]`; NaN where that is not finite.

    By a dense decomposition, or for many unknowns by Hessian-vector products, which may
    leave it a little too high.
    """
    if problem.packing.size > DENSE_LIMIT:
        return spectrum_ends(problem, x, Adaptive().products).smallest
    values, _ = eigen_or_nan(problem.hessian(x))
    return tf.reduce_min(values, -1)
