"""Training with a stand-in for the lifter: fast, and of a known gradient."""

import dataclasses
import json
import os
import pickle
import re
import signal
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from human_pose.datasets.pose_files import PoseSet, write_pose_file
from human_pose.files.errors import InputError
from human_pose.geometry.skeletons import NORMALISATION_TREE
from human_pose.lifting.config import LifterConfig, TrainingConfig
from human_pose.lifting.method import FORMULATIONS
from human_pose.lifting.training import callbacks
from human_pose.lifting.training import run as training
from human_pose.runs import distribution
from human_pose.runs.folder import RunFolder

MODELS = 3
FRAMES = 22
SHAPES = {
    "mean_pose": (MODELS, 3, 17),
    "joint_weights": (MODELS, 34),
    "exp_weights": (MODELS, 1),
    "exp_weights_model": (MODELS, 1),
    "exp_additive_model": (MODELS, 1),
    "scaling_coefficient": (),
    "lambda_0": (MODELS, 1),
    "lambda_scale": (MODELS, 1),
    "scale_regularizer": (),
    "sigma_variance": (MODELS, 29, 29),
    "hl_params": (MODELS,),
    "ir_reg": (MODELS,),
}


class StandIn(keras.Model):
    """A few parameters between the 2D joints and a pose; every one has a gradient."""

    formulation = FORMULATIONS["huber"]
    evidence = "published"

    def __init__(self):
        super().__init__(dtype="float64")
        self.parameters = {
            name: self.add_weight(
                name=name,
                shape=shape,
                initializer="ones",
                constraint=keras.constraints.NonNeg() if name == "ir_reg" else None,
            )
            for name, shape in SHAPES.items()
        }

    def call(self, inputs, training=False):
        joints = inputs["joints_2d_px"] / 1000
        mean_pose = tf.reduce_mean(self.parameters["mean_pose"], axis=0)
        others = tf.add_n(
            [tf.reduce_mean(v) for k, v in self.parameters.items() if k != "mean_pose"]
        )
        pose = tf.transpose(mean_pose) * joints[:, 0, :, :1] + 1e-2 * others
        return {"pose": pose, "score": tf.zeros((tf.shape(joints)[0], MODELS))}


@pytest.fixture
def poses():
    random = np.random.default_rng(5)
    return PoseSet(
        random.uniform(0, 1000, (FRAMES, 4, 17, 2)),
        random.normal(0, 500, (FRAMES, 17, 3)),
        np.tile(np.eye(3), (FRAMES, 4, 1, 1)),
    )


@pytest.fixture
def configs(tmp_path, poses, monkeypatch):
    """Configurations of a training on 11 frames, with the stand-in as the lifter."""
    monkeypatch.setattr(training, "build_lifter", lambda config: StandIn())
    write_pose_file(tmp_path / "train_sh.h5", poses)
    for name in ("model_parameters.h5", "avg_cameras.h5"):
        (tmp_path / name).write_bytes(name.encode())
    lifter = LifterConfig(
        models=MODELS,
        solver="huber",
        derivative="trust_region",
        damping=0.0,
        dtype="float64",
        mixture_path=tmp_path / "model_parameters.h5",
        cameras_path=tmp_path / "avg_cameras.h5",
        check_path=None,
        as_published=False,
    )
    config = TrainingConfig(
        input_path=tmp_path / "train_sh.h5",
        subsample=2,
        metric=2,
        learning_rate=0.05,
        batch_size=4,
        epochs=3,
        save_every=2,
        shuffle=True,
        seed=7,
        resume=False,
        overwrite=False,
    )
    return lifter, config


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """What was to be drawn; the drawing itself takes longer than these trainings."""
    frames = []

    def note(joints_2d_px, reconstruction_mm, truth_mm, *, title):
        frames.append((joints_2d_px, np.array(reconstruction_mm), np.array(truth_mm)))
        return Figure(figsize=(2, 1), dpi=100)

    monkeypatch.setattr(callbacks.pictures, "frame_figure", note)
    return frames


def read(path):
    with h5py.File(path, "r") as file:
        return {name: file[name][()] for name in file if name != "parameters"}


def parameters(folder, epoch):
    return read(folder.epoch_checkpoint(epoch))


