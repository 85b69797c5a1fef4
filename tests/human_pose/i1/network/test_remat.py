import keras
import numpy as np
import pytest
import tensorflow as tf

from human_pose.i1 import build_network
from human_pose.i1.network.remat import rematerialized


@pytest.fixture(
    params=["unit", pytest.param("block", marks=pytest.mark.large)],
)
def networks(request):
    keras.utils.set_random_seed(0)
    network = build_network(4, input_size=64, preset="tiny", batch_norm="moving")
    return network, rematerialized(network, request.param)


def step(model, weights, image):
    """Loss and gradients of one training step, as `fit` takes it: in a graph."""

    @tf.function(autograph=False)
    def compute(image):
        with tf.GradientTape() as tape:
            outputs = model(image, training=True)
            loss = tf.add_n([tf.reduce_sum(tf.sin(1e3 * v)) for v in outputs.values()])
        return loss, tape.gradient(loss, weights)

    return compute(image)


@pytest.mark.large
def test_gradients_and_statistics_are_the_same(networks):
    network, lean = networks
    image = tf.constant(
        np.random.default_rng(0).uniform(-0.5, 0.5, (2, 64, 64, 3)), tf.float32
    )
    start = network.get_weights()
    weights = [weight.value for weight in network.trainable_weights]
    loss, gradients = step(network, weights, image)
    moved = [np.asarray(w) for w in network.non_trainable_weights]
    network.set_weights(start)
    other_loss, others = step(lean, weights, image)
    np.testing.assert_allclose(other_loss, loss, rtol=1e-5)
    scale = max(float(tf.reduce_max(tf.abs(g))) for g in gradients)
    for weight, gradient, other in zip(
        network.trainable_weights, gradients, others, strict=True
    ):
        np.testing.assert_allclose(
            other, gradient, rtol=1e-3, atol=1e-5 * scale, err_msg=weight.path
        )
    assert scale > 0
    # Moved once, though the layers ran twice.
    for weight, old in zip(network.non_trainable_weights, moved, strict=True):
        np.testing.assert_allclose(weight, old, rtol=1e-5, atol=1e-9)


def test_it_shares_the_weights(networks):
    network, lean = networks
    assert {id(w) for w in lean.weights} == {id(w) for w in network.weights}
    image = np.zeros((1, 64, 64, 3), np.float32)
    np.testing.assert_allclose(lean(image)["heatmap2"], network(image)["heatmap2"])
