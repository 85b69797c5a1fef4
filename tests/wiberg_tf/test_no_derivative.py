"""Minimisers without a derivative: the same values, and no gradient of a part."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt

TARGET = tf.constant([[0.3, -1.0], [2.0, 0.5], [0.1, 0.2]], tf.float64)


def _solution(captured, target, derivative, **options):
    def energy(x, target):
        return tf.reduce_sum(tf.cosh(x - target) + 0.5 * (x - captured) ** 2, -1)

    return wt.argmin(
        energy,
        tf.zeros_like(target),
        (target,),
        derivative=derivative,
        batch_dims=1,
        **options,
    )


@pytest.mark.parametrize("compiled", [None, False, True])
def test_the_same_values(compiled):
    def both(target):
        captured = tf.constant(0.7, tf.float64)
        derivatives = (wt.NoDerivative(), wt.Implicit())
        return [_solution(captured, target, each) for each in derivatives]

    if compiled is not None:
        both = tf.function(both, jit_compile=compiled)
    without, with_ = both(TARGET)
    for one, other in zip(
        tf.nest.flatten(without), tf.nest.flatten(with_), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert (without.status.numpy() == wt.Status.CONVERGED).all()


def test_a_graph_without_it_is_smaller():
    def count(derivative):
        captured = tf.constant(0.7, tf.float64)
        traced = tf.function(lambda target: _solution(captured, target, derivative))
        graph = traced.get_concrete_function(TARGET).graph
        return len(graph.get_operations())

    assert count(wt.NoDerivative()) < 0.6 * count(wt.Implicit())


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize("of", ["value", "energy"])
@pytest.mark.parametrize("by", ["parameter", "tensor", "variable", "bound"])
def test_gradients_are_refused(mode, of, by):
    variable = tf.Variable(0.7, dtype=tf.float64)

    def gradient(target, constant, upper):
        captured = variable if by == "variable" else constant
        options = {"bounds": (-9.0, upper)} if by == "bound" else {}
        with tf.GradientTape() as tape:
            tape.watch([target, constant, upper])
            solution = _solution(captured, target, wt.NoDerivative(), **options)
            found = solution.value if of == "value" else solution.stats.energy
            loss = tf.reduce_sum(found) + tf.reduce_sum(target) + constant + upper
        source = {"parameter": target, "tensor": constant, "bound": upper}
        return tape.gradient(loss, source.get(by, variable))

    if mode == "graph":
        gradient = tf.function(gradient, autograph=False)
    with pytest.raises(LookupError, match="NoDerivative"):
        gradient(
            TARGET, tf.constant(0.7, tf.float64), tf.constant([0.2, 0.2], tf.float64)
        )


def test_what_is_held_has_the_others_gradient():
    """A loss may use the minimiser as a number."""
    with tf.GradientTape() as tape:
        tape.watch(TARGET)
        found = _solution(tf.constant(0.0, tf.float64), TARGET, wt.NoDerivative())
        loss = tf.reduce_sum(tf.stop_gradient(found.value) * TARGET)
    np.testing.assert_array_equal(tape.gradient(loss, TARGET), found.value)


def test_roots_have_no_such_choice():
    with pytest.raises((TypeError, ValueError), match="derivative"):
        wt.root(lambda x: x, TARGET, derivative=wt.NoDerivative())
