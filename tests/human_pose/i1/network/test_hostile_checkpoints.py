"""`.keras` files that would run a program, or read others, as they are loaded."""

import base64
import configparser
import json
import marshal
import zipfile
from pathlib import Path

import keras
import pytest
from packaging.requirements import Requirement

from human_pose.files.errors import InputError
from human_pose.i1.network.checkpoint import load_network

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A model that Keras loads; `load_network` takes it for ours by a layer's name."""
    path = tmp_path_factory.mktemp("plain") / "net.keras"
    layers = [keras.Input((2,)), keras.layers.Dense(1, name="conv_5_d4")]
    keras.Sequential(layers).save(path)
    return path


def with_layer(plain, path, layer):
    """The file with a further layer."""
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"].insert(1, layer)
                content = json.dumps(config).encode()
            target.writestr(name, content)


def function(module, name):
    return {
        "module": module, "class_name": "function", "config": name,
        "registered_name": name,
    }  # fmt: skip


def layer(kind, module="keras.layers", **config):
    return {
        "module": module, "class_name": kind, "registered_name": None,
        "config": {"name": "odd", **config}, "build_config": {"input_shape": [None, 2]},
    }  # fmt: skip


def lambda_of(called, **arguments):
    return layer("Lambda", function=called, arguments=arguments)


def code_of(command):
    def run(x, command=command):
        __import__("os").system(command)
        return x

    code = base64.b64encode(marshal.dumps(run.__code__)).decode()
    return {
        "class_name": "__lambda__",
        "config": {"code": code, "defaults": [command], "closure": None},
    }


@pytest.mark.parametrize(
    "made",
    [
        lambda mark: lambda_of(code_of(f"touch {mark}")),
        lambda mark: lambda_of(function("os", "system"), command=f"touch {mark}"),
        lambda mark: lambda_of(function("builtins", "exec")),
        lambda mark: layer("Popen", "subprocess", args=["touch", str(mark)]),
        lambda mark: layer("system", "os", command=f"touch {mark}"),
        lambda mark: lambda_of(
            function("keras.config", "enable_unsafe_deserialization")
        ),
        lambda mark: lambda_of(function("keras.models", "load_model")),
        lambda mark: lambda_of(
            function("keras.utils", "get_file"), origin=(mark.parent / "a").as_uri()
        ),
        lambda mark: layer("TFSMLayer", filepath=str(mark.parent)),
        lambda mark: layer(
            "Activation",
            activation=function("human_pose.i1.network.checkpoint", "save_network"),
        ),
    ],
)
def test_nothing_is_run(plain, tmp_path, made):
    mark = tmp_path / "mark"
    (tmp_path / "a").touch()
    path = tmp_path / "odd.keras"
    with_layer(plain, path, made(mark))
    with pytest.raises(InputError) as error:
        load_network(path)
    assert str(error.value).startswith(f"{path}: is not a readable checkpoint (")
    assert "\n" not in str(error.value)
    assert not mark.exists()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a", path]


def test_the_plain_file_is_read(plain, tmp_path):
    path = tmp_path / "more.keras"
    with_layer(plain, path, layer("Activation", activation="relu"))
    with_layer(plain, tmp_path / "same.keras", layer("Dropout", rate=0.5))
    for name in (plain, path, tmp_path / "same.keras"):
        try:
            load_network(name)
        except InputError as error:
            assert "is not a readable checkpoint" not in str(error)


def test_versions_of_keras_that_run_programs_are_not_installed():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    sections = [
        setup["options"]["install_requires"],
        *setup["options.extras_require"].values(),
    ]
    lines = [line for section in sections for line in section.splitlines()]
    (wanted,) = {line for line in lines if line.startswith("keras")}
    allowed = Requirement(wanted).specifier
    assert keras.__version__ in allowed
    for version in ("3.6.0", "3.8.0", "3.11.3", "3.12.0", "3.12.2", "3.13.2", "3.14.1"):
        assert version not in allowed
    assert "3.12.4" in allowed
