"""Which derivatives a solve's own operations have, and at what price."""

import enum
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from wiberg_tf._as_written import later
from wiberg_tf._autodiff import first_order
from wiberg_tf._box import Box
from wiberg_tf._linear.checks import NAN, insist
from wiberg_tf._problem import Problem, round_off


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
_CHANGED = (
    "`energy` is not what it was at the call: it captures something that has changed "
    "since, or is random; make that one of `parameters`, or use Unrolled()"
)
# A solver's `init` or `step`: of a problem and vectors, or a state.
Step = Callable[[Problem, Any], Any]


def checkpointed(plain: Step) -> Step:
    """A solver's step, of which the backward pass keeps the state before it alone."""

    def lean(problem: Problem, state: Any) -> Any:
        bounds = () if problem.box is None else tuple(problem.box)
        given = problem.parameters, bounds, state
        inputs = tf.nest.flatten(given)
        after = list[Any]()

        @later
        def run(flat: Sequence[tf.Tensor]) -> list[tf.Tensor]:
            parameters, limits, before = tf.nest.pack_sequence_as(given, list(flat))
            box = Box(*limits) if limits else None
            again = Problem(
                problem.energy, problem.packing, parameters, box, unrolled=True
            )
            after[:] = [plain(again, before)]
            return tf.nest.flatten(after[0])

        @tf.custom_gradient
        def once(*flat: tf.Tensor) -> tuple[list[tf.Tensor], Callable[..., Any]]:
            kept = [tf.identity(entry) for entry in run(flat)]
            total, _ = _sums(kept)

            def backward(
                *upstream: tf.Tensor, variables: Sequence[tf.Variable] = ()
            ) -> Any:
                with tf.control_dependencies([u for u in upstream if u is not None]):
                    again = [tf.identity(entry) for entry in flat]
                with tf.GradientTape() as tape:
                    tape.watch([entry for entry in again if entry.dtype.is_floating])
                    outputs = run(again)
                same = _is_same(total, outputs)
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
                with insist(same, _CHANGED):
                    # Compiled by XLA, which drops assertions, they are NaN.
                    gradients = [
                        None if g is None else tf.where(same, g, tf.cast(NAN, g.dtype))
                        for g in gradients
                    ]
                inner = gradients[: len(again)]
                return (inner, gradients[len(again) :]) if variables else inner

            return kept, backward

        outputs = once(*inputs)
        return tf.nest.pack_sequence_as(after[0], outputs)

    return lean


def _sums(outputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """A sum that tells one state from another, and that of the sizes."""
    floating = [entry for entry in outputs if entry.dtype.is_floating]
    total = tf.add_n([tf.reduce_sum(entry) for entry in floating])
    return total, tf.add_n([tf.reduce_sum(tf.abs(entry)) for entry in floating])


def _is_same(before: tf.Tensor, outputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """Whether outputs are those that had the sum `before`, but for round-off."""
    total, size = _sums(outputs)
    near = tf.abs(total - before) <= round_off(size.dtype) ** 0.5 * size
    # What is lost is lost both times.
    return near | ~(tf.math.is_finite(total) | tf.math.is_finite(before))


def _first_order(gradients: list[Any]) -> list[tf.Tensor | None]:
    """The gradients, of which some may be None, with second derivatives refused.

    A tensor that the energy captures is no input of the step: the second derivative
    would miss a part of it without a word.
    """
    there = [tf.convert_to_tensor(entry) for entry in gradients if entry is not None]
    guarded = iter(first_order(there, refusal=_REFUSAL))
    return [None if entry is None else next(guarded) for entry in gradients]
