import keras
import numpy as np
import pytest
import tensorflow as tf

from ransac.optimizers import OPTIMIZERS

RATE = 0.3


def gradients(step):
    return np.random.default_rng(step).normal(size=[2, 1, 3])


def run(name, steps, rates=(RATE,)):
    """Values `[2, V, 3]` after some steps, starting at 1."""
    optimizer = OPTIMIZERS[name]
    values = {"weights": tf.ones([2, len(rates), 3], tf.float64)}
    state = optimizer.init(values)
    for step in range(steps):
        slopes = {"weights": tf.constant(gradients(step).repeat(len(rates), 1))}
        values, state = optimizer.apply(
            tf.constant(step, tf.float64),
            values,
            slopes,
            tf.constant(rates, tf.float64),
            state,
        )
    return values["weights"].numpy()


@pytest.mark.parametrize(
    "name, peer",
    [
        ("sgd", lambda: keras.optimizers.SGD(RATE)),
        ("adam", lambda: keras.optimizers.Adam(RATE, epsilon=1e-8)),
    ],
)
def test_agrees_with_keras(name, peer):
    variable = keras.Variable(np.ones([2, 1, 3]), dtype="float64")
    optimizer = peer()
    for step in range(5):
        optimizer.apply([tf.constant(gradients(step))], [variable])
    # Keras keeps rates and bias corrections in float32; five steps move by about 1.
    np.testing.assert_allclose(run(name, 5), variable.numpy(), rtol=0, atol=3e-5)


def test_averaged_sgd_follows_its_schedule():
    expected = np.ones([2, 1, 3])
    for step in range(5):
        rate = RATE / (1 + 0.0005 * RATE * step) ** 0.75
        expected = expected * (1 - 0.0005 * rate) - rate * gradients(step)
    np.testing.assert_allclose(run("asgd", 5), expected, rtol=1e-14)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_variant_has_its_own_rate(name):
    both = run(name, 3, rates=(RATE, 0.1))
    np.testing.assert_allclose(both[:, :1], run(name, 3), rtol=1e-14)
    np.testing.assert_allclose(both[:, 1:], run(name, 3, rates=(0.1,)), rtol=1e-14)
