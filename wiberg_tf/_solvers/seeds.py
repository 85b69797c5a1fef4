"""Starts for a solver: the best of some candidates."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._iterate import CallableSolver, Compacted, Seeded, Solver
from wiberg_tf._nest import Packing, entry_names
from wiberg_tf._problem import Problem
from wiberg_tf._tracing import TracedByValue


@dataclass(frozen=True)
class GridSeeds(TracedByValue):
    """Starts a solver from the candidate of least energy.

    `GridSeeds(points)(solver)` is a solver for `argmin`. Of equal candidates the first
    is taken, and one whose energy is not finite never, if there is another. Nothing
    differentiates through the choice; of `initial` only shape and dtype are used.

    Attributes:
      points: a nest like x; each entry has an axis of candidates after the batch axes,
        `[*batch, candidates, ...]`, or `[candidates, ...]` for all problems alike.
    """

    points: Any

    def __call__(self, solver: Solver | CallableSolver | Compacted) -> Seeded:
        """The solver, started from the best candidate."""
        check_solver(solver)
        return Seeded(self, solver)

    def choose(self, problem: Problem, packing: Packing, x: tf.Tensor) -> tf.Tensor:
        """The best candidates, `[*batch, n]`."""
        candidates = self._pack(packing, x)
        # The candidates lead, so that the energy sees its own shapes for each.
        energies = tf.vectorized_map(problem.value, candidates)
        worst = tf.constant(float("inf"), energies.dtype)
        energies = tf.where(tf.math.is_nan(energies), worst, energies)
        best = tf.argmin(energies, 0, tf.int32)
        picked = tf.gather(
            tf.einsum("s...n->...sn", candidates),
            best,
            axis=packing.batch_dims,
            batch_dims=packing.batch_dims,
        )
        return tf.stop_gradient(tf.ensure_shape(picked, x.shape))

    def _pack(self, packing: Packing, x: tf.Tensor) -> tf.Tensor:
        """The candidates as `[candidates, *batch, n]`."""
        initial = packing.unpack(x)
        flat = []
        for name, points, start in zip(
            entry_names(initial, "points"),
            _entries(self.points, initial),
            tf.nest.flatten(initial),
            strict=True,
        ):
            points = tf.stop_gradient(tf.convert_to_tensor(points, start.dtype))
            core = start.shape[packing.batch_dims :]
            shared = points.shape.rank == core.rank + 1
            _check_shape(name, points.shape, core, packing.batch_dims)
            lead = 0 if shared else packing.batch_dims
            order = [lead, *range(lead), *range(lead + 1, points.shape.rank)]
            points = tf.transpose(points, order)
            count = tf.shape(points)[:1]
            if shared:
                ones = [1] * packing.batch_dims
                points = tf.reshape(points, tf.concat([count, ones, core], 0))
            points = tf.broadcast_to(points, tf.concat([count, tf.shape(start)], 0))
            size = core.num_elements()
            batch = tf.shape(x)[:-1]
            flat.append(tf.reshape(points, tf.concat([count, batch, [size]], 0)))
        return tf.concat(flat, -1)


def check_solver(solver: Any) -> None:
    """Refuses what is no solver, such as a solver's class.

    Raises:
      TypeError: for it.
    """
    if isinstance(solver, GridSeeds):
        raise TypeError(
            "`solver` must be a solver; `GridSeeds` becomes one with another: "
            "wt.GridSeeds(points)(wt.Newton())"
        )
    if isinstance(solver, type) or not (
        isinstance(solver, Solver | Compacted | Seeded) or callable(solver)
    ):
        raise TypeError(
            f"`solver` must be a solver, such as wt.Newton(); received {solver!r}"
        )


def _entries(points: Any, initial: Any) -> list[Any]:
    if not tf.nest.is_nested(initial):
        return [points]  # Perhaps a list of numbers.
    tf.nest.assert_same_structure(initial, points)
    return tf.nest.flatten(points)


def _check_shape(
    name: str, received: tf.TensorShape, core: tf.TensorShape, batch_dims: int
) -> None:
    ranks = {core.rank + 1, core.rank + 1 + batch_dims}
    if received.rank not in ranks or not received[
        received.rank - core.rank :
    ].is_compatible_with(core):
        raise ValueError(
            f"`{name}` must have shape [*batch, candidates, *{core}] or "
            f"[candidates, *{core}]; received {received}"
        )
