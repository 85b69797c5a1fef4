"""Training on a few made-up pictures: stages, states, summaries and options."""

import dataclasses
import json
import math
import os
import random
import shutil
import signal

import keras
import made_up_images
import numpy as np
import pytest
import tensorflow as tf
from made_up_shards import write_shards
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from human_pose.files.errors import InputError
from human_pose.i1 import curriculum
from human_pose.i1.caffe import caffemodel
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.network import checkpoint, hourglass
from human_pose.i1.training import build, callbacks, conditions, stages
from human_pose.i1.training import run as training
from human_pose.i1.training.plan import plan
from human_pose.runs import distribution
from human_pose.runs.folder import RunFolder
from human_pose.runs.interruption import Leaver

CONFIG = ImageTrainingConfig(
    data_dir=None,
    split="corrected",
    recipe="published",
    preset="tiny",
    stage=None,
    loss=None,
    max_depth_bins=8,
    every=1,
    check_path=None,
    learning_rate=1e-3,
    iterations=2,
    batch_size=2,
    augment=None,
    accumulate=1,
    mixed_precision=False,
    jit=False,
    remat=False,
    skip_bad=False,
    save_every=1,
    validation_samples=0,
    validate_every=2,
    seed=3,
    resume=False,
    overwrite=False,
)


def shrink(monkeypatch):
    """Inputs of 64 px, and two stages: the second of another depth."""
    for recipe in ("published", "modern"):
        scaling = dataclasses.replace(
            curriculum.SCALINGS[recipe, "tiny"], input_size=64
        )
        monkeypatch.setitem(curriculum.SCALINGS, (recipe, "tiny"), scaling)
    stages = tuple(map(curriculum.PUBLISHED.stage, ("d4_ada", "d8_ada")))
    recipe = dataclasses.replace(curriculum.PUBLISHED, stages=stages)
    monkeypatch.setitem(curriculum.RECIPES, "published", recipe)


def stand_in(monkeypatch, sampled=True):
    """A few layers in the place of the network, and a picture that is soon drawn.

    Its sample is read where that is wanted: it takes as long as a step's graph.
    """
    if not sampled:
        monkeypatch.setattr(stages.evaluation, "sample", lambda *_: None)
    monkeypatch.setattr(hourglass, "assemble", few_layers)
    monkeypatch.setattr(
        stages.evaluation,
        "sample_figure",
        lambda *_: Figure(figsize=(2, 1), dpi=100),
    )


@pytest.fixture(autouse=True)
def small(monkeypatch, request):
    """Stand-ins, but for the tests in which the network's blocks matter."""
    shrink(monkeypatch)
    if "large" not in request.keywords:
        stand_in(monkeypatch, sampled=False)


def few_layers(make, depth_bins, joints, input_size, *others):
    image = keras.Input((input_size, input_size, 3), name="image")
    x = make.convolution(image, "conv_1", 4, 5, strides=4)
    x = make.normalized(x, "bn_1")
    x = make.convolution(x, "fc_1", 4, 3)
    outputs = {
        "heatmap": make.convolution(x, "conv_2_n", joints),
        "heatmap2": make.convolution(x, f"conv_5_d{depth_bins}", joints * depth_bins),
    }
    return image, outputs


@pytest.fixture
def config(root):
    return dataclasses.replace(CONFIG, data_dir=root)


def trained_once(folder, **options):
    """A run in a folder of its own, to be read or copied only."""
    (folder / "images").mkdir()
    made_up_images.write_set(folder / "images")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        stand_in(patch)
        run = folder_of(folder / "run")
        config = dataclasses.replace(CONFIG, data_dir=folder / "images", **options)
        training.train(config, run)
    return run


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """A run of both stages that learns nothing, validated after every update."""
    return trained_once(
        tmp_path_factory.mktemp("still"),
        learning_rate=1e-12,
        validation_samples=2,
        validate_every=1,
    )


@pytest.fixture(scope="module")
def first_stage(tmp_path_factory):
    """A run of two updates of the first stage."""
    return trained_once(tmp_path_factory.mktemp("first_stage"), stage="d4_ada")


