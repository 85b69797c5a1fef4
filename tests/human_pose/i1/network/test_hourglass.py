"""The network against the original's, executed layer by layer from its definition."""

import json
import re
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from human_pose.files.errors import InputError
from human_pose.i1.network.blocks import BilinearUpsampling
from human_pose.i1.network.hourglass import build_network
from human_pose.i1.network.normalization import ScaledBatchNormalization

_GAINS = {"conv_2_n": 1 / 32, "conv_3_n": 32, "conv_5_d8": 1 / 256}


def rule(layer, blob):
    """A blob of the reference network's weights, ../shared/reference/README.md."""
    name, kind, shape = layer["name"], layer["type"], layer["blob_shapes"][blob]
    r = np.random.default_rng(zlib.crc32(f"dev/{name}/{blob}".encode()))
    if kind == "Convolution":
        std = _GAINS.get(name, 1) / np.sqrt(np.prod(shape[1:])) if blob == 0 else 0.01
        value = r.normal(0, std, shape)
    elif kind == "BatchNorm":
        value = r.uniform(0.5, 1.5, shape) if blob else r.normal(0, 1, shape) * 0.1
    else:
        value = r.normal(0, 1, shape) * 0.1 + (blob == 0)
    return value.astype(np.float32)


def assign(network, layers):
    by_name = {layer["name"]: layer for layer in layers}
    # The list is of the network with 4 depth bins, the numbers are of 8.
    last = by_name["conv_5_d4"]
    shapes = [[128, 256, 1, 1], [128]]
    by_name["conv_5_d8"] = last | {"name": "conv_5_d8", "blob_shapes": shapes}
    for layer in network.layers:
        source = by_name.get(layer.name)
        if isinstance(layer, keras.layers.Conv2D):
            kernel = rule(source, 0).transpose(2, 3, 1, 0)
            layer.set_weights([kernel, rule(source, 1)])
        elif isinstance(layer, ScaledBatchNormalization):
            scale = by_name[re.sub("bn|batch", "scale", layer.name)]
            numbers = [rule(scale, 0), rule(scale, 1), rule(source, 0), rule(source, 1)]
            layer.set_weights([*numbers, np.float32(1)])


@pytest.fixture(scope="module")
def reference(shared):
    folder = shared / "reference"
    layers = json.loads((folder / "i1net_layers.json").read_text())
    return layers, np.load(folder / "i1net_dev.npz")


@pytest.fixture(scope="module")
def published():
    """The whole network, with 8 depth bins."""
    return build_network(8, batch_norm="batch")


@pytest.fixture(scope="module")
def tiny():
    return build_network(16, 16, 64, "tiny", batch_norm="moving", last_layer_std=0.002)


@pytest.mark.parametrize(
    ("batch_norm", "key", "tolerance"),
    [
        ("batch", "batch", 2e-4),
        pytest.param("moving", "global", 2e-5, marks=pytest.mark.large),
    ],
)
def test_whole_network_agrees_with_the_original(
    reference, published, batch_norm, key, tolerance
):
    layers, golden = reference
    network = published
    if batch_norm != "batch":
        network = build_network(8, batch_norm=batch_norm)
    assign(network, layers)
    inner = [
        "pooling", "residual_4", "hourglass1_branch1_res3", "hourglass1_upsampling",
        "hourglass1", "eltwise", "hourglass2",
    ]  # fmt: skip
    blobs = {name: network.get_layer(name).output for name in inner}
    model = keras.Model(network.input, network.output | blobs)
    image = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 3, 256, 256))
    image = np.moveaxis(image.astype(np.float32), 1, -1)
    found = {k: np.moveaxis(v.numpy(), -1, 1) for k, v in model(image).items()}

    def check(actual, name):
        expected = golden[name]
        error = np.max(np.abs(actual - expected)) / np.max(np.abs(expected))
        assert error < tolerance, (name, error)

    check(found["heatmap"], f"heatmap_{key}")
    check(found["heatmap2"][:, :, ::2, ::2], f"heatmap2_{key}")
    for name in inner:
        grid = np.arange(4) * (found[name].shape[-1] - 1) // 3
        check(found[name][:, :, grid][..., grid], f"{name}_{key}_grid4")


# Every depth bin has 16 maps of 256 features each, and their biases.
@pytest.mark.parametrize(
    ("bins", "count"),
    [
        pytest.param(4, 40_164_304, marks=pytest.mark.large),
        (8, 40_164_304 + 4 * 16 * 257),
        pytest.param(64, 40_411_024, marks=pytest.mark.large),
    ],
)
def test_parameters_are_as_many_as_published(published, bins, count):
    network = published if bins == 8 else build_network(bins)
    assert sum(np.prod(v.shape) for v in network.trainable_variables) == count
    assert network.output["heatmap2"].shape == (None, 64, 64, 16 * bins)


def test_upsampling_is_the_fixed_deconvolution():
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 5)).astype(np.float32)
    taps = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
    kernel = np.einsum("hw,io->hwio", taps, np.eye(5)).astype(np.float32)
    expected = tf.nn.conv2d_transpose(x, kernel, [2, 8, 6, 5], 2, "SAME")
    np.testing.assert_allclose(BilinearUpsampling()(x), expected, atol=1e-6)


