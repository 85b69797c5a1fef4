"""Networks on disk: what is in a file, what is refused, and in what surroundings."""

import json
import os
import random
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.i1 import PoseNetwork, build_network
from human_pose.i1.network import hourglass
from human_pose.i1.network.blocks import Blocks
from human_pose.i1.network.checkpoint import load_network, save_network

SIZE = 64
CONFIG = {
    "depth_bins": 4,
    "joints": 16,
    "input_size": SIZE,
    "preset": "tiny",
    "batch_norm": "moving",
    "initializer": "scaled",
    "last_layer_std": 0.002,
    "dtype": "float32",
    "name": "i1_tiny_d4",
}
IMAGE = np.random.default_rng(0).uniform(-0.5, 0.5, (2, SIZE, SIZE, 3))
IMAGE = IMAGE.astype(np.float32)


def few_layers(make, depth_bins, joints, input_size, *others):
    """What tells networks apart, without the blocks between."""
    image = keras.Input((input_size, input_size, 3), dtype="float32", name="image")
    x = make.convolution(image, "conv_1", 8, 5, strides=4)
    x = make.normalized(x, "bn_1")
    x = make.convolution(x, "fc_1", 8, 3)
    outputs = {
        "heatmap": make.convolution(x, "conv_2_n", joints),
        "heatmap2": make.convolution(x, f"conv_5_d{depth_bins}", joints * depth_bins),
    }
    linear = keras.layers.Activation
    return image, {
        name: linear("linear", dtype="float32", name=name)(tensor)
        for name, tensor in outputs.items()
    }


@pytest.fixture(autouse=True)
def small(monkeypatch, request):
    if "whole" not in request.fixturenames:
        monkeypatch.setattr(hourglass, "assemble", few_layers)


@pytest.fixture
def whole():
    """The network's own layers."""


@pytest.fixture
def network():
    return PoseNetwork(**CONFIG, seed=3)


@pytest.fixture
def saved(network, tmp_path):
    save_network(network, str(tmp_path / "saved.keras"))
    return tmp_path / "saved.keras"


def test_a_network_knows_itself(network):
    assert network.get_config() == CONFIG
    assert (network.depth_bins, network.joints, network.input_size) == (4, 16, SIZE)
    assert isinstance(build_network(4, input_size=SIZE, preset="tiny"), PoseNetwork)


def test_a_file_holds_the_configuration_and_the_weights(network, saved):
    with zipfile.ZipFile(saved) as archive:
        content = json.loads(archive.read("config.json"))
    assert content["registered_name"] == "human_pose>PoseNetwork"
    assert content["config"] == CONFIG
    for path in (saved, str(saved)):
        again = load_network(path)
        assert type(again) is PoseNetwork
        assert again.get_config() == CONFIG
        for name, heatmap in again(IMAGE).items():
            np.testing.assert_array_equal(heatmap, network(IMAGE)[name])


def test_a_seed_gives_keras_own_weights_and_touches_no_state():
    options = {"input_size": SIZE, "preset": "tiny", "initializer": "scaled"}
    random.seed(1)
    before = random.getstate()
    found = build_network(4, **options, seed=7)
    assert random.getstate() == before
    keras.utils.set_random_seed(7)
    expected = build_network(4, **options)
    for weight, other in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight, other, err_msg=weight.path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "^seed must be a whole number, at least 0"),
        (
            {"dtype": "float16"},
            "^dtype must be one of float32, mixed_bfloat16, mixed_f",
        ),
        ({"initializer": "ones"}, "^initializer must be published or scaled; received"),
        ({"last_layer_std": 0.0}, "^last_layer_std must be a number above 0"),
        ({"last_layer_std": float("nan")}, "^last_layer_std must be a number above 0"),
        ({"depth_bins": 4097}, "^depth_bins times joints must be at most 65536; "),
        ({"preset": ["tiny"]}, "^preset must be one of published, tiny; received"),
    ],
)
def test_refuses_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        build_network(**{"depth_bins": 4} | arguments)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_layers_compute_in_the_precision_asked_for(network, dtype, tmp_path):
    mixed = PoseNetwork(**CONFIG | {"dtype": dtype}, seed=3)
    save_network(mixed, tmp_path / "net.keras")
    mixed = load_network(tmp_path / "net.keras")
    assert {str(weight.dtype) for weight in mixed.weights} == {"float32"}
    computed = mixed.get_layer("conv_1").compute_dtype
    assert computed == dtype.removeprefix("mixed_")
    for name, heatmap in mixed(IMAGE).items():
        expected = network(IMAGE)[name].numpy()
        assert heatmap.dtype == "float32"
        assert np.abs(heatmap - expected).max() < 0.1 * np.abs(expected).max()


# Whoever loads a network need import no more, and has a `keras.json` of his own.
PROGRAM = """
import sys
import numpy as np
from human_pose.i1.network.checkpoint import load_network
import keras
assert keras.config.image_data_format() == "channels_first"
assert keras.config.floatx() == "float16"
network = load_network(sys.argv[1])
image = np.load(sys.argv[2])
found = {name: np.asarray(heatmap) for name, heatmap in network(image).items()}
from human_pose.i1 import build_network
from human_pose.i1.network.remat import rematerialized
fresh = build_network(4, input_size=64, preset="tiny", seed=3)
found["fresh"] = np.asarray(fresh(image)["heatmap2"])
found["lean"] = np.asarray(rematerialized(fresh)(image, training=True)["heatmap2"])
np.savez(sys.argv[3], **found)
"""