@pytest.fixture
def folder(first_stage, tmp_path):
    """A copy of that run."""
    shutil.copytree(first_stage.path, tmp_path / "run")
    return folder_of(tmp_path / "run")


folder_of = training.run_folder


def weights(folder, stage):
    network = checkpoint.load_network(folder.stage_checkpoint(stage))
    return {weight.path: np.asarray(weight) for weight in network.weights}


class Stopped(Exception):
    pass


def stop_after(saves, monkeypatch):
    """Makes training fail right after it has saved that often."""
    seen = []
    save = callbacks.Saver.on_epoch_end

    def counting(self, *arguments):
        save(self, *arguments)
        seen.append(0)
        if len(seen) == saves:
            raise Stopped

    monkeypatch.setattr(callbacks.Saver, "on_epoch_end", counting)


def test_a_stopped_run_ends_as_one_that_was_not(config, tmp_path, monkeypatch):
    config = dataclasses.replace(config, validation_samples=2)
    whole, parts = folder_of(tmp_path / "whole"), folder_of(tmp_path / "parts")
    training.train(config, whole)
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stop_after(3, patch)  # in the second stage
        training.train(config, parts)
    state = np.load(parts.training_state)
    assert json.loads(str(state["header"]))["progress"] == {
        "stage": 1, "step": 1, "total": 3, "best_mm": None
    }  # fmt: skip
    # It keeps its length, though nobody tells it again.
    again = dataclasses.replace(config, resume=True, iterations=None)
    training.train(again, parts)
    assert progress_of(parts)["total"] == 4
    for stage in ("d4_ada", "d8_ada"):
        expected, actual = weights(whole, stage), weights(parts, stage)
        assert expected.keys() == actual.keys()
        for name in expected:
            # Sums over threads differ in their last digits, and RMSProp's first steps
            # have the sign of a gradient: most of a weight's step is of that size.
            np.testing.assert_allclose(
                actual[name], expected[name], rtol=1e-3, atol=2e-4, err_msg=name
            )
    # A run that is done is left alone.
    training.train(again, parts)


def test_the_second_stage_starts_from_the_first(still):
    first, second = weights(still, "d4_ada"), weights(still, "d8_ada")
    new = {name for name in second if name.startswith("conv_5_d8")}
    assert second.keys() - first.keys() == new
    for name in second.keys() - new:
        if "moving" not in name:
            np.testing.assert_allclose(second[name], first[name], atol=1e-9)


def test_writes_every_term_and_error_for_tensorboard(still):
    tags, steps = {}, {}
    for part in ("train", "validation"):
        events = EventAccumulator(str(still.logger / part))
        events.Reload()
        tags[part] = set(events.Tags()["tensors"])
        steps[part] = [event.step for event in events.Tensors("loss")]
    measured = {
        "loss", "adaptive_heatmap_2d", "adaptive_heatmap_3d", "adaptive_joints_2d",
        "adaptive_depth", "adaptive_stage_1_joints_2d", "euclidean_heatmap_3d",
        "integral_mpjpe_mm", "argmax_mpjpe_mm",
    }  # fmt: skip
    assert tags["train"] == measured | {"learning_rate"}
    assert tags["validation"] == measured | {"sample"}
    assert steps["train"] == [1, 2, 3, 4]


def test_each_stage_starts_its_last_layer_by_its_own_deviation(
    config, tmp_path, monkeypatch
):
    seen = []

    def noting(depth_bins, **options):
        seen.append((depth_bins, options["last_layer_std"]))
        return hourglass.build_network(depth_bins, **options)

    monkeypatch.setattr(build, "build_network", noting)
    config = dataclasses.replace(
        config, recipe="modern", max_depth_bins=None, iterations=1
    )
    training.train(config, folder_of(tmp_path / "run"))
    assert seen == [(16, 0.002)]


