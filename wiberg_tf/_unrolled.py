"""Derivatives of a minimiser through the operations of its solver."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from wiberg_tf._autodiff import refuse_forward_mode
from wiberg_tf._box import Box
from wiberg_tf._derivatives import Derivative, Solve, refuse_complex
from wiberg_tf._differentiability import Differentiability
from wiberg_tf._implicit import with_derivative
from wiberg_tf._linear.conjugate_gradient import CG
from wiberg_tf._linearised import Linearised, linearise
from wiberg_tf._nest import Packing, select
from wiberg_tf._problem import Energy, Problem
from wiberg_tf._solution import Solution, Status


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
        `Solver`, gradients reach variables that the energy captures, but eagerly alone,
        and are refused to tensors (unless it captures both) and to an energy that has
        changed since the call; second derivatives and forward mode are refused:
        `differentiability` is `Differentiability.CHECKPOINTED`.

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
        if self.checkpoint:
            refuse_complex(parameters)
            refuse_forward_mode(
                tf.nest.flatten(parameters), "Unrolled(checkpoint=True)", "Unrolled()"
            )
        try:
            solution = solve(parameters, differentiability=self.differentiability)
        except AssertionError:
            # All that TensorFlow says of control flow that its forward mode has not.
            refuse_forward_mode(
                tf.nest.flatten(parameters),
                "Unrolled() and the loops of this solver in a graph",
                "Implicit(), a GradientTape, or call argmin eagerly",
            )
            raise
        packing = Packing(solution.value, batch_dims)
        held = tf.nest.map_structure(tf.stop_gradient, parameters)
        problem = Problem(energy, packing, held)
        # Nobody would call this derivative for such a parameter: TensorFlow gives None.
        linear = linearise(problem, packing.pack(solution.value))
        linear.refuse_unused()
        _refuse_lists(linear)
        if self.checkpoint:
            solution = _without_captures(linear, solution)
        stayed = solution.stats.iterations == 0
        stayed &= solution.status == int(Status.CONVERGED)
        if tf.executing_eagerly() and tf.size(stayed) > 0 and not tf.reduce_any(stayed):
            return solution
        # What has made no step has nothing to be differentiated through.
        exact, _ = with_derivative(
            solution, energy, parameters, batch_dims, box, _solve_by_cg
        )
        value = select(stayed, exact.value, solution.value)
        return solution._replace(value=value)


def _solve_by_cg(problem: Problem, x: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """H v = u: in no iteration where u is 0, as it is unless a problem stayed."""
    damping = tf.zeros_like(right[..., 0])
    return CG().solve(problem, x, damping, right, indefinite=False)


def _refuse_lists(linear: Linearised) -> None:
    """Refuses variants, which TensorFlow differentiates no loop of a graph by.

    Raises:
      tf.errors.UnimplementedError: for a captured one, which is named.
    """
    for entry in linear.elsewhere or []:
        if entry.dtype == tf.variant:
            raise tf.errors.UnimplementedError(
                None,
                None,
                f"`energy` captures `{entry.name}`, a list of tensors or other variant "
                "such as a TensorArray, which Unrolled does not take in a graph; take "
                "tensors out of it before, or use Implicit()",
            )


def _captured_variables(linear: Linearised) -> list[str]:
    """What an energy captures variables by in a graph, for an error."""
    handles = [h for h in linear.elsewhere or [] if h.dtype == tf.resource]
    readers = {reader.type for handle in handles for reader in handle.consumers()}
    if not any("Variable" in kind for kind in readers):
        return []
    with tf.GradientTape() as tape:
        linear.value(linear.point)
    names = [f"`{variable.name}`" for variable in tape.watched_variables()]
    return names or ["a variable"]


def _without_captures(linear: Linearised, solution: Solution) -> Solution:
    """The solution, whose value and energy refuse gradients that tensors would miss.

    What the energy captures is no input of the steps that are computed again. Variables
    are found by TensorFlow; eagerly, beside any, captured tensors are not looked for.
    """
    names = list[str]()
    if linear.elsewhere is not None:
        names = _captured_variables(linear)
        tensors = [entry for entry in linear.elsewhere if entry.dtype != tf.resource]
        by_value, by_energy = tensors, tensors
    else:
        with tf.GradientTape() as tape:
            linear.value(linear.point)
        seen = not tape.watched_variables()
        by_value = [linear.gradient] if seen else []
        by_energy = [linear.value_there] if seen else []

    @tf.custom_gradient
    def refused(tensor: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        def backward(_: tf.Tensor) -> Any:
            raise tf.errors.UnimplementedError(
                None,
                None,
                "`energy` captures a tensor that is differentiated, which "
                "Unrolled(checkpoint=True) does not; make it one of `parameters`, use "
                "tf.stop_gradient on it, or use Unrolled()",
            )

        return tf.identity(tensor), backward

    @tf.custom_gradient
    def beside(value: tf.Tensor, *traps: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            if names:
                # TensorFlow would, in the words of its own graphs.
                raise tf.errors.UnimplementedError(
                    None,
                    None,
                    f"`energy` captures {', '.join(names)}, and in a graph "
                    "Unrolled(checkpoint=True) takes no variables; make them "
                    "`parameters`, or use Unrolled()",
                )
            return upstream, *map(tf.zeros_like, traps)

        return tf.identity(value), backward

    traps = list(map(refused, by_value))
    value = tf.nest.map_structure(lambda entry: beside(entry, *traps), solution.value)
    energy = beside(solution.stats.energy, *map(refused, by_energy))
    return solution._replace(value=value, stats=solution.stats._replace(energy=energy))
