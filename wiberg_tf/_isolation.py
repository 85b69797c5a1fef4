"""Problems without a finite minimiser, which must not spoil the others' gradients.

A problem that the caller leaves out of the loss has an upstream gradient of 0, but 0
times NaN is NaN: what its own NaN sample adds to the gradient of a shared parameter
would be lost in all of it.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._nest import select
from wiberg_tf._problem import round_off
from wiberg_tf._solution import Solution, Status

_MESSAGE = (
    "The energy's Hessian at the minimiser is not finite, or the minimiser itself "
    "(of equations, their Jacobian or root); see `status`, and leave such a problem "
    "out of the loss."
)

# An energy and its gradient, of parameters.
Figures = Callable[[Any], tuple[tf.Tensor, ...]]


class Isolation:
    """Which problems are lost, and what their derivative is instead.

    Args:
      x: `[*batch, n]`.
      energy: at x, `[*batch]`.
      gradient_norm: at x, `[*batch]`.
    """

    def __init__(self, x: tf.Tensor, energy: tf.Tensor, gradient_norm: tf.Tensor):
        finite = tf.math.is_finite(energy) & tf.math.is_finite(gradient_norm)
        self._energy = energy
        self._lost = ~(finite & tf.reduce_all(tf.math.is_finite(x), -1))
        # Eagerly it is known that there is nothing to do.
        self._idle = tf.executing_eagerly() and not tf.reduce_any(self._lost)

    def borrow(self, nest: Any) -> Any:
        """The nest, in which lost problems have the rows of the first sound one.

        Rows are those of tensors that begin with the axes of the batch. Whether they
        are a problem's own, `check` finds out.
        """
        return self._borrowed(nest, broken=False)

    def borrow_own(self, parameters: Any, figures: Figures) -> Any:
        """As `borrow` for parameters; only rows that are not finite, if others share.

        What all problems share may begin with the axes of the batch by chance. Other
        rows of it would be another energy of the sound problems.

        Args:
          parameters: the nest θ.
          figures: the energy `[*batch]` and its gradient `[*batch, n]` for a nest θ,
            or other figures that tell one energy from another.
        """
        if not self.has_borrowed:
            return parameters
        every = self._borrowed(parameters, broken=False)
        broken = self._borrowed(parameters, broken=True)
        shared = tf.constant(False)
        for then, now in zip(figures(parameters), figures(every), strict=True):
            axes = [*range(self._lost.shape.rank, then.shape.rank)]
            size = tf.reduce_max(tf.abs(then) + tf.abs(now), axes)
            moved = tf.reduce_max(tf.abs(now - then), axes)
            same = moved <= round_off(then.dtype) ** 0.5 * size
            shared |= tf.reduce_any(~(same | self._lost))
        return tf.nest.map_structure(
            lambda some, all_: some if some is all_ else tf.where(shared, some, all_),
            broken,
            every,
        )

    def _borrowed(self, nest: Any, broken: bool) -> Any:
        if not self.has_borrowed:
            return nest
        return tf.nest.map_structure(lambda entry: self._borrow(entry, broken), nest)

    def _borrow(self, entry: tf.Tensor, broken: bool) -> tf.Tensor:
        """The entry with other rows for lost problems, or for those not finite."""
        lost, rank = self._lost, self._lost.shape.rank
        if not (
            entry.dtype.is_floating
            and entry.shape.rank is not None
            and entry.shape.rank >= rank
            and entry.shape[:rank].is_compatible_with(lost.shape)
        ):
            return entry

        def borrowed() -> tf.Tensor:
            sound = tf.argmin(tf.cast(tf.reshape(lost, [-1]), tf.int32))
            after = tf.shape(entry)[rank:]
            rows = tf.reshape(entry, tf.concat([[-1], after], 0))
            mask = tf.reshape(lost, tf.concat([tf.shape(lost), tf.ones_like(after)], 0))
            if broken:
                inner = [*range(rank, entry.shape.rank)]
                finite = tf.math.is_finite(tf.stop_gradient(entry))
                mask &= ~tf.reduce_all(finite, inner, keepdims=True)

            @tf.custom_gradient
            def lent(entry: tf.Tensor) -> tuple[tf.Tensor, Callable[..., tf.Tensor]]:
                # The sound problem has no part in what comes of a lost one.
                return tf.where(mask, rows[sound], entry), tf.identity

            return lent(entry)

        known = entry.shape[:rank].is_fully_defined() and lost.shape.is_fully_defined()
        if known:
            return borrowed() if lost.shape.num_elements() else entry
        same = tf.reduce_all(tf.shape(entry)[:rank] == tf.shape(lost))
        found = tf.cond(same & (tf.size(lost) > 0), borrowed, lambda: entry)
        # Of a batch of any size a branch forgets what the entry's own axes are.
        found.set_shape(entry.shape)
        return found

    @property
    def has_borrowed(self) -> bool:
        """Whether `borrow` may have changed anything."""
        return not (self._idle or self._lost.shape.rank == 0)

    def check(self, energy: tf.Tensor, before: tf.Tensor | None = None) -> None:
        """Adds the problems whose energy `[*batch]` the borrowed rows have changed.

        Args:
          energy: with borrowed rows.
          before: without; by default that of the constructor.
        """
        if not self.has_borrowed:
            return
        before = self._energy if before is None else before
        near = round_off(energy.dtype) ** 0.5 * (tf.abs(energy) + tf.abs(before))
        changed = ~(tf.abs(energy - before) <= near)
        self._lost |= changed & tf.reduce_any(self._lost)

    def lose(self, figures: Any) -> Any:
        """A nest of `[*batch]`, NaN for lost problems."""
        return tf.nest.map_structure(
            lambda entry: tf.where(self._lost, tf.cast(NAN, entry.dtype), entry),
            figures,
        )

    def give_back(self, solution: Solution, initial: Any) -> Solution:
        """The solution, in which lost problems stay where they started."""
        if not self.has_borrowed:
            return solution
        nan = tf.cast(NAN, self._energy.dtype)
        stats = solution.stats
        return Solution(
            tf.nest.map_structure(self._stay, initial, solution.value),
            tf.where(self._lost, int(Status.NOT_FINITE), solution.status),
            stats._replace(
                iterations=tf.where(self._lost, 0, stats.iterations),
                energy=tf.where(self._lost, nan, stats.energy),
                gradient_norm=tf.where(self._lost, nan, stats.gradient_norm),
            ),
        )

    def _stay(self, start: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        """The start for lost problems, whose gradient is NaN unless it is 0."""

        @tf.custom_gradient
        def stay(
            start: tf.Tensor, value: tf.Tensor
        ) -> tuple[tf.Tensor, Callable[..., Any]]:
            def backward(upstream: Any) -> tuple[tf.Tensor, tf.Tensor]:
                # A gather in the loss gives IndexedSlices.
                upstream = tf.convert_to_tensor(upstream)
                nan = tf.where(upstream != 0, tf.cast(NAN, upstream.dtype), 0)
                of_start = select(self._lost, nan, tf.zeros_like(nan))
                return of_start, select(self._lost, nan, upstream)

            return select(self._lost, start, value), backward

        return stay(start, value)

    def solve(self, solve: Any, right: tf.Tensor) -> tf.Tensor:
        """`solve(right)`, `[*batch, n]`; of lost problems 0 for u = 0, otherwise NaN.

        Raises:
          tf.errors.InvalidArgumentError: for a lost problem with u ≠ 0.
        """
        if self._idle:
            return solve(right)
        asked = self._lost & tf.reduce_any(right != 0, -1)
        # What is NaN already is known to be lost.
        with insist(~asked | tf.reduce_any(tf.math.is_nan(right), -1), _MESSAGE):
            right = tf.where(self._lost[..., None], tf.zeros_like(right), right)
        v = solve(right)
        return tf.where(asked[..., None], tf.cast(NAN, v.dtype), v)

    def spare(self, upstream: tf.Tensor, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The gradients; 0 if all problems are lost, and nobody asks for any.

        Where there is no sound problem to borrow from, 0 times NaN is NaN.
        """
        if self._idle:
            return gradients
        left_out = tf.reduce_all(self._lost) & tf.reduce_all(upstream == 0)
        return [tf.where(left_out, tf.zeros_like(g), g) for g in gradients]


def away_from(x: tf.Tensor) -> tf.Tensor:
    """A point near x, for at 0, roots and minima figures do not say what is in them."""
    return x + round_off(x.dtype) ** 0.25 * (1 + tf.abs(x))


def set_aside(done: tf.Tensor, state: Any, first: Any) -> Any:
    """What a step that is differentiated may take for the states of done problems.

    Their steps are dropped, and have an upstream gradient of 0; the step must not make
    NaN of it. So lost numbers are those of the first state.

    Args:
      done: bool `[*batch]`.
      state: a nest of tensors.
      first: the state at the start.
    """

    def mend(entry: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        if not entry.dtype.is_floating:
            return entry
        return tf.where(tf.math.is_finite(entry), entry, start)

    return select(done, tf.nest.map_structure(mend, state, first), state)