def test_accumulated_equal_batches_are_one(config, tmp_path, monkeypatch):
    """Two batches to an update: on equal batches the update of one."""
    batches = stages.batches

    def same(dataset, stream, **options):
        plain = {"start_step": 0, "shuffle": False, "augment": None}
        stream = dataclasses.replace(stream, **plain)
        return batches(dataset, stream, **options).take(1).repeat()

    monkeypatch.setattr(stages, "batches", same)
    config = dataclasses.replace(config, stage="d4_ada", iterations=1)
    folders = [folder_of(tmp_path / f"{n}") for n in (1, 2)]
    for accumulate, folder in zip((1, 2), folders, strict=True):
        training.train(dataclasses.replace(config, accumulate=accumulate), folder)
    one, two = (weights(folder, "d4_ada") for folder in folders)
    for name in one:
        if "moving" not in name:
            np.testing.assert_allclose(two[name], one[name], atol=1e-4, err_msg=name)


def test_several_steps_in_one_call_are_those_one_by_one(config, tmp_path, monkeypatch):
    config = dataclasses.replace(config, stage="d8_ada", iterations=7, save_every=4)
    config = dataclasses.replace(config, accumulate=3)  # calls of 3 of 12 and 9 steps
    calls = []
    count = callbacks.Counter.on_train_batch_end

    def noting(self, batch, logs):
        count(self, batch, logs)
        calls[-1].append(self._progress.step)

    monkeypatch.setattr(callbacks.Counter, "on_train_batch_end", noting)
    folders = [folder_of(tmp_path / f"{n}") for n in (3, 1)]
    for most, folder in zip((4, 1), folders, strict=True):
        scaling = dataclasses.replace(
            curriculum.SCALINGS["published", "tiny"], steps_per_execution=most
        )
        monkeypatch.setitem(curriculum.SCALINGS, ("published", "tiny"), scaling)
        calls.append([])
        training.train(config, folder)
        with np.load(folder.training_state) as state:
            progress = json.loads(str(state["header"]))["progress"]
        assert progress == {"stage": 0, "step": 21, "total": 7, "best_mm": None}
    assert calls == [list(range(3, 22, 3)), list(range(1, 22))]
    several, single = (weights(folder, "d8_ada") for folder in folders)
    for name in single:
        np.testing.assert_allclose(several[name], single[name], rtol=1e-6, atol=1e-7)


# Statistics of two samples on maps of one pixel amplify rounding: other kernels change
# the gradients by percents, whether XLA's or those without oneDNN.
@pytest.mark.large
@pytest.mark.parametrize(
    ("option", "tolerance"), [("jit", 1e-2), ("mixed_precision", 0.05), ("remat", 1e-5)]
)
def test_an_option_changes_the_loss_within_rounding(
    config, tmp_path, monkeypatch, option, tolerance
):
    def losses(**options):
        seen = []
        count = callbacks.Counter.on_train_batch_end

        def noting(self, batch, logs):
            seen.append(logs["loss"])
            count(self, batch, logs)

        with monkeypatch.context() as patch:
            patch.setattr(callbacks.Counter, "on_train_batch_end", noting)
            chosen = dataclasses.replace(
                config,
                stage="d4_ada",
                overwrite=True,
                # RMSProp's first step has the sign of each gradient, also of rounding.
                learning_rate=1e-5,
                **options,
            )
            training.train(chosen, folder_of(tmp_path / "run"))
        return seen

    plain, changed = losses(), losses(**{option: True})
    np.testing.assert_allclose(changed, plain, rtol=tolerance)


def test_stops_when_the_loss_is_not_finite(config, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "human_pose.i1.objective.terms.targets.heatmaps_2d",
        lambda joints, size, peak: tf.fill([2, size, size, 16], float("nan")),
    )
    with pytest.raises(
        FloatingPointError, match=r"loss is nan in stage d4_ada, step 1"
    ):
        training.train(config, folder_of(tmp_path / "run"))


@pytest.mark.parametrize(
    "recipe", ["published", pytest.param("modern", marks=pytest.mark.large)]
)
def test_no_diverged_state_replaces_a_good_one(config, tmp_path, recipe):
    """The first step's loss is finite; it tells nothing of the weights it leaves."""
    folder = folder_of(tmp_path / "run")
    config = dataclasses.replace(
        config,
        recipe=recipe,
        max_depth_bins=16,
        learning_rate=1e30,
        iterations=3,
    )
    with pytest.raises(FloatingPointError, match=r"step 1 of stage .* is kept"):
        training.train(config, folder)
    with np.load(folder.training_state) as state:
        assert json.loads(str(state["header"]))["progress"]["step"] == 0
    assert not list(folder.check.glob("*.keras"))


