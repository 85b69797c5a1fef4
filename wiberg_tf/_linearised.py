"""An energy at its minimiser, recorded, so that it need not be called again."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from wiberg_tf._autodiff import Tangents
from wiberg_tf._nest import entry_names
from wiberg_tf._operations import captured, count_operations, is_plain
from wiberg_tf._problem import Problem, curvature, slightly_beside
from wiberg_tf._python_calls import refuse_python


class Linearised(Problem):
    """A problem at one point: what a derivative needs of it, from one evaluation.

    The energy is called by `linearise`, and never later: what it captures (a loop
    variable, a NumPy buffer, a variable) may change before the backward pass. Tapes
    around that record how `gradient` depends on the tensors and variables that the
    energy captures, but not on the parameters. Methods take no other x.

    Args:
      problem: the energy.
      x: where, `[*batch, n]`.
      tape: persistent, of the evaluation.
      value: E, `[*batch]`.
      gradient: ∂E/∂x, `[*batch, n]`.
      plain: as `Problem.record` returns it.
      elsewhere: tensors that the energy captures; None if nobody knows.
      again: persistent, of the evaluation with `tape`, if it is one beside another.
      beside: another record; see `wiberg_tf._second_order.Record`.
    """

    def __init__(
        self,
        problem: Problem,
        x: tf.Tensor,
        tape: tf.GradientTape,
        value: tf.Tensor,
        gradient: tf.Tensor,
        plain: bool,
        elsewhere: list[tf.Tensor] | None,
        again: tf.GradientTape,
        beside: "Linearised | None",
    ):
        super().__init__(
            problem.energy, problem.packing, problem.parameters, problem.box
        )
        self.value_there = value
        self.gradient = gradient
        self.point = x
        self.again = again
        self._beside = beside
        self._tape = tape
        self.elsewhere = elsewhere
        # Whether tapes may know the gradient as a function of anything.
        self.captures = elsewhere is None or bool(elsewhere)
        self._plain = plain
        self._flat = tf.nest.flatten(problem.parameters)
        self.floating = floating_of(self._flat)

    @property
    def beside(self) -> "Linearised":
        """The record for what is differentiated once more."""
        return self if self._beside is None else self._beside

    def value_and_gradient(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What was recorded."""
        del x
        return self.value_there, self.gradient

    def record(self, x: tf.Tensor) -> tuple[Callable[[tf.Tensor], tf.Tensor], bool]:
        """The products of the recorded gradient."""
        del x
        return curvature(self._tape, self.gradient, self.point), self._plain

    def adjoint_product(self, v: tf.Tensor) -> tf.Tensor:
        """H v, `[*batch, n]`: H is symmetric."""
        return self.hessian_product(self.point, v)

    def pull_floating(self, v: tf.Tensor) -> list[tf.Tensor]:
        """−∂/∂θ [v · ∂E/∂x(x; θ)], for each floating parameter; ∂²E/∂x∂θ is not formed.

        Raises:
          ValueError: for a parameter that the energy does not use.
        """
        gradients = self._tape.gradient(self.gradient, self.floating, -v)
        if any(gradient is None for gradient in gradients):
            # Some of these may only shift the energy.
            self.refuse_unused()
        return filled(gradients, self.floating)

    def refuse_unused(self) -> None:
        """Raises a ValueError for a parameter that the energy does not use."""
        gradients = self._tape.gradient(self.value_there, self._flat)
        refuse_unused(gradients, self.parameters)

    def pull_value(self, upstream: tf.Tensor) -> list[tf.Tensor]:
        """∂E/∂θ at fixed x, weighed by `[*batch]`, for each floating parameter."""
        gradients = self._tape.gradient(self.value_there, self.floating, upstream)
        return filled(gradients, self.floating)

    def push_forward(self, along: Tangents) -> tf.Tensor:
        """∂²E/∂x∂θ θ̇, `[*batch, n]`.

        The derivative of `pull_floating` in the v that it is linear in: TensorFlow's
        own forward mode lacks some operations in graphs.

        Args:
          along: θ̇, a tangent for each floating parameter, or None.
        """
        return -_transposed(self.pull_floating, self.gradient, along)

    def push_value(self, along: Tangents) -> tf.Tensor:
        """∂E/∂θ θ̇ at fixed x, `[*batch]`; see `push_forward`."""
        return _transposed(self.pull_value, self.value_there, along)