def assert_same(one, other, tolerance=0.0):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(
            one[name], other[name], rtol=0, atol=tolerance, err_msg=name
        )


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def stop_after(monkeypatch, steps):
    """Ends the process in the middle of the step after `steps` of them."""
    meter = training.ErrorMeter
    count = meter.on_train_batch_end

    def count_and_stop(self, batch, logs):
        if int(self.model.optimizer.iterations) > steps:
            raise Killed
        count(self, batch, logs)

    monkeypatch.setattr(meter, "on_train_batch_end", count_and_stop)


def test_leaves_checkpoints_logs_and_settings(configs, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    assert {path.name for path in folder.path.iterdir()} == {
        "check",
        "logger",
        "images",
        "evaluations",
    }
    assert {path.name for path in folder.check.iterdir()} == {
        "partial_checkpoint.h5",
        "training_state.h5",
        "settings.json",
        *(f"epoch_{epoch}.h5" for epoch in range(3)),
    }
    assert parameters(folder, 1)["epoch"] == 1
    assert parameters(folder, 1)["epoch"].dtype == np.int64
    saved = json.loads(folder.settings.read_text())
    assert saved["training"]["batch_size"] == 4
    assert saved["lifter"]["solver"] == "huber"


def test_a_prepared_set_trains_as_its_pose_file_does(configs, poses, tmp_path):
    # Not above: processes that import this module have no path to the helpers.
    from made_up_lifting import write_lifting_shards

    lifter, config = configs
    config = dataclasses.replace(config, epochs=1)
    folder = write_lifting_shards(tmp_path / "set", poses, shards=3)
    found = []
    for path in (config.input_path, folder):
        chosen = dataclasses.replace(config, input_path=path)
        run = RunFolder(tmp_path / f"run of {path.name}")
        training.train(lifter, chosen, run)
        found.append(parameters(run, 0))
        # The one run can be continued on the other's frames.
        found.append(
            training._conditions(lifter, chosen, training._read_batches(chosen))
        )
    assert_same(found[0], found[2])
    assert found[1] == found[3]


def test_steps_are_the_originals_adam_in_float64(configs, poses, tmp_path):
    """Against Adam written out, with Keras's float32 step size and decay powers."""
    lifter, config = configs
    config = dataclasses.replace(config, shuffle=False, epochs=1, batch_size=11)
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    model = StandIn()
    chosen = poses[::2]
    truth = chosen.joints_3d_mm - chosen.joints_3d_mm.mean(axis=1, keepdims=True)
    a, b = np.transpose(NORMALISATION_TREE)
    size = np.sqrt(np.sum((truth[:, a] - truth[:, b]) ** 2, axis=(1, 2)))
    with tf.GradientTape() as tape:
        pose = model({"joints_2d_px": chosen.joints_2d_px})["pose"]
        distances = tf.norm(truth - size[:, None, None] * pose, axis=-1)
        loss = tf.reduce_mean(distances)
    start = {name: v.numpy() for name, v in model.parameters.items()}
    values = [v.value for v in model.parameters.values()]
    gradients = tape.gradient(loss, values)
    after = parameters(folder, 0)
    step, decay_1, decay_2 = np.float32([0.05, 0.9, 0.999]).astype(np.float64)
    rate = step * np.sqrt(1 - decay_2) / (1 - decay_1)
    for name, gradient in zip(start, gradients, strict=True):
        g = gradient.numpy()
        m, v = (1 - 0.9) * g, (1 - 0.999) * g**2
        expected = start[name] - rate * m / (np.sqrt(v) + 0.1)
        np.testing.assert_allclose(after[name], expected, rtol=0, atol=1e-13)


def test_clips_after_each_step(configs, tmp_path):
    lifter, config = configs
    config = dataclasses.replace(config, learning_rate=5.0, epochs=1)
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    after = parameters(folder, 0)
    assert np.all(after["ir_reg"] >= 0)


def test_training_lowers_the_error(configs, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, dataclasses.replace(config, epochs=6), folder)
    errors = scalars(folder, "errors/epoch_error")
    assert errors[-1] < 0.8 * errors[0]


@pytest.mark.parametrize(
    "steps", [2, *(pytest.param(n, marks=pytest.mark.large) for n in (0, 3))]
)
def test_resumed_training_equals_an_uninterrupted_one(
    configs, tmp_path, monkeypatch, steps
):
    """Three batches an epoch, saved after the first, the third, and at the end."""
    lifter, config = configs
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    training.train(lifter, config, whole)
    with monkeypatch.context() as context, pytest.raises(Killed):
        stop_after(context, steps)
        training.train(lifter, config, parts)
    training.train(lifter, dataclasses.replace(config, resume=True), parts)
    for epoch in range(3):
        assert_same(parameters(whole, epoch), parameters(parts, epoch), 1e-12)
    assert_same(read(whole.partial_checkpoint), read(parts.partial_checkpoint), 1e-12)
    for tag in ("errors/epoch_error", "errors/error_from_last"):
        assert by_step(whole, tag) == pytest.approx(by_step(parts, tag), abs=1e-9)


def test_resume_of_a_finished_run_can_add_epochs(configs, tmp_path):
    lifter, config = configs
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    training.train(lifter, config, whole)
    training.train(lifter, dataclasses.replace(config, epochs=2), parts)
    resumed = dataclasses.replace(config, resume=True)
    training.train(lifter, resumed, parts)
    assert_same(parameters(whole, 2), parameters(parts, 2), 1e-12)
    before = parts.training_state.read_bytes()
    training.train(lifter, resumed, parts)
    assert parts.training_state.read_bytes() == before


def test_resume_refuses_other_conditions(configs, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, dataclasses.replace(config, epochs=1), folder)
    before = folder.training_state.read_bytes()
    for change, message in (
        ({"batch_size": 5}, "batch_size was 4, is 5"),
        ({"seed": 8}, "seed was 7, is 8"),
        ({"metric": 1}, "metric was 2, is 1"),
        ({"learning_rate": 0.1}, "wlr was 0.05, is 0.1"),
        ({"subsample": 1}, "number of frames was 11, is 22"),
        ({"shuffle": False}, "shuffle was True, is False"),
    ):
        changed = dataclasses.replace(config, resume=True, **change)
        with pytest.raises(InputError, match=message):
            training.train(lifter, changed, folder)
    full = dataclasses.replace(lifter, evidence="full")
    with pytest.raises(InputError, match="evidence was None, is full"):
        training.train(full, dataclasses.replace(config, resume=True), folder)
    lifter.mixture_path.write_bytes(b"other")
    with pytest.raises(InputError, match=r"checksum of model_parameters\.h5"):
        training.train(lifter, dataclasses.replace(config, resume=True), folder)
    assert folder.training_state.read_bytes() == before


def test_resume_needs_a_run(configs, tmp_path):
    lifter, config = configs
    with pytest.raises(InputError, match="nothing to `resume`"):
        training.train(
            lifter,
            dataclasses.replace(config, resume=True),
            RunFolder(tmp_path / "run"),
        )
    assert not (tmp_path / "run").exists()


def test_truncated_state_is_one_clear_error(configs, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, dataclasses.replace(config, epochs=1), folder)
    state = folder.training_state.read_bytes()
    folder.training_state.write_bytes(state[: len(state) // 2])
    with pytest.raises(InputError, match=r"training_state\.h5"):
        training.train(lifter, dataclasses.replace(config, resume=True), folder)


def test_a_state_of_no_such_epoch_or_batch(configs, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, dataclasses.replace(config, epochs=1), folder)
    good = folder.training_state.read_bytes()
    wrong = ("epoch", -1), ("batch", -1), ("batch", 0.5), ("batch", 3), ("batch", 10**7)
    for name, value in wrong:
        folder.training_state.write_bytes(good)
        with h5py.File(folder.training_state, "r+") as file:
            del file[name]
            file[name] = value
        before = folder.training_state.read_bytes()
        with pytest.raises(InputError, match="is no training state of this kind"):
            training.train(lifter, dataclasses.replace(config, resume=True), folder)
        assert folder.training_state.read_bytes() == before


def test_earlier_run_is_protected(configs, tmp_path):
    lifter, config = configs
    config = dataclasses.replace(config, epochs=1)
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    before = {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=r"already holds.*`resume`.*`overwrite`"):
        training.train(lifter, config, folder)
    assert before == {p: p.read_bytes() for p in folder.path.rglob("*") if p.is_file()}


def test_overwrite_removes_only_what_training_made(configs, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    (folder.path / "errors.npy").touch()
    (folder.check / "mine.h5").touch()
    again = dataclasses.replace(config, epochs=1, overwrite=True)
    training.train(lifter, again, folder)
    assert (folder.path / "errors.npy").exists()
    assert (folder.check / "mine.h5").exists()
    assert folder.epoch_checkpoint(0).exists()
    assert not folder.epoch_checkpoint(1).exists()
    assert len(list(folder.logger.glob("events*"))) == 1


def test_bad_input_leaves_an_earlier_run_alone(configs, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, dataclasses.replace(config, epochs=1), folder)
    config.input_path.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"train_sh\.h5"):
        training.train(lifter, dataclasses.replace(config, overwrite=True), folder)
    assert folder.epoch_checkpoint(0).exists()


def test_stops_on_a_loss_that_is_not_finite(configs, tmp_path, monkeypatch):
    lifter, config = configs
    monkeypatch.setattr(
        training.LiftingTrainer,
        "error",
        lambda self, batch, training: tf.reduce_mean(self(batch[0])) * np.nan,
    )
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 1 .*batch 0"):
        training.train(lifter, config, folder)
    assert not folder.partial_checkpoint.exists()
    with h5py.File(folder.training_state) as state:
        assert np.all(state["parameters/mean_pose"][()] == 1)


@pytest.mark.parametrize(
    ("learning_rate", "message"),
    [
        (1e6, r"step 1 \(epoch 0, batch 0\) has left weights whose loss is .* above"),
        (1e300, r"step 1 \(epoch 0, batch 0\) has left weights that are not finite"),
    ],
)
def test_a_step_that_spoils_the_model_is_not_saved(
    configs, tmp_path, learning_rate, message
):
    lifter, config = configs
    config = dataclasses.replace(config, learning_rate=learning_rate, epochs=1)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(FloatingPointError, match=message):
        training.train(lifter, config, folder)
    assert not folder.partial_checkpoint.exists()
    with h5py.File(folder.training_state) as state:
        assert np.all(state["parameters/mean_pose"][()] == 1)
    assert not list(folder.path.glob(".*"))  # no lock is left


def test_stops_on_a_loss_that_is_too_large(configs, tmp_path, monkeypatch):
    """Found by a step itself, where what the one before it left was not checked."""
    lifter, config = configs
    config = dataclasses.replace(config, learning_rate=30.0)
    monkeypatch.setattr(training.Checker, "on_train_batch_end", lambda *_, **__: None)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(FloatingPointError) as raised:
        training.train(lifter, config, folder)
    assert re.fullmatch(
        r"training diverged: loss is [\d.e+]+ at step 2 \(epoch 0, batch 1\), above "
        r"100000, .*; a smaller `learning_rate` may help",
        str(raised.value),
    )
    with h5py.File(folder.training_state) as state:
        assert state["batch"][()] == 1


def test_a_solve_that_fails_is_one_line(configs, tmp_path, monkeypatch):
    def singular(value):
        message = "`linear_solve` returned NaN"
        with tf.control_dependencies([tf.debugging.Assert(value == 1, [message])]):
            return tf.identity(value)

    class Insisting(StandIn):
        def call(self, inputs, training=False):
            outputs = super().call(inputs)
            if training:
                coefficient = singular(self.parameters["scaling_coefficient"].value)
                outputs["pose"] *= tf.stop_gradient(coefficient)
            return outputs

    monkeypatch.setattr(training, "build_lifter", lambda config: Insisting())
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(FloatingPointError) as raised:
        training.train(lifter, config, folder)
    assert str(raised.value) == (
        "training diverged: in epoch 0, batch 1, nothing can be computed (assertion "
        "failed: [`linear_solve` returned NaN]); a smaller `learning_rate` may help"
    )
    with h5py.File(folder.training_state) as state:
        assert state["batch"][()] == 1


@pytest.mark.parametrize("steps", [2, pytest.param(3, marks=pytest.mark.large)])
def test_sigterm_saves_the_state_of_any_batch(configs, tmp_path, monkeypatch, steps):
    """Of three batches the second is not saved otherwise; the third ends an epoch."""
    lifter, config = configs
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    training.train(lifter, config, whole)
    with monkeypatch.context() as context, pytest.raises(SystemExit) as raised:
        tell_after(context, steps)
        training.train(lifter, config, parts)
    assert raised.value.code == 143
    with h5py.File(parts.training_state) as state:
        assert (state["epoch"][()], state["batch"][()]) == divmod(steps, 3)
    assert not list(parts.path.glob(".*"))  # no lock is left
    training.train(lifter, dataclasses.replace(config, resume=True), parts)
    for epoch in range(3):
        assert_same(parameters(whole, epoch), parameters(parts, epoch))
    assert_same(read(whole.partial_checkpoint), read(parts.partial_checkpoint))
    for tag in ("errors/epoch_error", "errors/error_from_last"):
        assert by_step(whole, tag) == by_step(parts, tag)


def tell_after(monkeypatch, steps, meanwhile=lambda: None):
    """Sends SIGTERM in the middle of step number `steps`."""
    count = training.ErrorMeter.on_train_batch_end

    def count_and_tell(self, batch, logs):
        count(self, batch, logs)
        if int(self.model.optimizer.iterations) == steps:
            os.kill(os.getpid(), signal.SIGTERM)
            meanwhile()

    monkeypatch.setattr(training.ErrorMeter, "on_train_batch_end", count_and_tell)


def test_no_diverged_state_is_saved_on_sigterm(configs, tmp_path, monkeypatch):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    tell_after(
        monkeypatch,
        2,
        # As if the second step had spoilt the model.
        lambda: monkeypatch.setattr(callbacks.divergence, "LARGEST_ERROR_MM", 1.0),
    )
    with pytest.raises(FloatingPointError, match=r"step 2 .* has left .* above 1;"):
        training.train(lifter, config, folder)
    with h5py.File(folder.training_state) as state:
        assert state["batch"][()] == 1


# A process of its own, whose second step waits for the signal.
TOLD = """
import pathlib, pickle, runpy, signal, sys, time
test, configs, run = sys.argv[1:]
names = runpy.run_path(test)
training = names["training"]
training.build_lifter = lambda config: names["StandIn"]()
count = training.ErrorMeter.on_train_batch_end
def count_and_wait(self, batch, logs):
    count(self, batch, logs)
    if int(self.model.optimizer.iterations) == 2:
        print("ready", flush=True)
        while not signal.getsignal(signal.SIGTERM).__self__.received:
            time.sleep(0.02)
training.ErrorMeter.on_train_batch_end = count_and_wait
with open(configs, "rb") as file:
    lifter, config = pickle.load(file)
training.train(lifter, config, names["RunFolder"](pathlib.Path(run)))
"""


def test_a_process_told_to_end_exits_with_143_and_is_continued(configs, tmp_path):
    lifter, config = configs
    config = dataclasses.replace(config, epochs=1)
    whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
    training.train(lifter, config, whole)
    (tmp_path / "configs").write_bytes(pickle.dumps(configs))
    arguments = [TOLD, __file__, tmp_path / "configs", parts.path]
    with subprocess.Popen(
        [sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        while process.stdout.readline() not in ("ready\n", ""):
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
    training.train(lifter, dataclasses.replace(config, resume=True), parts)
    assert_same(parameters(whole, 0), parameters(parts, 0))
    assert_same(read(whole.partial_checkpoint), read(parts.partial_checkpoint))


def test_a_training_at_work_is_protected(configs, tmp_path, monkeypatch):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    told = []

    def interrupted(self, epoch, logs):
        for flag in ("resume", "overwrite"):
            with pytest.raises(InputError, match=r"is at training there; wait"):
                training.train(
                    lifter, dataclasses.replace(config, **{flag: True}), folder
                )
            told.append(flag)

    monkeypatch.setattr(training.Illustrator, "on_epoch_end", interrupted)
    training.train(lifter, dataclasses.replace(config, epochs=1), folder)
    assert told == ["resume", "overwrite"]
    assert folder.epoch_checkpoint(0).exists()


def test_names_a_parameter_without_gradient(configs, tmp_path, monkeypatch):
    lifter, config = configs

    class Forgetful(StandIn):
        def __init__(self):
            super().__init__()
            self.add_weight(name="forgotten", shape=())

    monkeypatch.setattr(training, "build_lifter", lambda config: Forgetful())
    with pytest.raises(ValueError, match=r"no gradient reaches .*forgotten"):
        training.train(lifter, config, RunFolder(tmp_path / "run"))


TAGS = {
    *(
        f"{tag}/{component}"
        for component in range(MODELS)
        for tag in (
            "weights/rotation",
            "weights/model",
            "weights/additional",
            "weights/joints",
            "ir/hl_param",
            "ir/ir_reg",
            "coefficient/lambda_0",
            "coefficient/lambda_scale",
        )
    ),
    "coefficient/magic_scale",
    "coefficient/scale_regularizer",
    "errors/current_error",
    "errors/epoch_error",
    "errors/error_from_last",
    "variance",
}


def events(folder, part="."):
    accumulator = EventAccumulator(str(folder.logger / part), {"tensors": 0})
    accumulator.Reload()
    return accumulator


def scalars(folder, tag):
    return [float(tf.make_ndarray(e.tensor_proto)) for e in events(folder).Tensors(tag)]


def by_step(folder, tag):
    """The last value of each step, as TensorBoard shows after a resume."""
    return {
        e.step: float(tf.make_ndarray(e.tensor_proto))
        for path in sorted(folder.logger.glob("events*"))
        for e in _tensors(path, tag)
    }


def _tensors(path, tag):
    accumulator = EventAccumulator(str(path), {"tensors": 0})
    accumulator.Reload()
    known = accumulator.Tags()["tensors"]
    return accumulator.Tensors(tag) if tag in known else []


def test_summaries_have_the_originals_tags_and_meaning(configs, poses, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    logged = events(folder)
    assert len(TAGS) == 30
    assert set(logged.Tags()["tensors"]) == TAGS | {"learning_rate", "gradient_norm"}
    # Three batches an epoch, every second one of them: steps 1, 3, 4, 6, 7, 9.
    steps = [event.step for event in logged.Tensors("errors/current_error")]
    assert steps == [1, 3, 4, 6, 7, 9]
    epoch_means = scalars(folder, "errors/epoch_error")
    recent_means = scalars(folder, "errors/error_from_last")
    # The first report of an epoch is of its first batch alone, ...
    assert recent_means[0] == epoch_means[0]
    # ... the second of all three batches, and of the two since the first.
    assert epoch_means[1] == pytest.approx(
        (epoch_means[0] + 2 * recent_means[1]) / 3, rel=1e-6
    )
    assert scalars(folder, "learning_rate") == pytest.approx([0.05] * 6)


def test_a_picture_is_drawn_after_every_epoch(configs, poses, drawn, tmp_path):
    lifter, config = configs
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    pictures = events(folder, "pictures").Tensors("poses")
    assert [picture.step for picture in pictures] == [3, 6, 9]
    for picture in pictures:
        width, height, png = tf.make_ndarray(picture.tensor_proto)
        assert (int(width), int(height)) == (200, 100)
        assert png.startswith(b"\x89PNG")
    # The first frame, each time with the parameters of then.
    model = training.LiftingTrainer(StandIn(), 2)
    for epoch, (joints_2d_px, reconstruction_mm, truth_mm) in enumerate(drawn):
        for name, value in parameters(folder, epoch).items():
            if name != "epoch":
                model.lifter.parameters[name].assign(value)
        batch = ({"joints_2d_px": poses.joints_2d_px[:1]}, poses.joints_3d_mm[:1])
        np.testing.assert_array_equal(joints_2d_px, poses.joints_2d_px[0])
        error_mm = np.linalg.norm(truth_mm - reconstruction_mm, axis=-1).mean()
        assert error_mm == pytest.approx(float(model.error(batch)), rel=1e-9)


def test_current_error_is_from_after_the_step(configs, poses, tmp_path):
    lifter, config = configs
    config = dataclasses.replace(config, epochs=1, batch_size=11, shuffle=False)
    folder = RunFolder(tmp_path / "run")
    training.train(lifter, config, folder)
    model = training.LiftingTrainer(StandIn(), 2)
    chosen = poses[::2]
    batch = ({"joints_2d_px": chosen.joints_2d_px}, chosen.joints_3d_mm)
    before = float(model.error(batch))
    for name, value in parameters(folder, 0).items():
        if name != "epoch":
            model.lifter.parameters[name].assign(value)
    after = float(model.error(batch))
    assert scalars(folder, "errors/epoch_error") == pytest.approx([before], rel=1e-6)
    assert scalars(folder, "errors/current_error") == pytest.approx([after], rel=1e-6)
    assert after < before


def test_only_the_chief_writes(configs, tmp_path, monkeypatch):
    """The others take their part in every step, and end after a whole one too."""
    lifter, config = configs
    monkeypatch.setattr(distribution, "is_chief", lambda strategy=None: False)
    taken = []
    add = callbacks.ErrorMeter.on_train_batch_end

    def noting(self, batch, logs):
        add(self, batch, logs)
        taken.append(logs["loss"])

    monkeypatch.setattr(callbacks.ErrorMeter, "on_train_batch_end", noting)
    training.train(lifter, config, RunFolder(tmp_path / "run"))
    assert len(taken) == 9  # three epochs of three batches
    for steps in (2, 3):
        taken.clear()
        with monkeypatch.context() as context, pytest.raises(SystemExit) as raised:
            tell_after(context, steps)
            training.train(lifter, config, RunFolder(tmp_path / "run"))
        assert raised.value.code == 143
        assert len(taken) == steps
    assert not (tmp_path / "run").exists()