def test_starts_from_no_solver_state(config, tmp_path):
    path = tmp_path / "net.solverstate"
    path.write_bytes(b"\x08\x05")  # iteration 5
    folder = folder_of(tmp_path / "run")
    with pytest.raises(InputError, match=r"net.solverstate: is a solver's state;"):
        training.train(dataclasses.replace(config, check_path=path), folder)


def test_refuses_to_start_from_weights_that_are_not_finite(config, tmp_path):
    network = hourglass.build_network(4, input_size=64, preset="tiny")
    network.get_layer("fc_1").bias.assign(np.full(4, np.nan))
    path = tmp_path / "net.keras"
    checkpoint.save_network(network, path)
    folder = folder_of(tmp_path / "run")
    with pytest.raises(InputError, match=r"net.keras: has weights that are not finite"):
        training.train(dataclasses.replace(config, check_path=path), folder)
    assert not folder.path.exists()


def test_protects_a_run_and_its_conditions(config, folder, tmp_path):
    config = dataclasses.replace(config, stage="d4_ada")
    with pytest.raises(InputError, match=r"already holds a training run"):
        training.train(config, folder)
    again = dataclasses.replace(config, resume=True)
    for changes, message in (
        ({"seed": 4}, r"other conditions: seed was 3, is 4$"),
        ({"sync_bn": False}, r"other conditions: sync_bn was True, is False$"),
        ({"every": 2}, r": every was 1, is 2, samples was \d+ \(.*\), is \d+ \(.*\)$"),
        ({"stage": None}, r": recipe.stages had 1 entries, has 2$"),
        ({"stage": "d8_ada"}, r"stages\[0\].depth_bins was 4, is 8, .* and \d more$"),
    ):
        with pytest.raises(InputError, match=message):
            training.train(dataclasses.replace(again, **changes), folder)
    # A run that is resumed needs no other weights.
    training.train(dataclasses.replace(again, check_path=tmp_path / "gone"), folder)
    folder.training_state.write_bytes(b"PK\x03\x04nothing")
    with pytest.raises(InputError, match=r"is no readable .npz file"):
        training.train(dataclasses.replace(config, resume=True), folder)


def other_blobs(network):
    """Caffe's weights of a network, one layer of which has another size."""
    blobs = caffemodel.export(network)
    return blobs | {"fc_1": [blobs["fc_1"][0][:3], blobs["fc_1"][1]]}


def test_overwrites_a_run_only_by_one_that_is_possible(config, folder, tmp_path):
    config = dataclasses.replace(config, stage="d4_ada")
    before = {path: path.read_bytes() for path in folder.check.iterdir()}
    network = checkpoint.load_network(folder.stage_checkpoint("d4_ada"))
    odd = tmp_path / "odd.caffemodel"
    caffemodel.write(odd, other_blobs(network))
    for change, message in (
        ({"seed": 2**30}, r"seed must be from 0 to 1073741823; received 1073741824"),
        ({"check_path": odd}, r"odd.caffemodel: .*does not fit.*fc_1 has 3x"),
    ):
        with pytest.raises(InputError, match=message):
            training.train(
                dataclasses.replace(config, overwrite=True, **change), folder
            )
        assert {p: p.read_bytes() for p in folder.check.iterdir()} == before


def test_every_stage_needs_a_seed(config):
    with pytest.raises(InputError, match=r"seed must be from 0 to 1073740823;"):
        plan(dataclasses.replace(config, seed=2**30 - 1000))
    plan(dataclasses.replace(config, seed=2**30 - 1001))


