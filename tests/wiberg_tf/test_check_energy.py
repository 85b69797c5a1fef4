"""Checks of an energy on request."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt


def _apart(x, target):
    return tf.reduce_sum(tf.cosh(x - target), -1)


@pytest.mark.parametrize("batch", [(), (1,), (2,), (7,), (2, 3), (0,)])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_independent_problems_pass(batch, dtype):
    x = tf.zeros([*batch, 3], dtype)
    wt.check_energy(_apart, x, tf.ones([3], dtype), batch_dims=len(batch))


def _neighbours(x):
    # Problem 3 alone reads another's x.
    shift = tf.one_hot(3, 7, dtype=x.dtype) * x[5, 1]
    return tf.reduce_sum(x**2, -1) + shift * x[:, 0]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_two_problems_that_depend_are_named(dtype):
    message = r"that of problem \[3\] depends on x of problem \[5\]$"
    with pytest.raises(ValueError, match=message):
        wt.check_energy(_neighbours, tf.zeros([7, 2], dtype), batch_dims=1)


@pytest.mark.parametrize(
    "energy",
    [
        lambda x: tf.reduce_sum((x - tf.reduce_mean(x, 0)) ** 2, -1),
        lambda x: tf.reduce_sum(x**2, -1) * tf.reduce_sum(x**2),
        lambda x: tf.reduce_sum((x - x[::-1]) ** 2, -1),
        # Cancels in the sum over the batch.
        lambda x: tf.reduce_sum(x**2, -1) + x[:, 0] - tf.roll(x[:, 0], 1, 0),
    ],
)
@pytest.mark.parametrize("count", [2, 9, 300])
def test_problems_that_mix_are_refused(energy, count):
    with pytest.raises(ValueError, match=r"must keep the problems .* apart"):
        wt.check_energy(energy, tf.zeros([count, 3], tf.float64), batch_dims=1)


def test_indices_of_two_batch_axes_and_a_nest():
    def energy(x):
        apart = tf.reduce_sum(x["b"] ** 2, -1) + x["a"] ** 2
        return apart + tf.roll(x["a"], 1, 1) * tf.constant([[0.0, 0, 0], [0, 0, 1]])

    x = {"a": tf.ones([2, 3]), "b": tf.ones([2, 3, 2])}
    message = r"problem \[1, 2\] depends on x of problem \[1, 1\]"
    with pytest.raises(ValueError, match=message):
        wt.check_energy(energy, x, batch_dims=2)


def test_trainable_captures_are_named():
    weight = tf.Variable(2.0, name="stiffness")
    frozen = tf.Variable(2.0, trainable=False, name="frozen")
    x = tf.zeros([2, 3])
    with pytest.raises(ValueError, match="in `parameters`; it captures stiffness:0"):
        wt.check_energy(lambda x: weight * _apart(x, 1.0), x, batch_dims=1)
    wt.check_energy(lambda x: weight * _apart(x, 1.0), x, batch_dims=1, captures=True)
    wt.check_energy(lambda x, w: w * _apart(x, frozen), x, weight, batch_dims=1)


def test_aux_none_and_residuals_are_as_of_argmin():
    wt.check_energy(
        lambda x, none: (_apart(x, 1.0), tf.reduce_mean(x)),
        tf.zeros([2, 3]),
        (None,),
        batch_dims=1,
        has_aux=True,
    )
    wt.check_energy(wt.ResidualEnergy(lambda x: x - 1), tf.zeros([2, 3]), batch_dims=1)


def test_a_start_at_the_edge_of_the_domain():
    """Near it the energy is not finite."""
    wt.check_energy(
        lambda x: tf.reduce_sum(tf.sqrt(1 - x), -1), -tf.ones([2, 1]), batch_dims=1
    )
    with pytest.raises(ValueError, match="must be finite at `initial`"):
        wt.check_energy(
            lambda x: tf.reduce_sum(tf.math.log(x), -1), -tf.ones([2, 1]), batch_dims=1
        )


def test_graphs_are_refused():
    with pytest.raises(RuntimeError, match="must be called eagerly"):
        tf.function(lambda x: wt.check_energy(_apart, x, x))(np.zeros(3))
