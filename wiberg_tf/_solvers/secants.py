"""The memory of a quasi-Newton method: pairs of steps and gradient differences."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._nest import select
from wiberg_tf._problem import round_off


class Pair(NamedTuple):
    """A step and the difference of gradients that it made, zeros where it is useless.

    Attributes:
      step: s, `[*batch, n]`.
      difference: y, likewise.
      curvature: s·y, or 1 where the pair is useless, `[*batch]`.
    """

    step: tf.Tensor
    difference: tf.Tensor
    curvature: tf.Tensor

    @classmethod
    def of(cls, step: tf.Tensor, difference: tf.Tensor, told: tf.Tensor) -> "Pair":
        """The pair where it is `told`, bool `[*batch]`, and if it curves upwards."""
        curvature, _, useful = _bent(step, difference)
        useful &= told
        there = useful[..., None]
        return cls(
            tf.where(there, step, 0),
            tf.where(there, difference, 0),
            tf.where(useful, curvature, 1),
        )


def updated(
    solve: Callable[[tf.Tensor], tf.Tensor], pairs: Sequence[Pair], gradient: tf.Tensor
) -> tf.Tensor:
    """M⁻¹g, for a matrix that the BFGS formula makes to agree with the pairs.

    Two loops over the pairs (Nocedal and Wright, Numerical Optimization, 2nd ed.,
    algorithm 7.4), for few of them. M is positive definite if that of `solve` is.

    Args:
      solve: u to M₀⁻¹u for the matrix before all pairs.
      pairs: oldest first.
      gradient: g, `[*batch, n]`.
    """
    parts = list[tf.Tensor]()
    for step, difference, curvature in reversed(pairs):
        parts.append(_dot(step, gradient) / curvature[..., None])
        gradient -= parts[-1] * difference
    found = solve(gradient)
    for step, difference, curvature in pairs:
        part = _dot(difference, found) / curvature[..., None]
        found += (parts.pop() - part) * step
    return found


class Secants(NamedTuple):
    """The last pairs (s, y), and the L-BFGS matrix that they stand for.

    The compact form of the matrix (Byrd, Nocedal and Schnabel, Representations of
    quasi-Newton matrices, Math. Program. 63, 1994, eq. 2.6) needs two products with all
    pairs at once, where the usual two loops go through the pairs one by one.

    Attributes:
      history: the steps, then the differences, `[*batch, 2 memory, n]`. A pair stays in
        its place until it is the oldest, so that nothing large is moved.
      count: how many pairs came in, int32 `[*batch]`; the next goes to place
        `count % memory`.
      along: the last gradient's products with steps, then differences, oldest first,
        `[*batch, 2 memory]`.
      products: sᵢ·yⱼ for i ≤ j, oldest first, `[*batch, memory, memory]`; a diagonal
        entry is 0 where there is no pair.
      squares: yᵢ·yⱼ, likewise.
      scale: γ, the multiple of the identity that the pairs correct, `[*batch]`.
    """

    history: tf.Tensor
    count: tf.Tensor
    along: tf.Tensor
    products: tf.Tensor
    squares: tf.Tensor
    scale: tf.Tensor

    @classmethod
    def none(cls, x: tf.Tensor, memory: int, scale: tf.Tensor) -> "Secants":
        """No pairs, for vectors like x `[*batch, n]`."""
        row = tf.zeros_like(x)
        entries = tf.stack([tf.zeros_like(scale)] * memory, -1)
        square = tf.stack([entries] * memory, -1)
        return cls(
            tf.stack([row] * (2 * memory), -2),
            tf.zeros_like(scale, tf.int32),
            tf.concat([entries, entries], -1),
            square,
            square,
            scale,
        )

    def push(
        self, step: tf.Tensor, difference: tf.Tensor, gradient: tf.Tensor
    ) -> "Secants":
        """With the pair in the oldest one's place, if it curves upwards.

        Args:
          step: s, `[*batch, n]`.
          difference: y, likewise: this gradient less the one before.
          gradient: likewise, after the step.
        """
        curvature, squared, useful = _bent(step, difference)
        written = self._replace(
            history=self._written(tf.stack([step, difference], -2), useful),
            count=tf.where(useful, self.count + 1, self.count),
        )
        along = written._onto_pairs(gradient)
        # Products with y, for which the history need not be read once more.
        steps, differences = (
            tf.concat([after[..., :-1] - before[..., 1:], newest[..., None]], -1)
            for after, before, newest in zip(
                tf.split(along, 2, -1),
                tf.split(self.along, 2, -1),
                (curvature, squared),
                strict=True,
            )
        )
        pushed = (
            _bordered(self.products, steps),
            _bordered(self.squares, differences),
            curvature / tf.where(useful, squared, 1),
        )
        kept = self.products, self.squares, self.scale
        return Secants(*written[:2], along, *select(useful, pushed, kept))

    def forget(self, mask: tf.Tensor) -> "Secants":
        """Without pairs for the problems of the mask, bool `[*batch]`."""
        there = ~mask[..., None, None]
        return self._replace(
            count=tf.where(mask, 0, self.count),
            products=tf.where(there, self.products, 0),
        )

    def solve(self, gradient: tf.Tensor, free: tf.Tensor | None = None) -> tf.Tensor:
        """The approximate H⁻¹ g, `[*batch, n]`.

        Args:
          gradient: g, the last that was pushed, `[*batch, n]`.
          free: the unknowns that count, bool like g. The matrix is then that of the
            pairs restricted to these; the others' g is 0 and so is the result.
        """
        secants = self if free is None else self._restricted(gradient, free)
        diagonal = tf.linalg.diag_part(secants.products)
        there = diagonal > 0
        both = there[..., :, None] & there[..., None, :]
        # R of the formula: upper triangular, and of the identity without a pair.
        upper = tf.where(both, tf.linalg.band_part(secants.products, 0, -1), 0)
        upper += tf.linalg.diag(tf.cast(~there, upper.dtype))
        squares = tf.where(both, secants.squares, 0)
        onto_steps, onto_differences = (
            tf.where(there, part, 0) for part in tf.split(secants.along, 2, -1)
        )
        scale = secants.scale[..., None]
        u = _triangular(upper, onto_steps)
        inner = diagonal * u + scale * (tf.linalg.matvec(squares, u) - onto_differences)
        a = _triangular(upper, inner, adjoint=True)
        weights = secants._in_places(tf.concat([a, -scale * u], -1))
        return scale * gradient + tf.linalg.matvec(
            secants.history, weights, transpose_a=True
        )

    def _restricted(self, gradient: tf.Tensor, free: tf.Tensor) -> "Secants":
        """The pairs within the free unknowns, of those that curve upwards there."""
        memory = self.products.shape[-1]
        history = tf.where(free[..., None, :], self.history, 0)
        within = self._replace(history=history)
        gram = tf.matmul(history, history[..., memory:, :], transpose_b=True)
        order = self._order()
        ranks = order.shape.rank - 1
        gram = tf.gather(gram, order, axis=-1, batch_dims=ranks)
        gram = tf.gather(gram, self._twice(order), axis=-2, batch_dims=ranks)
        products, squares = tf.split(gram, 2, -2)
        curvature = tf.linalg.diag_part(products)
        useful = (curvature > 0) & (tf.linalg.diag_part(self.products) > 0)
        products = tf.where(useful[..., None], products, 0)
        # The newest pair sets the scale.
        newest = tf.argmax(tf.where(useful, tf.range(1, memory + 1), 0), -1, tf.int32)[
            ..., None
        ]
        scale = tf.math.divide_no_nan(curvature, tf.linalg.diag_part(squares))
        scale = tf.gather(scale, newest, batch_dims=ranks)[..., 0]
        return within._replace(
            along=within._onto_pairs(gradient),
            products=products,
            squares=squares,
            scale=tf.where(tf.reduce_any(useful, -1), scale, self.scale),
        )

    def _order(self) -> tf.Tensor:
        """The places of the pairs, oldest first, int32 `[*batch, memory]`."""
        memory = self.products.shape[-1]
        return (self.count[..., None] + tf.range(memory)) % memory

    def _twice(self, places: tf.Tensor) -> tf.Tensor:
        """The places of steps, and then of differences."""
        return tf.concat([places, places + self.products.shape[-1]], -1)

    def _onto_pairs(self, vector: tf.Tensor) -> tf.Tensor:
        """The products of a vector with steps and differences, oldest first."""
        found = tf.linalg.matvec(self.history, vector)
        order = self._twice(self._order())
        return tf.gather(found, order, batch_dims=order.shape.rank - 1)

    def _in_places(self, weights: tf.Tensor) -> tf.Tensor:
        """Weights of steps and differences, oldest first, as the history lies."""
        memory = self.products.shape[-1]
        ages = self._twice((tf.range(memory) - self.count[..., None]) % memory)
        return tf.gather(weights, ages, batch_dims=ages.shape.rank - 1)

    def _written(self, pair: tf.Tensor, useful: tf.Tensor) -> tf.Tensor:
        """The history with `[*batch, 2, n]` in the next place where it is useful."""
        size, memory = self.history.shape[-1], self.products.shape[-1]
        place = self._twice((self.count % memory)[..., None])
        ranks = place.shape.rank - 1
        old = tf.gather(self.history, place, axis=-2, batch_dims=ranks)
        pair = tf.where(useful[..., None, None], pair, old)
        rows = tf.reshape(place, [-1, 2])
        rows += 2 * memory * tf.range(tf.shape(rows)[0])[:, None]
        # Rows of a matrix can be written where they lie.
        written = tf.tensor_scatter_nd_update(
            tf.reshape(self.history, [-1, size]),
            tf.reshape(rows, [-1, 1]),
            tf.reshape(pair, [-1, size]),
        )
        written = tf.reshape(written, tf.shape(self.history))
        written.set_shape(self.history.shape)
        return written


def _bent(
    step: tf.Tensor, difference: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """s·y, y·y, and whether s·y is above 0 beyond round-off, each `[*batch]`."""
    curvature = tf.reduce_sum(step * difference, -1)
    squared = tf.reduce_sum(difference**2, -1)
    sizes = tf.sqrt(tf.reduce_sum(step**2, -1) * squared)
    return curvature, squared, curvature > round_off(step.dtype) * sizes


def _dot(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(a * b, -1, keepdims=True)


def _bordered(matrix: tf.Tensor, border: tf.Tensor) -> tf.Tensor:
    """The matrix without its first row and column, and with new last ones."""
    above = tf.concat([matrix[..., 1:, 1:], border[..., :-1, None]], -1)
    return tf.concat([above, border[..., None, :]], -2)


def _triangular(upper: tf.Tensor, right: tf.Tensor, adjoint: bool = False) -> tf.Tensor:
    return tf.linalg.triangular_solve(
        upper, right[..., None], lower=False, adjoint=adjoint
    )[..., 0]