@pytest.mark.large  # tests/human_pose/test_sample_anywhere.py has one like it
def test_a_fresh_process_with_another_keras_json_finds_the_same(
    whole, network, saved, tmp_path
):
    other = {
        "backend": "tensorflow",
        "floatx": "float16",
        "image_data_format": "channels_first",
    }
    (tmp_path / "keras.json").write_text(json.dumps(other))
    image, result = tmp_path / "image.npy", tmp_path / "found.npz"
    np.save(image, IMAGE)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, saved, image, result],
        env=os.environ | {"KERAS_HOME": str(tmp_path)},
        check=True,
    )
    found = np.load(result)
    fresh = build_network(4, input_size=SIZE, preset="tiny", seed=3)
    expected = dict(network(IMAGE)) | {"fresh": fresh(IMAGE)["heatmap2"]}
    for name, heatmap in expected.items():
        assert found[name].dtype == np.float32
        scale = np.abs(heatmap).max()
        np.testing.assert_allclose(found[name], heatmap, rtol=0, atol=1e-4 * scale)
    np.testing.assert_allclose(found["lean"], found["fresh"], atol=1e-4)


@pytest.mark.large
@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("human_pose.i1.network.checkpoint", "PoseNetwork"),
        ("human_pose.pipeline.checkpoint", "Pipeline"),
        ("human_pose.lifting.lifter", "PPCALifter"),
    ],
)
def test_keras_knows_a_class_after_the_import_that_is_documented(module, kind):
    """`docs/i1.md` and `docs/lifting.md` say what to import for `load_model`."""
    program = (
        f"import keras, {module}\n"
        f"assert keras.saving.get_registered_object('human_pose>{kind}')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_refuses_weights_that_are_not_finite(network, saved, tmp_path):
    for value in (np.nan, np.inf):
        broken = load_network(saved)
        broken.get_layer("fc_1").bias.assign(np.full(8, value))
        save_network(broken, tmp_path / "net.keras")
        with pytest.raises(
            InputError, match=r"net.keras: has weights that are not fin"
        ):
            load_network(tmp_path / "net.keras")


def with_layer(name, channels=64):
    image = keras.Input((SIZE, SIZE, 3))
    return keras.Model(image, keras.layers.Conv2D(channels, 1, name=name)(image))


def layers_of_version_0_1(depth_bins=4, named=4, joints=16):
    """Layers without a configuration, the last of them with another name."""
    make = Blocks(8, "batch")
    convolution = make.convolution
    make.convolution = lambda x, name, *sizes, **options: convolution(
        x, name.replace(f"_d{depth_bins}", f"_d{named}"), *sizes, **options
    )
    return keras.Model(*hourglass.assemble(make, depth_bins, joints, SIZE, "tiny"))


def other_output():
    model = layers_of_version_0_1()
    return keras.Model(model.inputs, model.output["heatmap2"])


def other_input():
    model = layers_of_version_0_1()
    image = keras.Input((None, SIZE, 3))
    return keras.Model(image, model(keras.layers.CenterCrop(SIZE, SIZE)(image)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: with_layer("last"), "has no layer conv_5_d<depth bins>$"),
        (lambda: with_layer("conv_5_d4"), "its layers are not those of the network$"),
        (other_output, "its layers are not those of the network$"),
        (other_input, "has no layer conv_5_d<depth bins>$"),
        (
            lambda: layers_of_version_0_1(named=5),
            "heatmap2 must have 16 joints times 5 channels; it has 64$",
        ),
    ],
)
def test_refuses_another_model(make, message, tmp_path):
    make().save(tmp_path / "other.keras")
    with pytest.raises(
        InputError, match=f"other.keras: is not an I1 network: {message}"
    ):
        load_network(tmp_path / "other.keras")


def test_refuses_a_model_with_a_layer_too_many(tmp_path):
    model = layers_of_version_0_1()
    heatmaps = dict(model.output)
    more = keras.layers.Conv2D(64, 1, name="more")
    heatmaps["heatmap2"] = more(heatmaps["heatmap2"])
    keras.Model(model.inputs, heatmaps).save(tmp_path / "other.keras")
    with pytest.raises(InputError, match=r"network: its weights differ, in more/bias"):
        load_network(tmp_path / "other.keras")


@pytest.mark.parametrize(
    "change",
    [
        {"depth_bins": 8},
        {"depth_bins": 10**6},
        {"joints": 0},
        {"preset": "large"},
        {"input_size": "64"},
        {"unknown": 1},
    ],
)
def test_refuses_a_configuration_that_does_not_fit(saved, tmp_path, change):
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                model = json.loads(content)
                model["config"] |= change
                content = json.dumps(model)
            new.writestr(name, content)
    with pytest.raises(
        InputError, match=r"net.keras: is not (a readable checkpoint|an I1 network)"
    ) as e:
        load_network(path)
    assert len(str(e.value).splitlines()) == 1


def test_refuses_other_files(tmp_path):
    for name, message in (
        ("net.h5", r"net.h5: must be a .keras checkpoint of an I1 network"),
        ("gone.keras", r"gone.keras: no such file"),
    ):
        with pytest.raises(InputError, match=message):
            load_network(str(tmp_path / name))


def test_a_file_of_another_model_of_ours_is_told(tmp_path):
    """Its class is not imported here, of which Keras would say how to register it."""
    path = tmp_path / "pipeline.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"registered_name": "human_pose>Other"}')
    with pytest.raises(InputError, match=r"pipeline.keras: is not an I1 .* a Other"):
        load_network(path)