def test_starts_from_a_checkpoint(config, first_stage, tmp_path):
    first, second = first_stage, folder_of(tmp_path / "second")
    training.train(
        dataclasses.replace(
            config,
            stage="d8_ada",
            check_path=first.stage_checkpoint("d4_ada"),
            learning_rate=1e-12,
        ),
        second,
    )
    before, after = weights(first, "d4_ada"), weights(second, "d8_ada")
    np.testing.assert_allclose(after["fc_1/kernel"], before["fc_1/kernel"], atol=1e-9)


def test_starts_from_caffes_weights_by_name(config, first_stage, tmp_path):
    """Layers that the file has not stay new, and others in it are left out."""
    first, second = first_stage, folder_of(tmp_path / "second")
    config = dataclasses.replace(
        config, stage="d4_ada", validation_samples=0, learning_rate=1e-12
    )
    network = checkpoint.load_network(first.stage_checkpoint("d4_ada"))
    blobs = caffemodel.export(network) | {"extra": [np.ones(3)]}
    blobs["fc_1"] = [blobs["fc_1"][0] + 1, blobs["fc_1"][1]]
    del blobs["conv_2_n"]
    path = tmp_path / "mpii.caffemodel"
    caffemodel.write(path, blobs)
    training.train(dataclasses.replace(config, check_path=path, seed=9), second)
    before, after = weights(first, "d4_ada"), weights(second, "d4_ada")
    np.testing.assert_allclose(
        after["fc_1/kernel"], before["fc_1/kernel"] + 1, rtol=1e-6
    )
    assert np.abs(after["conv_2_n/kernel"] - before["conv_2_n/kernel"]).max() > 1e-3


def test_leaves_out_bad_samples_and_lists_them(config, root, tmp_path):
    (root / "camera_all" / "2.txt").write_text("nothing")
    folder = folder_of(tmp_path / "run")
    config = dataclasses.replace(config, stage="d4_ada", iterations=1)
    with pytest.raises(InputError, match=r"`skip_bad` leaves it out"):
        training.train(config, folder)
    training.train(dataclasses.replace(config, skip_bad=True), folder)
    assert "camera_all/2.txt" in folder.skipped.read_text()


def test_names_the_stages_there_are(config):
    with pytest.raises(InputError, match=r"one of d4_ada, d8_ada .*received 'd5'"):
        plan(dataclasses.replace(config, stage="d5"))
    with pytest.raises(InputError, match=r"max_depth_bins must be 4 or more, "):
        plan(dataclasses.replace(config, max_depth_bins=2))


def test_leaves_keras_as_it_is(config, tmp_path):
    """Neither the precision nor the random state of whoever calls is changed."""
    config = dataclasses.replace(
        config, stage="d4_ada", iterations=1, mixed_precision=True
    )
    before = random.getstate()
    training.train(config, folder_of(tmp_path / "run"))
    assert random.getstate() == before
    assert keras.config.dtype_policy().name == "float32"


def progress_of(folder):
    with np.load(folder.training_state) as state:
        return json.loads(str(state["header"]))["progress"]


def at_once(monkeypatch, **changes):
    """Other steps to a call of Keras, or another schedule, of the tiny preset."""
    scaling = curriculum.SCALINGS["published", "tiny"]
    monkeypatch.setitem(
        curriculum.SCALINGS,
        ("published", "tiny"),
        dataclasses.replace(scaling, **changes),
    )


def terminate_at(step, monkeypatch):
    """Sends SIGTERM while that step is counted."""
    count = callbacks.Counter.on_train_batch_end

    def counting(self, batch, logs):
        count(self, batch, logs)
        if self._progress.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(callbacks.Counter, "on_train_batch_end", counting)


