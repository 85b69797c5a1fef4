import keras
import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1.optimizers.adamw import FusedAdamW

START = {
    "kernel": [1.0, -2.0],
    "bias": [0.5, 0.0],
    "gamma": [1.0, 2.0],
    "beta": [-1.0, 3.0],
}
OPTIONS = {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}


def after_steps(optimizer, jit_compile=None):
    """Values after five steps; the gradients come from a seed."""
    variables = [keras.Variable(np.array(v), name=name) for name, v in START.items()]
    optimizer.build(variables)
    apply = optimizer.apply
    if jit_compile is not None:
        apply = tf.function(apply, jit_compile=jit_compile)
    generator = np.random.default_rng(0)
    for _ in range(5):
        apply([tf.constant(g, "float32") for g in generator.normal(size=(4, 2))])
    return np.stack([variable.numpy() for variable in variables])


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_follows_kerass_rule(jit_compile):
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 10)
    keras_own = keras.optimizers.AdamW(schedule, weight_decay=0.3, **OPTIONS)
    keras_own.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    fused = after_steps(FusedAdamW(schedule, decay=0.3, **OPTIONS), jit_compile)
    np.testing.assert_allclose(fused, after_steps(keras_own), rtol=1e-6)
    without = after_steps(FusedAdamW(schedule, **OPTIONS))
    assert (np.abs(fused - without)[0] > 1e-3).all()  # decay is seen in this test


def test_can_be_made_again_from_its_configuration():
    optimizer = FusedAdamW(3e-4, decay=0.1, beta_1=0.7)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("option", [{"amsgrad": True}, {"weight_decay": 0.1}])
def test_refuses_what_the_kernel_lacks(option):
    with pytest.raises(ValueError, match="amsgrad and weight_decay must not be set"):
        FusedAdamW(**option)
