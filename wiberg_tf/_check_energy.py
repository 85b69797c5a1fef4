"""Checks of an energy, for those who ask: independent problems, listed parameters."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from wiberg_tf._auxiliary import without_aux
from wiberg_tf._nest import as_inputs
from wiberg_tf._problem import Energy, Problem, round_off


def check_energy(
    energy: Energy,
    initial: Any,
    parameters: Any = (),
    *,
    batch_dims: int = 0,
    has_aux: bool = False,
    captures: bool = False,
) -> None:
    """Raises where the problems of a batch depend on each other, or θ is not all.

    Call it once, eagerly, with the arguments of `argmin`. For B problems it takes about
    2 log₂ B gradients, at a point near `initial`. It cannot see a dependence that has
    no gradient there (one through rounding, or a branch not taken) or drowns in
    round-off, nor captured tensors, which only a tape around knows.

    Args:
      energy: as of `argmin`.
      initial: as of `argmin`, with at least two problems for them to be compared.
      parameters: θ, as of `argmin`.
      batch_dims: as of `argmin`.
      has_aux: as of `argmin`.
      captures: whether the energy may capture trainable variables.

    Raises:
      ValueError: if the energy of one problem depends on the x of another, with the two
        named; if the energy captures trainable variables, which are named; if it or its
        gradient is not finite.
      RuntimeError: in a graph.
    """
    if not tf.executing_eagerly():
        raise RuntimeError("`check_energy` must be called eagerly; received a graph")
    initial, packing, parameters = as_inputs(initial, parameters, batch_dims)
    alone = without_aux(energy, "energy") if has_aux else energy
    problem = Problem(alone, packing, parameters)
    x = tf.stop_gradient(packing.pack(initial))
    if not captures:
        _refuse_captures(problem, x)
    _refuse_dependence(problem, _generic(problem, x))


def _refuse_captures(problem: Problem, x: tf.Tensor) -> None:
    with tf.GradientTape() as tape:
        problem.value(x)
    names = [variable.name for variable in tape.watched_variables()]
    if names:
        raise ValueError(
            "`energy` must get all that is trainable in `parameters`; it captures "
            f"{', '.join(names)}"
        )


def _generic(problem: Problem, x: tf.Tensor) -> tf.Tensor:
    """A point near x, or x itself, with a finite gradient.

    At a start such as 0 a dependence may have no gradient.
    """
    noise = tf.random.stateless_uniform(tf.shape(x), [20, 19], dtype=x.dtype)
    for point in (x + 0.01 * (1 + tf.abs(x)) * noise, x):
        value, gradient = problem.value_and_gradient(point)
        if np.isfinite(value).all() and np.isfinite(gradient).all():
            return point
    raise ValueError("`energy` and its gradient must be finite at `initial`")


def _refuse_dependence(problem: Problem, x: tf.Tensor) -> None:
    shape = x.shape[:-1].as_list()
    count = math.prod(shape)
    # Any two of the batch differ in a digit of their numbers.
    for digit in range(max(count - 1, 0).bit_length()):
        for side in (0, 1):
            chosen = (np.arange(count) >> digit) % 2 == side
            # Random weights, so that equal dependences cannot cancel.
            weights = np.random.default_rng(digit).uniform(0.5, 1.5, count) * chosen
            gradient, by_weight = _weighted(problem, x, weights.reshape(shape))
            size = np.abs(gradient).max(-1).reshape(-1)
            limit = 64 * round_off(x.dtype) * size.max()
            others = np.where(chosen, 0, size)
            if others.max() > limit:
                there = int(others.argmax())
                part = np.abs(by_weight(there)) * chosen
                one, other = (
                    [int(k) for k in np.unravel_index(number, shape)]
                    for number in (int(part.argmax()), there)
                )
                raise ValueError(
                    "`energy` must keep the problems of a batch apart; that of problem "
                    f"{one} depends on x of problem {other}"
                )


def _weighted(problem: Problem, x: tf.Tensor, weights: np.ndarray) -> Any:
    """∂/∂x of Σ w E, and `by_weight(j)`: how each w moves that of problem j."""
    weight = tf.constant(weights, x.dtype)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as outer:
        outer.watch(weight)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(x)
            total = tf.reduce_sum(weight * problem.value(x))
        gradient = inner.gradient(total, x)

    def by_weight(number: int) -> np.ndarray:
        seen = np.zeros([weights.size, x.shape[-1]])
        seen[number] = np.sign(gradient.numpy().reshape(seen.shape)[number])
        along = tf.constant(seen.reshape(x.shape), x.dtype)
        return outer.gradient(gradient, weight, along).numpy().reshape(-1)

    return gradient.numpy(), by_weight
