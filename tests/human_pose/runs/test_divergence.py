"""One line for every way to diverge."""

import numpy as np
import pytest
import tensorflow as tf

import wiberg_tf as wt
from human_pose.runs import divergence

LARGEST = divergence.LARGEST_ERROR_MM


def test_good_values_pass():
    divergence.check_values({"loss": LARGEST, "norm": 1e30}, "", bounds={"loss": 1e5})
    loss = divergence.check_left([np.ones(2)], lambda: tf.constant(2.0), "step 1")
    assert loss == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "training diverged: loss is nan at step 3; a smaller `learning_rate`"),
        (-np.inf, "training diverged: loss is -inf at step 3; a smaller"),
        (
            19222252.0,
            "training diverged: loss is 1.92223e+07 at step 3, above 100000, beyond "
            "which it means nothing; a smaller `learning_rate` may help",
        ),
    ],
)
def test_names_value_step_and_bound(value, message):
    with pytest.raises(FloatingPointError) as raised:
        divergence.check_values({"loss": value}, "at step 3", bounds={"loss": LARGEST})
    assert str(raised.value).startswith(message)


def fails():
    return tf.reduce_sum(tf.linalg.inv(tf.zeros((2, 2))))


def insists():
    """As `wiberg_tf` does of a solve."""
    tf.debugging.Assert(tf.zeros(()) > 0, ["`linear_solve` returned NaN or infinity"])
    return tf.ones(())


@pytest.mark.parametrize(
    ("variable", "loss", "message"),
    [
        (np.nan, fails, "step 3 has left weights that are not finite"),
        (np.inf, fails, "step 3 has left weights that are not finite"),
        (1.0, fails, "step 3 has left weights whose loss cannot be computed"),
        (1.0, insists, "step 3 has left weights whose loss cannot be computed"),
        (1.0, lambda: np.nan, "weights whose loss is not finite"),
        (1.0, lambda: 2e5, "weights whose loss is 200000, above 100000"),
    ],
)
def test_names_what_a_step_has_left(variable, loss, message):
    with pytest.raises(FloatingPointError, match=message) as raised:
        divergence.check_left(
            [np.ones(3), tf.Variable([1.0, variable])], loss, "step 3", bound=LARGEST
        )
    assert "the state saved before is kept; a smaller" in str(raised.value)


def at_no_minimum():
    """The gradient through a minimiser whose energy is nowhere finite."""
    weight = tf.constant(float("nan"))
    with tf.GradientTape() as tape:
        tape.watch(weight)
        found = wt.argmin(lambda x, w: w * tf.reduce_sum(x**2), tf.ones(2), [weight])
        value = tf.reduce_sum(found.value)
    return tape.gradient(value, weight)


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (fails, "not invertible"),
        (insists, "`linear_solve` returned"),
        (at_no_minimum, "is not finite"),
    ],
)
def test_a_failed_solve_is_divergence(loss, reason):
    with pytest.raises(FloatingPointError) as raised:
        with divergence.told_in_one_line(lambda: "in epoch 1,"):
            tf.function(loss)()
    message = str(raised.value)
    assert message.startswith("training diverged: in epoch 1, nothing can be computed")
    assert reason in message
    assert "\n" not in message
    assert "{{node" not in message


def test_other_errors_go_their_way():
    with pytest.raises(tf.errors.InvalidArgumentError):
        with divergence.told_in_one_line(lambda: ""):
            tf.reshape(tf.ones(3), [2])
    with pytest.raises(tf.errors.InvalidArgumentError):
        divergence.check_left([], lambda: tf.reshape(tf.ones(3), [2]), "")