def test_normalisation_keeps_moving_statistics():
    x = np.random.default_rng(0).normal(3, 2, (4, 5, 6, 2)).astype(np.float32)
    layer = ScaledBatchNormalization("moving")
    np.testing.assert_allclose(layer(x), x / np.sqrt(1 + 1e-5), rtol=1e-5)
    y = layer(x, training=True).numpy()
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, rtol=1e-4)
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    # The first step counts in full, the second as much as the first but for 0.99.
    first = x.mean((0, 1, 2)), x.reshape(-1, 2).var(0, ddof=1)
    np.testing.assert_allclose(mean, first[0], rtol=1e-4)
    np.testing.assert_allclose(variance, first[1], rtol=1e-5)
    layer(2 * x, training=True)
    second = 2 * first[0], 4 * first[1]
    for moving, old, new in zip(
        (layer.moving_mean, layer.moving_variance), first, second, strict=True
    ):
        np.testing.assert_allclose(moving, (0.99 * old + new) / 1.99, rtol=1e-4)


def test_tiny_is_saved_and_loaded(tiny, tmp_path):
    image = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 64, 64, 3))
    tiny.save(tmp_path / "tiny.keras")
    again = keras.models.load_model(tmp_path / "tiny.keras")
    expected, found = tiny(image), again(image)
    assert expected["heatmap2"].shape == (1, 16, 16, 256)
    for name in ("heatmap", "heatmap2"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"depth_bins": 0},
            "depth_bins must be a whole number, at least 1; received 0",
        ),
        ({"depth_bins": 1.5}, "depth_bins must be a whole number, .* received 1.5"),
        ({"depth_bins": "4"}, "depth_bins must be a whole number, .* received '4'"),
        ({"depth_bins": True}, "depth_bins must be a whole number, .* received True"),
        ({"joints": 16.0}, "joints must be a whole number, at least 1; received 16.0"),
        ({"input_size": 64.0}, "input_size must be a whole number, .* received 64.0"),
        (
            {"input_size": 0},
            "input_size must be a whole number, at least 64; received 0",
        ),
        ({"input_size": 100}, "input_size must be a multiple of 64; received 100"),
        ({"preset": "small"}, "preset must be one of published, tiny"),
        ({"batch_norm": "none"}, "batch_norm must be batch or moving"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    with pytest.raises(InputError, match=message):
        build_network(**{"depth_bins": 4} | arguments)


@pytest.mark.large
def test_gradients_of_the_whole_network_agree_with_the_original(reference):
    """Of Σ heatmap² + Σ heatmap2² in every weight, by batch statistics."""
    layers, golden = reference
    network = build_network(8)
    assign(network, layers)
    image = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 3, 256, 256))
    image = tf.constant(np.moveaxis(image.astype(np.float32), 1, -1))
    weights = network.trainable_weights

    @tf.function
    def gradients(image):
        with tf.GradientTape() as tape:
            outputs = network(image, training=True)
            loss = tf.add_n([tf.reduce_sum(tf.square(v)) for v in outputs.values()])
        return loss, tape.gradient(loss, [weight.value for weight in weights])

    loss, found = gradients(image)
    np.testing.assert_allclose(loss, golden["grad_loss"], rtol=1e-4)
    by_path = {w.path: g.numpy() for w, g in zip(weights, found, strict=True)}
    norms, samples = [], []
    for name, expected in zip(golden["grad_names"], golden["grad"], strict=True):
        layer, blob = str(name).rsplit("/", 1)
        actual = _caffe_gradient(by_path, layer, int(blob))
        if actual is None or expected[0] < 1e-3 * np.sqrt(actual.size):
            continue  # A bias that the next normalisation removes: 0 in theory.
        flat = actual.ravel()
        norms.append(abs(np.linalg.norm(flat) / expected[0] - 1))
        found_samples = flat[np.arange(8) * (flat.size - 1) // 7]
        samples.append(np.abs(found_samples - expected[1:]).max() / np.abs(flat).max())
    assert len(norms) > 850
    # Float32 through 299 convolutions: a ReLU that switches at 0 moves single numbers,
    # hardly a norm. A wrong gradient anywhere would show in every layer before it.
    assert np.median(norms) < 5e-4 and max(norms) < 2e-2
    assert np.median(samples) < 5e-3 and max(samples) < 0.1


def _caffe_gradient(by_path, layer, blob):
    """The gradient of a Caffe blob, in its layout; None if there is no such weight."""
    if f"{layer}/kernel" in by_path:
        kernel = by_path[f"{layer}/kernel"].transpose(3, 2, 0, 1)
        return (kernel, by_path[f"{layer}/bias"])[blob]
    for name in ("bn", "batch"):
        path = layer.replace("scale", name)
        if f"{path}/gamma" in by_path:
            return by_path[f"{path}/{('gamma', 'beta')[blob]}"]
    return None


@pytest.mark.large
def test_scaled_weights_carry_a_signal_through_the_network():
    """Published ones make the features of fc_2 too small to learn from."""
    image = np.random.default_rng(0).normal(0, 0.3, (4, 64, 64, 3)).astype(np.float32)
    spread = {}
    for initializer in ("published", "scaled"):
        keras.utils.set_random_seed(0)
        network = build_network(4, 16, 64, "tiny", initializer=initializer)
        features = keras.Model(network.input, network.get_layer("fc_2").output)
        spread[initializer] = float(np.std(features(image)))
    assert spread["published"] < 1e-2
    assert 0.1 < spread["scaled"] < 2
    kernel = network.get_layer("hourglass1_branch1_res5_branch1_sub1_conv2").kernel
    inputs = np.prod(kernel.shape[:3])
    assert float(np.var(kernel)) == pytest.approx(0.5 / inputs, rel=0.05)


def test_the_last_layer_starts_as_small_as_asked(tiny):
    for name, std in (("conv_5_d16", 0.002), ("conv_2_n", 0.01)):
        assert float(np.std(tiny.get_layer(name).kernel)) == pytest.approx(std, 0.1)
