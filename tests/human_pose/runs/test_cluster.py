"""Two processes that train together: alike, killed, told to end, and unlike."""

import contextlib
import io
import sys
from types import SimpleNamespace

import evaluators
import made_up_images
import numpy as np
import pytest
import tensorflow as tf
import workers

from human_pose.files.errors import InputError
from human_pose.runs import cluster
from human_pose.runs.supervision import TERMINATED, Supervisor


def launched(folder):
    """Runs both workers; returns the exit code, and what was said."""
    folder.mkdir(exist_ok=True)
    return supervised([workers.__file__, str(folder), "multiworker"], restarts=1)


def supervised(words, restarts):
    said = []
    command = [sys.executable, *words]
    code = Supervisor(command, command, 2, restarts, said.append).run()
    return code, said


def state(folder):
    with np.load(folder / "state.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two") / "whole"
    assert launched(folder) == (0, [])
    return folder


def test_two_processes_train_as_one_does(undisturbed, tmp_path):
    """Synchronised statistics and the adaptive loss's mean, in float64."""
    losses, variables = workers.train(tmp_path, tf.distribute.get_strategy())
    assert len(losses) == workers.STEPS
    np.testing.assert_allclose(np.load(undisturbed / "losses.npy"), losses, rtol=1e-12)
    found = state(undisturbed)
    for number, one in enumerate(variables):
        two = found[str(number)]
        # A bias before a normalisation has no gradient but rounding, which Adam
        # divides by itself.
        assert one.shape == (4,) or np.allclose(two, one, rtol=1e-9, atol=1e-12)


def test_a_killed_worker_and_one_that_is_told_to_end_change_nothing(
    undisturbed, tmp_path
):
    folder = tmp_path / "disturbed"
    folder.mkdir()
    (folder / "kill-at-15").touch()
    (folder / "term-at-27").touch()
    code, said = launched(folder)
    assert code == TERMINATED
    assert said == ["lost a worker (SIGKILL); starting all 2 again (1 of 1)"]
    assert not (folder / "losses.npy").exists()
    assert launched(folder) == (0, [])
    ended, whole = state(folder), state(undisturbed)
    assert ended.keys() == whole.keys()
    for name, values in whole.items():
        assert np.array_equal(ended[name], values), name


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    """Of one sample by two workers, and then with networks that differ."""
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "pictures").mkdir()
    made_up_images.write_set(folder / "pictures")
    words = [evaluators.__file__, str(folder / "pictures"), str(folder)]
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        code, said = supervised(words, restarts=0)
    return folder, code, said, error.getvalue()


@pytest.mark.large
def test_fewer_samples_than_workers_are_evaluated_as_by_one(evaluation, tmp_path):
    folder = evaluation[0]
    alone = evaluators.evaluated(folder / "pictures", tmp_path / "alone")
    assert alone.errors_mm.shape == (1,)
    for name in ("errors.npy", "poses.npy", "truth.npy", "evaluations/report.md"):
        one, two = tmp_path / "alone" / name, folder / "shared" / name
        assert one.read_bytes() == two.read_bytes(), name


def test_workers_that_differ_are_refused(evaluation):
    folder, code, said, error = evaluation
    assert code == 1
    assert "ended" in said[0]
    weights = [cluster.checksum([np.float32(weight)]) for weight in (1, 2)]
    name = "checksum of the weights"
    line = "[worker 1] worker 1: {} must be that of worker 0, {}; it is {}"
    assert line.format(name, *weights) in error
    assert not (folder / "unlike").exists()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{}",
        "words",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["a:1"], "evaluator": ["b:1"]}, '
        '"task": {"type": "evaluator", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, '
        '"task": {"type": "worker", "index": 0}}',
        '{"cluster": [], "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_a_bad_configuration_is_named(monkeypatch, text):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="TF_CONFIG must be like"):
        cluster.make_strategy("multiworker")


def test_one_gpu_is_no_mirror(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    with pytest.raises(InputError, match="mirrored needs two GPUs; received 1"):
        cluster.make_strategy("mirrored")


def test_losses_of_others_are_told_and_faults_are_not():
    two = SimpleNamespace(
        cluster_resolver=SimpleNamespace(
            cluster_spec=lambda: tf.train.ClusterSpec({"worker": ["a:1", "b:1"]}),
            task_type="worker",
            task_id=0,
        )
    )
    with pytest.raises(cluster.LostWorker, match="another worker is gone"):
        with cluster.together(two):
            raise tf.errors.UnavailableError(None, None, "no answer")
    with pytest.raises(tf.errors.InvalidArgumentError):
        with cluster.together(two):
            raise tf.errors.InvalidArgumentError(None, None, "a fault")