@pytest.mark.large
def test_sigterm_saves_a_state_that_continues_exactly(config, tmp_path, monkeypatch):
    """Also within the steps between two states, and where a validation is due."""
    at_once(monkeypatch, steps_per_execution=2)
    config = dataclasses.replace(
        config,
        stage="d8_ada",
        iterations=8,
        save_every=4,
        validation_samples=2,
        validate_every=1,
    )
    whole, parts = folder_of(tmp_path / "whole"), folder_of(tmp_path / "parts")
    training.train(config, whole)
    # One run, told to end three times.
    for resume, step in ((False, 2), (True, 4), (True, 8)):
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as exit:
            terminate_at(step, patch)
            training.train(dataclasses.replace(config, resume=resume), parts)
        assert exit.value.code == 143
        assert progress_of(parts)["step"] == step
    training.train(dataclasses.replace(config, resume=True), parts)
    assert progress_of(parts) == pytest.approx(progress_of(whole), rel=1e-3)
    for name in ("d8_ada", "d8_ada_best"):
        expected, actual = weights(whole, name), weights(parts, name)
        for key in expected:
            np.testing.assert_allclose(
                actual[key], expected[key], rtol=1e-3, atol=1e-3, err_msg=key
            )


@pytest.mark.large
def test_goes_on_from_the_middle_in_steps_that_fit(config, tmp_path, monkeypatch):
    """A state after a step that no call of several steps would end at."""
    config = dataclasses.replace(config, stage="d8_ada", iterations=8, save_every=4)
    folder = folder_of(tmp_path / "run")
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        at_once(patch, steps_per_execution=1)
        terminate_at(3, patch)
        training.train(config, folder)
    at_once(monkeypatch, steps_per_execution=4)
    training.train(dataclasses.replace(config, resume=True), folder)
    assert progress_of(folder)["step"] == 8


def test_keeps_the_best_of_the_validations(config, tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "run")
    config = dataclasses.replace(
        config,
        stage="d4_ada",
        iterations=4,
        validation_samples=2,
        validate_every=1,
        learning_rate=1e-2,
    )
    found = []
    save = callbacks.Saver.on_epoch_end

    def noting(self, epoch, logs):
        logs["val_integral_mpjpe_mm"] = [30.0, 10.0, 20.0, 40.0, 35.0][epoch]
        save(self, epoch, logs)
        if epoch in (1, 3):
            found.append(weights(folder, "d4_ada"))

    monkeypatch.setattr(callbacks.Saver, "on_epoch_end", noting)
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        terminate_at(3, patch)
        training.train(config, folder)
    assert progress_of(folder)["best_mm"] == 10
    training.train(dataclasses.replace(config, resume=True), folder)
    assert progress_of(folder)["best_mm"] == 10
    best = weights(folder, "d4_ada_best")
    for name, value in found[0].items():
        np.testing.assert_array_equal(best[name], value)
    assert np.abs(best["fc_1/kernel"] - found[-1]["fc_1/kernel"]).max() > 1e-4
    # Errors of other samples do not compare.
    other = {"iterations": 5, "validation_samples": 3, "resume": True}
    training.train(dataclasses.replace(config, **other), folder)
    assert progress_of(folder)["best_mm"] == 35


def rewrite_header(path, change):
    with np.load(path) as state:
        arrays = dict(state)
    header = json.loads(str(arrays["header"]))
    change(header)
    np.savez(path, **(arrays | {"header": np.array(json.dumps(header))}))


@pytest.mark.large  # tests/v0_1 continues one that it wrote
def test_a_state_of_version_0_1_is_continued(config, tmp_path, monkeypatch):
    """It says nothing of a best validation."""
    folder = folder_of(tmp_path / "run")
    config = dataclasses.replace(
        config, stage="d4_ada", iterations=3, validation_samples=2
    )
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stop_after(1, patch)
        training.train(config, folder)
    rewrite_header(folder.training_state, lambda h: h["progress"].pop("best_mm"))
    training.train(dataclasses.replace(config, resume=True), folder)
    assert progress_of(folder)["best_mm"] > 0
    assert folder.stage_checkpoint("d4_ada_best").exists()


def test_refuses_a_state_of_no_such_training(config, folder):
    config = dataclasses.replace(config, stage="d4_ada")
    good = folder.training_state.read_bytes()
    for change in (
        {"stage": 2},
        {"stage": -1},
        {"step": "x"},
        {"step": 3},
        {"best_mm": math.nan},
    ):
        folder.training_state.write_bytes(good)
        rewrite_header(
            folder.training_state, lambda h, c=change: h["progress"].update(c)
        )
        with pytest.raises(InputError, match=r"npz: is no training state of this kind"):
            training.train(dataclasses.replace(config, resume=True), folder)