def linearise(problem: Problem, x: tf.Tensor) -> Linearised:
    """The problem at x `[*batch, n]`; calls the energy there and slightly beside it."""
    # The tape knows a tensor by its identity: one passed twice, or captured by the
    # energy besides, would get the gradient of all its uses in each place.
    parameters = tf.nest.map_structure(
        lambda entry: tf.identity(tf.stop_gradient(entry)), problem.parameters
    )
    fixed = Problem(problem.energy, problem.packing, parameters, problem.box)
    x = tf.stop_gradient(x)
    beside = _evaluate(fixed, slightly_beside(x), None)
    return _evaluate(fixed, x, beside)


def _evaluate(problem: Problem, x: tf.Tensor, beside: Linearised | None) -> Linearised:
    flat = tf.nest.flatten(problem.parameters)
    leaves = [x, *floating_of(flat)]
    before = count_operations()
    # Not in a constructor, into which AutoGraph does not look.
    with (
        tf.GradientTape(persistent=True, watch_accessed_variables=False) as again,
        tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape,
    ):
        if beside is None:
            again.watch(leaves)
        tape.watch(leaves)
        value, gradient = problem.value_and_gradient(x)
    if beside is None:
        refuse_python(before, [x, *flat], [value, gradient], "energy", order=2)
    plain, elsewhere = is_plain(before), captured(before, [x, *flat])
    return Linearised(
        problem, x, tape, value, gradient, plain, elsewhere, again, beside
    )


def _transposed(
    pull: Callable[[tf.Tensor], list[tf.Tensor]], like: tf.Tensor, along: Tangents
) -> tf.Tensor:
    """The derivative of `pull(v)` in the v that it is linear in, along tangents.

    Args:
      pull: of a tensor.
      like: a tensor like v.
      along: one for each of the results, or None.
    """
    v = tf.zeros_like(like)
    if all(tangent is None for tangent in along):
        return v
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        pulled = pull(v)
    moving = [
        (gradient, tangent)
        for gradient, tangent in zip(pulled, along, strict=True)
        if tangent is not None
    ]
    gradients, tangents = zip(*moving, strict=True)
    return tape.gradient(gradients, v, tangents, tf.UnconnectedGradients.ZERO)


def floating_of(flat: list[tf.Tensor]) -> list[tf.Tensor]:
    """The entries of floating dtypes, which gradients flow to."""
    return [entry for entry in flat if entry.dtype.is_floating]


def spread(gradients: list[tf.Tensor], flat: list[tf.Tensor]) -> list[Any]:
    """Gradients of the floating entries, with None for the others."""
    found = iter(gradients)
    return [next(found) if entry.dtype.is_floating else None for entry in flat]


def filled(gradients: list[Any], flat: list[tf.Tensor]) -> list[tf.Tensor]:
    """The gradients as dense tensors, 0 where there is none."""
    return [
        # A gather in the energy gives IndexedSlices.
        tf.zeros_like(entry) if gradient is None else tf.convert_to_tensor(gradient)
        for gradient, entry in zip(gradients, flat, strict=True)
    ]


def refuse_unused(
    gradients: list[Any],
    parameters: Any,
    function: str = "energy",
    found: str = "minimiser",
) -> None:
    """Refuses parameters without influence on the energy, which is no gradient of 0.

    Args:
      gradients: ∂E/∂θ, None where there is none, for each entry of the parameters.
      parameters: the nest θ.
      function: what does not use them, for the error.
      found: what has no derivative, for the error.

    Raises:
      ValueError: for the first of them.
    """
    names = entry_names(parameters, "parameters")
    flat = tf.nest.flatten(parameters)
    for gradient, entry, name in zip(gradients, flat, names, strict=True):
        if gradient is None and entry.dtype.is_floating:
            raise ValueError(
                f"`{function}` does not use `{name}`, so the {found} has no derivative "
                "with respect to it; leave it out of `parameters`"
            )
