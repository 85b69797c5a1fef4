"""GMRES: linear systems of any square matrix, by products with it alone."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._linear.length import norm
from wiberg_tf._linear.solver import IterativeSolver, default_tolerance
from wiberg_tf._problem import Problem, round_off

Product = Callable[[tf.Tensor], tf.Tensor]

# Directions between restarts: a usual choice, of which memory is a multiple.
_DIRECTIONS = 30
# Restarts before giving up, unless told otherwise.
_RESTARTS = 50


@dataclass(frozen=True, kw_only=True)
class GMRES(IterativeSolver):
    """Restarted GMRES (Saad and Schultz, SIAM J. Sci. Stat. Comput. 7, 1986).

    For the systems of `root` and `fixed_point`, whose matrices are not symmetric; for
    minimisers `MINRES` needs less memory. It solves where H + λI is indefinite without
    a word, as that does.

    Attributes:
      tolerance: the relative residual to stop at, above 0 and below 1; by default
        1e-10 in float64, 1e-5 in float32.
      max_iterations: the most products of a solve, at least 1; by default 1,500. A
        solve that needs more raises.
      rtol: another name of `tolerance`.
    """

    def solve(
        self,
        problem: Problem,
        x: tf.Tensor,
        damping: tf.Tensor,
        right: tf.Tensor,
        indefinite: bool,
    ) -> tf.Tensor:
        """See the base class."""
        del indefinite
        return self.solve_system(
            lambda d: problem.hessian_product(x, d) + damping[..., None] * d, right
        )

    def solve_system(self, product: Product, right: tf.Tensor) -> tf.Tensor:
        """Solves A v = u.

        Args:
          product: A times `[*batch, n]`.
          right: u, `[*batch, n]`.

        Raises:
          tf.errors.InvalidArgumentError: if the residual stays large.
        """
        relative = self.relative or default_tolerance(right.dtype)
        most = self.max_iterations or _DIRECTIONS * _RESTARTS
        v, solved = gmres(product, right, relative, most)
        message = (
            f"GMRES does not converge to {relative:g} in {most} products: the matrix "
            "is nearly singular, or the limits of wt.GMRES are too tight."
        )
        with insist(solved, message):
            return tf.where(solved[..., None], v, NAN)


def gmres(
    product: Product, right: tf.Tensor, tolerance: float, max_products: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Solves A v = u as well as the number of products allows.

    Returns:
      v, and whether |u − A v| ≤ tolerance · |u|, bool `[*batch]`.
    """
    size = right.shape[-1]
    directions = min(size, _DIRECTIONS, max_products)
    allowed = tolerance * norm(right)

    def unsolved(residual: tf.Tensor) -> tf.Tensor:
        return norm(residual) > allowed  # False for NaN: hopeless

    def cycle(v: tf.Tensor, residual: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        going = unsolved(residual)[..., None]
        better = v + _correction(product, tf.where(going, residual, 0), directions)
        v = tf.where(going, better, v)
        return v, tf.where(going, right - product(v), residual)

    v, residual = tf.while_loop(
        lambda _, residual: tf.reduce_any(unsolved(residual)),
        cycle,
        # A u that is not finite must give a v that is not: 0 * inf is NaN.
        (0 * right, right),
        maximum_iterations=max(1, max_products // directions),
    )
    return v, norm(residual) <= allowed


def _correction(product: Product, residual: tf.Tensor, directions: int) -> tf.Tensor:
    """What lowers |r − A c| most in the space of r, A r, ..., of so many directions."""
    length = norm(residual, keepdims=True)
    there = length > 0
    first = tf.where(there, residual / tf.where(there, length, 1), 0)
    empty = tf.zeros_like(residual)
    count = directions + 1
    basis = tf.stack([first, *[empty] * directions], -2)  # [*batch, count, n]
    zeros = tf.zeros_like(basis[..., :1])[..., 0]  # [*batch, count]
    columns = tf.stack([zeros] * directions, -1)  # [*batch, count, directions]

    def arnoldi(
        step: tf.Tensor, basis: tf.Tensor, columns: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        new = product(tf.gather(basis, step, axis=-2))
        before = norm(new, keepdims=True)
        # Twice is enough (Giraud et al., 2005); rows that are not there yet are 0.
        parts = tf.linalg.matvec(basis, new)
        new -= tf.linalg.matvec(basis, parts, transpose_a=True)
        again = tf.linalg.matvec(basis, new)
        new -= tf.linalg.matvec(basis, again, transpose_a=True)
        after = norm(new, keepdims=True)
        # The space is closed: the solution is in it.
        more = after > round_off(new.dtype) * before
        new = tf.where(more, new / tf.where(more, after, 1), 0)
        at_next = tf.one_hot(step + 1, count, dtype=new.dtype)
        basis += at_next[:, None] * new[..., None, :]
        column = parts + again + tf.where(more, after, 0) * at_next
        at_step = tf.one_hot(step, directions, dtype=new.dtype)
        return step + 1, basis, columns + column[..., None] * at_step

    _, basis, columns = tf.while_loop(
        lambda step, *_: step < directions,
        arnoldi,
        (tf.constant(0), basis, columns),
        maximum_iterations=directions,
    )
    q, r = tf.linalg.qr(columns)
    # Columns behind the end of a closed space are 0.
    pivots = tf.linalg.diag_part(r)
    largest = tf.reduce_max(tf.abs(pivots), -1, keepdims=True)
    gone = tf.abs(pivots) <= round_off(r.dtype) * largest
    r = tf.linalg.set_diag(
        tf.where(gone[..., None] | gone[..., None, :], tf.zeros_like(r), r),
        tf.where(gone, tf.ones_like(pivots), pivots),
    )
    target = tf.where(gone, tf.zeros_like(pivots), length * q[..., 0, :])
    weights = tf.linalg.triangular_solve(r, target[..., None], lower=False)
    return tf.reduce_sum(basis[..., :-1, :] * weights, -2)