@pytest.mark.large
def test_more_iterations_at_a_constant_rate_are_those_of_a_longer_run(
    config, tmp_path, monkeypatch
):
    at_once(monkeypatch, schedule="constant")
    config = dataclasses.replace(config, stage="d4_ada", save_every=2)
    longer = dataclasses.replace(config, iterations=7)
    whole, parts = folder_of(tmp_path / "whole"), folder_of(tmp_path / "parts")
    training.train(longer, whole)
    training.train(dataclasses.replace(config, iterations=3), parts)
    training.train(dataclasses.replace(longer, resume=True), parts)
    assert progress_of(parts) == progress_of(whole)
    expected, actual = weights(whole, "d4_ada"), weights(parts, "d4_ada")
    for name in expected:
        np.testing.assert_allclose(
            actual[name], expected[name], rtol=1e-3, atol=2e-4, err_msg=name
        )


def test_more_iterations_under_a_cosine_follow_that_of_the_new_length(
    config, folder, monkeypatch
):
    config = dataclasses.replace(config, stage="d4_ada", resume=True)
    rates, told = [], []

    def noting(self, epoch, logs):
        rates.append(float(np.asarray(self.model.optimizer.learning_rate)))

    monkeypatch.setattr(callbacks.Recorder, "on_epoch_end", noting)
    monkeypatch.setattr(
        conditions.logging, "warning", lambda text, *values: told.append(text % values)
    )
    training.train(dataclasses.replace(config, iterations=4), folder)
    assert progress_of(folder)["step"] == 4
    cosine = keras.optimizers.schedules.CosineDecay(1e-3, 4, alpha=0.01)
    np.testing.assert_allclose(rates, [cosine(3), cosine(4)], rtol=1e-5)
    assert [text for text in told if "cosine of 4 iterations" in text]


def test_a_finished_stage_keeps_its_iterations(config, still, tmp_path):
    shutil.copytree(still.path, tmp_path / "run")
    folder = folder_of(tmp_path / "run")
    first = folder.stage_checkpoint("d4_ada").read_bytes()
    again = dataclasses.replace(
        config, resume=True, learning_rate=1e-12, validation_samples=0
    )
    training.train(dataclasses.replace(again, iterations=3), folder)
    assert progress_of(folder)["step"] == 3
    assert folder.stage_checkpoint("d4_ada").read_bytes() == first
    for fewer in (1, 2):
        with pytest.raises(
            InputError,
            match=rf"^iterations must be 3 or more, .* d8_ada; received {fewer}$",
        ):
            training.train(dataclasses.replace(again, iterations=fewer), folder)
    # As it is now: 2 and 3.
    training.train(dataclasses.replace(again, iterations=None), folder)
    assert progress_of(folder)["total"] == 5


def test_stops_when_the_loss_means_nothing(config, tmp_path):
    """A loss may be finite and be that of nothing."""
    folder = folder_of(tmp_path / "run")
    config = dataclasses.replace(config, learning_rate=100.0, iterations=3)
    with pytest.raises(
        FloatingPointError,
        match=r"step 1 of stage d4_ada has left .* above 2.048e\+07; .* is kept",
    ):
        training.train(config, folder)
    assert progress_of(folder)["step"] == 0
    assert not list(folder.check.glob("*.keras"))


def test_names_the_step_whose_loss_means_nothing(config, tmp_path, monkeypatch):
    at_once(monkeypatch, steps_per_execution=1)
    config = dataclasses.replace(
        config, learning_rate=100.0, iterations=3, save_every=3
    )
    with pytest.raises(
        FloatingPointError, match=r"loss is .* in stage d4_ada, step \d, above 2.048e"
    ):
        training.train(config, folder_of(tmp_path / "run"))


