import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1 import CaffeRMSProp, curriculum
from human_pose.i1.training.optimizer import hand_over, make_optimizer

STAGE = dataclasses.replace(
    curriculum.MODERN.stages[0], learning_rate=1e-2, iterations=100
)


def rate_after(optimizer, batches):
    optimizer._iterations.assign(batches)
    return float(np.asarray(optimizer.learning_rate))


@pytest.mark.parametrize("accumulate", [1, 3])
def test_cosine_rises_falls_and_counts_updates(accumulate):
    recipe = dataclasses.replace(curriculum.MODERN, warmup=0.1)
    optimizer = make_optimizer(recipe, STAGE, accumulate)
    optimizer.build([keras.Variable(1.0)])
    half = 1e-2 * (0.5 * 0.99 + 0.01)
    # The first and the last of the batches that an update gathers see the same rate.
    for batch in (0, accumulate - 1):
        rates = [
            rate_after(optimizer, n * accumulate + batch) for n in (0, 5, 10, 55, 100)
        ]
        np.testing.assert_allclose(rates, [0, 5e-3, 1e-2, half, 1e-4], rtol=1e-5)
    copy = type(optimizer).from_config(optimizer.get_config())
    copy.build([keras.Variable(1.0)])
    assert rate_after(copy, 55 * accumulate) == rate_after(optimizer, 55 * accumulate)


def test_published_rate_is_constant():
    optimizer = make_optimizer(curriculum.PUBLISHED, curriculum.PUBLISHED.stages[2])
    optimizer.build([keras.Variable(1.0)])
    assert isinstance(optimizer, CaffeRMSProp)
    assert rate_after(optimizer, 0) == rate_after(optimizer, 10_000)
    np.testing.assert_allclose(rate_after(optimizer, 0), 5e-6)


def test_decay_spares_scales_offsets_and_biases():
    optimizer = make_optimizer(curriculum.MODERN, STAGE)
    names = ("kernel", "bias", "gamma", "beta")
    variables = [keras.Variable(1.0, name=name) for name in names]
    optimizer.build(variables)
    optimizer._iterations.assign(50)
    rate = rate_after(optimizer, 50)
    optimizer.apply([tf.constant(0.0)] * 4)
    kept = 1 - rate * curriculum.MODERN.weight_decay
    np.testing.assert_allclose(
        [float(v) for v in variables], [kept, 1, 1, 1], rtol=1e-6
    )


def test_accumulated_batches_make_one_mean_update():
    def weight_after(accumulate, gradients):
        variable = keras.Variable([1.0, -2.0], name="kernel")
        optimizer = make_optimizer(
            curriculum.PUBLISHED, curriculum.PUBLISHED.stages[0], accumulate
        )
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient)])
        return np.asarray(variable)

    one = weight_after(1, [[2.0, -1.0]])
    two = weight_after(2, [[3.0, -3.0], [1.0, 1.0]])
    np.testing.assert_array_equal(one, two)
    assert (one != [1.0, -2.0]).all()


def test_history_goes_to_the_variables_of_equal_path_and_shape():
    def built(last):
        with keras.name_scope("net"):
            variables = [
                keras.Variable(np.ones(3), name="kernel"),
                keras.Variable(np.ones(last), name="last"),
            ]
        optimizer = CaffeRMSProp()
        optimizer.build(variables)
        return optimizer

    source, target = built(4), built(8)
    for slot in source.square_sums:
        slot.assign(np.full(slot.shape, 7.0))
    hand_over(source, target)
    np.testing.assert_array_equal(target.square_sums[0], np.full(3, 7.0))
    np.testing.assert_array_equal(target.square_sums[1], np.zeros(8))
