"""Derivatives of a minimiser through the operations of its solver."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._autodiff import refuse_forward_mode
from wiberg_tf._box import Box
from wiberg_tf._derivatives import Derivative, Solve
from wiberg_tf._differentiability import Differentiability
from wiberg_tf._linearised import refuse_unused
from wiberg_tf._nest import Packing
from wiberg_tf._problem import Energy, Problem
from wiberg_tf._solution import Solution


@dataclass(frozen=True)
class Unrolled(Derivative):
    """Reverse mode through the solver's own operations.

    Exact for what the solver computed, converged or not; memory grows with its
    iterations. Plain, second derivatives work, and forward mode where TensorFlow has it
    (eagerly). The solver must be made of differentiable TensorFlow operations.
    Gradients also flow to tensors and variables that the energy captures. Unlike with
    the other derivatives, a parameter that the energy does not use is an error at once,
    not when its gradient is asked for.

    Attributes:
      checkpoint: keep the state between iterations only, and compute each once more in
        the backward pass: less memory for more time. Then the solver must be a
        `Solver`, gradients reach variables but no tensors that the energy captures,
        and second derivatives and forward mode are refused: `differentiability` is
        `Differentiability.CHECKPOINTED`.

    Raises:
      TypeError: for a `checkpoint` that is neither True nor False.
    """

    checkpoint: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.checkpoint, bool):
            raise TypeError(
                f"`checkpoint` must be True or False; received {self.checkpoint!r}"
            )

    @property
    def differentiability(self) -> Differentiability:
        """Which derivatives the solve is asked for."""
        return (
            Differentiability.CHECKPOINTED
            if self.checkpoint
            else Differentiability.UNROLLED
        )

    def attach(
        self,
        solve: Solve,
        energy: Energy,
        parameters: Any,
        batch_dims: int,
        box: Box | None,
    ) -> Solution:
        """See the base class."""
        del box
        if self.checkpoint:
            refuse_forward_mode(
                tf.nest.flatten(parameters), "Unrolled(checkpoint=True)", "Unrolled()"
            )
        solution = solve(parameters, differentiability=self.differentiability)
        packing = Packing(solution.value, batch_dims)
        # One captured by the energy besides is not used for that.
        again = tf.nest.map_structure(tf.identity, parameters)
        flat = tf.nest.flatten(again)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([entry for entry in flat if entry.dtype.is_floating])
            value = Problem(energy, packing, again).value(
                tf.stop_gradient(packing.pack(solution.value))
            )
        # Nobody would call this derivative for such a parameter: TensorFlow gives None.
        refuse_unused(tape.gradient(value, flat), parameters)
        return solution