@pytest.mark.parametrize(
    ("at_once_", "worst", "message"),
    [
        (1, 3e7, r"loss is 3e\+07 in stage d4_ada, step 3, above 2.048e"),
        pytest.param(
            4,
            3e7,
            r"loss is 3e\+07 in stage d4_ada, steps 1 to 4, above 2.048e",
            marks=pytest.mark.large,
        ),
        (4, math.nan, r"loss is nan in stage d4_ada, steps 1 to 4;"),
    ],
)
def test_one_bad_step_among_good_ones_stops(
    config, tmp_path, monkeypatch, at_once_, worst, message
):
    """Their mean is below the bound, and the loss of the last is fine."""
    at_once(monkeypatch, steps_per_execution=at_once_)
    config = dataclasses.replace(config, stage="d4_ada", iterations=4, save_every=4)
    honest, calls = build.Objective.__call__, tf.Variable(0)

    def third_is_bad(self, outputs, batch):
        terms = honest(self, outputs, batch)
        is_third = tf.equal(calls.assign_add(1), 3)
        bad = worst / len(terms)
        return {name: tf.where(is_third, bad, term) for name, term in terms.items()}

    monkeypatch.setattr(build.Objective, "__call__", third_is_bad)
    with pytest.raises(FloatingPointError, match=message):
        training.train(config, folder_of(tmp_path / "run"))


@pytest.mark.large
def test_only_the_chief_writes(config, tmp_path, monkeypatch):
    """The others validate and end as it does."""
    at_once(monkeypatch, steps_per_execution=1)
    monkeypatch.setattr(distribution, "is_chief", lambda strategy=None: False)
    config = dataclasses.replace(
        config, stage="d4_ada", save_every=2, validation_samples=2, validate_every=1
    )
    seen = []
    end = Leaver.on_epoch_end

    def noting(self, epoch, logs):
        seen.append("val_loss" in logs)
        end(self, epoch, logs)

    monkeypatch.setattr(Leaver, "on_epoch_end", noting)
    training.train(config, folder_of(tmp_path / "run"))
    assert seen == [True]
    terminate_at(1, monkeypatch)
    with pytest.raises(SystemExit) as exit:
        training.train(config, folder_of(tmp_path / "run"))
    assert exit.value.code == 143
    assert seen == [True]  # not at the end of an epoch
    assert not (tmp_path / "run").exists()


def test_a_state_has_the_name_that_is_resumed(config, tmp_path):
    """Whatever name the folder would give to that of a lifter."""
    config = dataclasses.replace(config, stage="d4_ada", iterations=1)
    training.train(config, RunFolder(tmp_path / "run"))
    assert [p.name for p in (tmp_path / "run/check").glob("training_state*")] == [
        "training_state.npz"
    ]
    training.train(
        dataclasses.replace(config, resume=True), RunFolder(tmp_path / "run")
    )


@pytest.mark.large
def test_trains_on_shards_as_on_the_folder(config, tmp_path):
    for part in ("train", "test"):
        write_shards(config.data_dir, tmp_path / "shards", part, bad=[7])
    options = {"stage": "d4_ada", "skip_bad": True, "validation_samples": 2}
    camera = config.data_dir / "camera_all" / "7.txt"
    camera.write_text("nothing")
    networks = []
    for number, data_dir in enumerate((config.data_dir, tmp_path / "shards")):
        run = folder_of(tmp_path / f"run{number}")
        training.train(dataclasses.replace(config, data_dir=data_dir, **options), run)
        assert len(run.skipped.read_text().splitlines()) == 1
        networks.append(np.load(run.training_state))
    one, other = networks
    numbers = [name for name in one.files if name.isdecimal()]
    assert len(numbers) > 10
    for name in numbers:
        np.testing.assert_array_equal(one[name], other[name], name)


def test_services_are_looked_for_before_an_old_run_is_removed(tmp_path, monkeypatch):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    made_up_images.write_set(pictures)
    monkeypatch.setattr(stages.Stages, "first_trainer", lambda *_: None)
    old = tmp_path / "run" / "check" / "d4_ada.keras"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    service = ("grpc://127.0.0.1:1",)
    config = dataclasses.replace(
        CONFIG, data_dir=pictures, overwrite=True, data_service=service
    )
    with pytest.raises(InputError, match="data_service must be reachable"):
        training.train(config, RunFolder(tmp_path / "run"))
    assert old.exists()
