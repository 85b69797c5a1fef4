import keras
import numpy as np

from human_pose.i1.optimizers.rmsprop import CaffeRMSProp


def test_follows_caffes_rule():
    weight = keras.Variable(np.array([1.0, -2.0]), name="kernel")
    bias = keras.Variable(np.array([0.5, 0.0]), name="bias")
    beta = keras.Variable(np.array([0.5, 0.0]), name="beta")
    optimizer = CaffeRMSProp(1e-2)
    expected = {v.name: (v.numpy(), np.zeros(2)) for v in (weight, bias, beta)}
    generator = np.random.default_rng(0)
    for _ in range(5):
        gradients = generator.normal(size=(3, 2)).astype("float32")
        optimizer.apply(list(gradients), [weight, bias, beta])
        for g, name in zip(gradients, expected, strict=True):
            w, h = expected[name]
            h = 0.99 * h + 0.01 * g**2
            rate = 2e-2 if name == "bias" else 1e-2
            expected[name] = (w - rate * g / (np.sqrt(h) + 1e-8), h)
    for variable in (weight, bias, beta):
        np.testing.assert_allclose(
            variable.numpy(), expected[variable.name][0], rtol=1e-5
        )


def test_can_be_made_again_from_its_configuration():
    optimizer = CaffeRMSProp(3e-4, rho=0.9, epsilon=1e-6, bias_multiplier=1.5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
