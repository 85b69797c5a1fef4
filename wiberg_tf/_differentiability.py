"""Which derivatives a solve's own operations have, and at what price."""

import enum
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from wiberg_tf._autodiff import first_order
from wiberg_tf._problem import Problem


class Differentiability(enum.Enum):
    """Which derivatives the operations of a solve have; `Derivative.attach` asks.

    Attributes:
      NONE: none: nothing may differentiate them. A problem that is done need not be
        skipped in a loop, and a solver may use operations without a derivative.
      UNROLLED: all that TensorFlow has: reverse mode of any order, forward mode
        eagerly, with respect to parameters and whatever the energy captures. All
        intermediate results are kept, so memory grows with the iterations.
      CHECKPOINTED: first derivatives in reverse mode, with respect to parameters and
        captured variables; captured tensors get None, and second derivatives and
        forward mode raise. Only states between iterations are kept, and each step is
        computed once more. A callable solver has no steps to compute again.
    """

    NONE = "none"
    UNROLLED = "unrolled"
    CHECKPOINTED = "checkpointed"


_REFUSAL = (
    "Second derivatives are not there with Unrolled(checkpoint=True); use Unrolled()"
)
# A solver's `init` or `step`: of a problem and vectors, or a state.
Step = Callable[[Problem, Any], Any]


def checkpointed(plain: Step) -> Step:
    """A solver's step, of which the backward pass keeps the state before it alone."""

    def lean(problem: Problem, state: Any) -> Any:
        inputs = tf.nest.flatten((problem.parameters, state))
        after = list[Any]()

        def run(flat: Sequence[tf.Tensor]) -> list[tf.Tensor]:
            parameters, before = tf.nest.pack_sequence_as(
                (problem.parameters, state), list(flat)
            )
            again = Problem(problem.energy, problem.packing, parameters, problem.box)
            after[:] = [plain(again, before)]
            return tf.nest.flatten(after[0])

        @tf.custom_gradient
        def once(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
            def backward(
                *upstream: tf.Tensor, variables: Sequence[tf.Variable] = ()
            ) -> Any:
                with tf.control_dependencies([u for u in upstream if u is not None]):
                    again = [tf.identity(entry) for entry in flat]
                with tf.GradientTape() as tape:
                    tape.watch([entry for entry in again if entry.dtype.is_floating])
                    outputs = run(again)
                pairs = [
                    (output, gradient)
                    for output, gradient in zip(outputs, upstream, strict=True)
                    if output.dtype.is_floating
                ]
                gradients = _first_order(
                    tape.gradient(
                        [output for output, _ in pairs],
                        [*again, *variables],
                        output_gradients=[gradient for _, gradient in pairs],
                    )
                )
                inner = gradients[: len(again)]
                return (inner, gradients[len(again) :]) if variables else inner

            return [tf.identity(entry) for entry in run(flat)], backward

        outputs = once(*inputs)
        return tf.nest.pack_sequence_as(after[0], outputs)

    return lean


def _first_order(gradients: list[Any]) -> list[tf.Tensor | None]:
    """The gradients, of which some may be None, with second derivatives refused.

    A tensor that the energy captures is no input of the step: the second derivative
    would miss a part of it without a word.
    """
    there = [tf.convert_to_tensor(entry) for entry in gradients if entry is not None]
    guarded = iter(first_order(there, refusal=_REFUSAL))
    return [None if entry is None else next(guarded) for entry in gradients]
