"""Anderson's mixing, for fixed points that iteration alone finds slowly."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from wiberg_tf._equations import Equations
from wiberg_tf._linear.length import norm
from wiberg_tf._linear.solver import default_tolerance
from wiberg_tf._problem import round_off
from wiberg_tf._solution import Status
from wiberg_tf._solvers.roots import RootSolver, check_limits, ended_at_root

# Changes of f(x) up to so many units in the last place, of both, may be round-off.
_ROUNDED = 2


class _State(NamedTuple):
    x: tf.Tensor
    residual: tf.Tensor
    # |f(x) − x|, and |f(x)|.
    size: tf.Tensor
    image: tf.Tensor
    # |f(x)| at the start.
    start: tf.Tensor
    # The largest |f(x) − x| met after the start.
    largest: tf.Tensor
    # The last changes of x and of the residual [*batch, memory, n], newest last; 0
    # where there is none.
    moves: tf.Tensor
    changes: tf.Tensor
    # The last |change of x| / |change of the residual| that say something [*batch,
    # memory], likewise.
    ratios: tf.Tensor
    obstacle: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class Anderson(RootSolver):
    """Anderson's mixing (Walker and Ni, SIAM J. Numer. Anal. 49, 2011) for x = f(x).

    Each step goes to the mixture of the last points whose residuals f(x) − x, taken as
    linear, are smallest. A step after which the residual is several times as large
    forgets what was remembered. For `root` it iterates x + F(x), so F must be written
    such that this contracts.

    Beside an x that runs away any residual is small. So |f(x)| counts only as far as
    iteration may have led: to |f(x)| at the start and √(1 / rtol) of the largest
    residual met after it. And the way that is left must be short, √rtol of |f(x)| here
    or at the start: the residual with round-off's part of f(x), times the most that any
    of the last moves was longer than its change of the residual. Changes that may be
    round-off say nothing, and earlier moves stay the last ones. One move at least is
    made, unless f(x) is x at the start. A far start is no measure: what f makes of it
    is.

    No rule depends on the units of x as a whole.

    Attributes:
      rtol: a problem is solved where |f(x) − x| is at most this part of |f(x)|, and as
        above; by default 1e-10 in float64, 1e-5 in float32. For fixed points at 0
        round-off's part of the largest |f(x) − x| met is small, too.
      atol: or where it is at most this, if above 0, whatever else.
      max_iterations: the most evaluations of any problem after the first.
      memory: how many points are mixed; 0 iterates x ← f(x) alone.
      mixing: β, the part of the residual that a step adds, above 0.
      largest_growth: of the residual in a step, before the memory is given up.
    """

    rtol: float | None = None
    atol: float = 0.0
    max_iterations: int = 200
    memory: int = 5
    mixing: float = 1.0
    largest_growth: float = 4.0

    def __post_init__(self) -> None:
        check_limits(self.rtol, self.atol, self.max_iterations)
        if self.memory < 0:
            raise ValueError(f"`memory` must be >= 0; received {self.memory}")
        if not 0 < self.mixing < float("inf"):
            raise ValueError(f"`mixing` must be above 0; received {self.mixing}")

    def init(self, equations: Equations, x: tf.Tensor) -> _State:
        """Starts without memory."""
        memory = tf.stack([tf.zeros_like(x)] * max(1, self.memory), -2)
        residual = equations.residual(x)
        size, image = norm(residual), norm(x + residual)
        going = tf.zeros_like(size, tf.int32) + int(Status.CONVERGED)
        none = tf.zeros_like(size)
        ratios = tf.zeros_like(memory[..., 0])
        return _State(
            x, residual, size, image, image, none, memory, memory, ratios, going
        )

    def step(self, equations: Equations, state: _State) -> _State:
        """One evaluation."""
        move = self.mixing * state.residual
        if self.memory:
            weights = _least_squares(state.changes, state.residual)
            mixed = state.moves + self.mixing * state.changes
            move -= tf.reduce_sum(mixed * weights[..., None], -2)
        x = state.x + move
        move = x - state.x
        stays = tf.reduce_all(move == 0, -1)
        residual = equations.residual(x)
        change = residual - state.residual
        size, image = norm(residual), norm(x + residual)
        grown = size > self.largest_growth * state.size

        def remember(history: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
            pushed = tf.concat([history[..., 1:, :], new[..., None, :]], -2)
            return tf.where(grown[..., None, None], tf.zeros_like(pushed), pushed)

        images = state.image + image
        ratios = _told(state.ratios, norm(move), norm(change), images, grown)
        return _State(
            x,
            residual,
            size,
            image,
            state.start,
            tf.maximum(state.largest, size),
            remember(state.moves, move),
            remember(state.changes, change),
            ratios,
            tf.where(stays, int(Status.NO_DESCENT), state.obstacle),
        )

    def terminate(self, state: _State) -> tuple[tf.Tensor, tf.Tensor]:
        """See `ended_at_root`."""
        relative = self.rtol or default_tolerance(state.x.dtype)
        part, noise = relative**0.5, round_off(state.x.dtype)
        size, image = state.size, state.image
        reach = tf.minimum(image, state.start + state.largest / part)
        small = size <= tf.maximum(relative * reach, noise * state.largest)
        most = tf.reduce_max(state.ratios, -1)
        left = (size + noise * image) * most
        near = (most > 0) & (left <= part * (image + state.start))
        solved = (tf.maximum(size, state.largest) == 0) | (small & near)
        if self.atol > 0:
            solved |= size <= self.atol
        return ended_at_root(state.residual, solved, state.obstacle)

    def postprocess(self, state: _State) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The last point, ½ |F|² and F."""
        return state.x, 0.5 * state.size**2, state.residual


def _told(
    ratios: tf.Tensor,
    moved: tf.Tensor,
    changed: tf.Tensor,
    images: tf.Tensor,
    grown: tf.Tensor,
) -> tf.Tensor:
    """The last |change of x| / |change of the residual| after one more move.

    Args:
      ratios: before it, `[*batch, memory]`.
      moved: |change of x|, `[*batch]`.
      changed: |change of the residual|.
      images: |f(x)| before and after the move, together.
      grown: whether what was before it is forgotten.
    """
    # f(x) is rounded, and changes by this wherever x goes.
    blur = _ROUNDED * round_off(moved.dtype) * images
    told, last = changed > blur, ratios[..., -1]
    ratio = tf.stop_gradient(moved / tf.where(told, changed, blur))
    # A longer move without more of a change makes the last one's ratio larger.
    ratio = tf.where(told, ratio, tf.where(last > 0, tf.maximum(last, ratio), 0))
    ratios = tf.concat([ratios[..., 1:], ratio[..., None]], -1)
    return tf.where((grown & told)[..., None], tf.zeros_like(ratios), ratios)


def _least_squares(changes: tf.Tensor, residual: tf.Tensor) -> tf.Tensor:
    """The weights `[*batch, memory]` of Σ w c nearest to the residual."""
    # Of one length, so that a ridge of round-off's size is enough for changes that are
    # parallel or not there yet.
    length = norm(tf.stop_gradient(changes))
    there = length > 0
    scale = tf.where(there, 1 / tf.where(there, length, 1), 0)
    unit = changes * scale[..., None]
    gram = tf.matmul(unit, unit, transpose_b=True)
    ridge = 16 * round_off(gram.dtype) * gram.shape[-1]
    gram += tf.linalg.diag(tf.where(there, tf.cast(ridge, gram.dtype), 1))
    right = tf.linalg.matvec(unit, residual)
    return scale * tf.linalg.solve(gram, right[..., None])[..., 0]
