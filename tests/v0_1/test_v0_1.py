"""Files that version 0.1 wrote are read, evaluated and trained further from."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from human_pose.datasets.pose_files import read_pose_file
from human_pose.files.paths import PROJECT_ROOT
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.network import hourglass
from human_pose.i1.network.checkpoint import load_network
from human_pose.i1.training import run as image_training
from human_pose.lifting.build import build_lifter
from human_pose.lifting.config import LifterConfig, TrainingConfig
from human_pose.lifting.training import run as lifter_training
from human_pose.runs.folder import RunFolder

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
LIFTER, IMAGE = HERE / "lifter", HERE / "image"
# Kernels of other machines, or for other numbers of threads, round otherwise.
ROUNDING = 1e-6


def lifter_config(**options):
    settings = json.loads((LIFTER / "run/check/settings.json").read_text())["lifter"]
    paths = {
        "mixture_path": GOLDEN / "model_parameters.h5",
        "cameras_path": GOLDEN / "avg_cameras.h5",
    }
    return LifterConfig(**settings | paths | options)


def h5_arrays(path):
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return arrays


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("checkpoint", {"check_path": LIFTER / "checkpoint.h5"}),
        (
            "embedded",
            {
                "check_path": PROJECT_ROOT / "results" / "trained_model.h5",
                "mixture_path": PROJECT_ROOT / "data" / "model_parameters.h5",
                "cameras_path": PROJECT_ROOT / "data" / "avg_cameras.h5",
            },
        ),
    ],
)
def test_lifts_by_the_checkpoints(name, options):
    poses = read_pose_file(LIFTER / "frames_sh.h5")
    expected = np.load(LIFTER / "expected.npz")
    outputs = build_lifter(lifter_config(**options))(
        {"joints_2d_px": poses.joints_2d_px}
    )
    for output in ("pose", "score"):
        np.testing.assert_allclose(
            outputs[output], expected[f"{name}/{output}"], rtol=ROUNDING, atol=ROUNDING
        )


def test_goes_on_training_the_lifter(tmp_path):
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(LIFTER / "run", folder.path)
    settings = json.loads(folder.settings.read_text())["training"]
    changes = {"input_path": LIFTER / "frames_sh.h5", "epochs": 2, "resume": True}
    config = TrainingConfig(**settings | changes)
    lifter_training.train(lifter_config(), config, folder)
    before, expected, found = (
        h5_arrays(path)
        for path in (
            LIFTER / "checkpoint.h5",
            LIFTER / "after_resume.h5",
            folder.epoch_checkpoint(1),
        )
    )
    assert found.keys() == expected.keys()
    assert any((expected[name] != before[name]).any() for name in expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=ROUNDING, atol=1e-9)


@pytest.fixture
def few_channels(monkeypatch):
    """The preset "tiny" as the files have it, see README.md."""
    monkeypatch.setitem(hourglass.SIZES, "tiny", hourglass.Sizes(unit=2, repeats=1))


@pytest.fixture
def expected():
    return np.load(IMAGE / "expected.npz")


def test_evaluates_the_image_network(few_channels, expected):
    network = load_network(IMAGE / "run" / "check" / "d4_ada.keras")
    assert (network.depth_bins, network.joints, network.input_size) == (4, 16, 64)
    assert (network.preset, network.batch_norm) == ("tiny", "batch")
    assert (network.initializer, network.last_layer_std) == ("scaled", 0.01)
    for name, heatmap in network(expected["image"]).items():
        scale = np.abs(expected[name]).max()
        # Statistics of two pictures' 2x2 features magnify rounding.
        np.testing.assert_allclose(heatmap, expected[name], rtol=0, atol=1e-4 * scale)


def test_a_seed_gives_the_weights_that_it_gave(few_channels, expected):
    network = hourglass.build_network(
        4, input_size=64, preset="tiny", initializer="scaled", seed=5
    )
    assert [weight.path for weight in network.weights] == json.loads(
        str(expected["paths"])
    )
    sums = [np.sum(np.abs(np.float64(weight))) for weight in network.weights]
    np.testing.assert_allclose(sums, expected["fresh"], rtol=ROUNDING)


def image_config(folder, root, **options):
    settings = json.loads(folder.settings.read_text())
    return ImageTrainingConfig(**settings | {"data_dir": root} | options)


@pytest.fixture
def eager():
    """A step or two are done before their graph would be traced."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def vector(arrays, network):
    """The weights whose gradients are no rounding, in one."""
    paths = [weight.path for weight in network.weights]
    return np.concatenate(
        [
            np.ravel(array)
            for array, path in zip(arrays, paths, strict=True)
            if path.endswith(("kernel", "gamma"))
        ]
    )


@pytest.mark.filterwarnings("ignore:Even though the `tf.config")
@pytest.mark.large
def test_goes_on_training_the_image_network(
    few_channels, eager, expected, root, tmp_path
):
    folder = image_training.run_folder(tmp_path / "run")
    shutil.copytree(IMAGE / "run", folder.path)
    checkpoint = folder.stage_checkpoint("d4_ada")
    network = load_network(checkpoint)
    before = vector(network.weights, network)
    ends = np.cumsum([np.size(weight) for weight in network.weights])
    after = vector(np.split(expected["after"], ends[:-1]), network)
    image_training.train(image_config(folder, root, resume=True), folder)
    found = vector(load_network(checkpoint).weights, network)
    moved = np.linalg.norm(after - before)
    # Without the optimiser's history the step is 1.4 times as long.
    assert moved > 0
    assert np.linalg.norm(found - after) < 0.05 * moved
    state = np.load(folder.training_state)
    assert json.loads(str(state["header"]))["progress"] == {
        "stage": 0, "step": 2, "total": 2, "best_mm": None
    }  # fmt: skip


@pytest.mark.large
@pytest.mark.filterwarnings("ignore:Even though the `tf.config")
def test_starts_a_training_from_the_image_network(few_channels, eager, root, tmp_path):
    old = image_training.run_folder(IMAGE / "run")
    folder = image_training.run_folder(tmp_path / "run")
    start = old.stage_checkpoint("d4_ada")
    config = image_config(
        old, root, check_path=start, iterations=1, learning_rate=1e-12
    )
    image_training.train(config, folder)
    found = load_network(folder.stage_checkpoint("d4_ada"))
    expected = {w.path: np.asarray(w) for w in load_network(start).trainable_weights}
    for weight in found.trainable_weights:
        np.testing.assert_allclose(weight, expected[weight.path], atol=1e-9)
