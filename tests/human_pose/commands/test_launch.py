"""The launcher of several workers: its words, and a lifter that outlives them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from human_pose.commands import launch
from human_pose.datasets.pose_files import PoseSet, write_pose_file
from human_pose.files.errors import InputError

_GOLDEN = Path(__file__).parents[2] / "golden"


def test_what_stands_behind_the_dashes_is_passed_on():
    own, passed = launch.split(["launch", "--workers=3", "--", "--train=1", "--name=a"])
    assert own == ["launch", "--workers=3"]
    assert passed == ["--train=1", "--name=a"]


def test_a_second_start_goes_on():
    first, again = launch.commands(["--train=1", "--overwrite", "--name=a"])
    assert first[1:] == [
        "-m", "human_pose.main", "--train=1", "--overwrite", "--name=a",
        "--distribute=multiworker",
    ]  # fmt: skip
    assert again[3:] == [
        "--train=1", "--name=a", "--distribute=multiworker", "--resume_or_start"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["--train", "--overwrite=1"],
        ["-train=True", "-overwrite"],
        ["--notrain", "--train=t", "--resume=t"],
    ],
)
def test_a_second_start_goes_on_however_flags_are_written(words):
    _, again = launch.commands([*words, "--name=overwrite"])
    kept = [word for word in words if "train" in word]
    assert again[3:] == [
        *kept, "--name=overwrite", "--distribute=multiworker", "--resume_or_start"
    ]  # fmt: skip


def test_files_of_flags_are_read(tmp_path):
    (tmp_path / "flags").write_text("--train\n--overwrite\n")
    _, passed = launch.split(["launch", "--", f"--flagfile={tmp_path / 'flags'}"])
    assert launch.commands(passed)[1][3:] == [
        "--train", "--distribute=multiworker", "--resume_or_start"
    ]  # fmt: skip


def test_files_of_flags_that_cannot_be_read_are_one_line(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, said in (("none", "No such file"), ("binary", "cannot be read as text")):
        with pytest.raises(InputError, match=said):
            launch.split(["launch", "--", f"--flagfile={tmp_path / name}"])


def test_a_second_evaluation_starts_anew():
    first, again = launch.commands(["--check_path=a.h5"])
    assert first == again


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["launch", "--train=1"], "behind `--`"),
        (["launch", "--", "--distribute=mirrored"], "must be multiworker"),
        (["launch", "--", "-distribute=none"], "must be multiworker"),
    ],
)
def test_other_words_are_refused(words, rule):
    with pytest.raises(InputError, match=rule):
        launch.split(words)


def lifter(folder, name, *options):
    """The words that train a lifter for two short epochs, saved every ten batches."""
    return [
        "--train=1", f"--name={name}", f"--results_dir={folder}", "--dtype=float64",
        f"--input_path={folder / 'train.h5'}", f"--parameters_dir={_GOLDEN}",
        "--subsample=1", "--epochs=2", "--save_f=10", *options,
    ]  # fmt: skip


def launched(words, folder):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "human_pose.commands.launch",
            "--workers=2",
            "--",
            *words,
        ],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def progress(folder, name):
    """Batches that the saved state has behind it, or none."""
    with suppress(OSError, KeyError):
        with h5py.File(folder / name / "check" / "training_state.h5") as state:
            return int(state["epoch"][()]) * 30 + int(state["batch"][()])
    return -1


def workers_of(process):
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in found.stdout.split()]


def disturbed(process, folder, name, after, number, sent):
    """Sends a worker a signal when a state with `after` batches has been saved."""
    while progress(folder, name) < after:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    os.kill(workers_of(process)[number], sent)
    return process.communicate(timeout=200)[1]


def arrays(folder, name):
    found = {}
    with h5py.File(folder / name / "check" / "training_state.h5") as state:
        state.visititems(
            lambda key, item: (
                found.update({key: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def assert_same(one, two, tolerance=0.0):
    assert one.keys() == two.keys()
    for key, value in one.items():
        np.testing.assert_allclose(
            two[key], value, rtol=tolerance, atol=tolerance, err_msg=key
        )


@pytest.fixture
def frames(tmp_path):
    """120 frames: thirty batches of four."""
    golden = np.load(_GOLDEN / "golden_synthetic.npz")
    count = 120
    poses_2d = golden["train_poses_2d"].reshape(-1, 4, 17, 2)
    poses_3d = golden["train_poses_3d_gt"].reshape(-1, 17, 3)
    picks = np.random.default_rng(0).integers(0, len(poses_2d), count)
    turned = np.tile(np.eye(3), (count, 4, 1, 1))
    write_pose_file(
        tmp_path / "train.h5", PoseSet(poses_2d[picks], poses_3d[picks], turned)
    )
    return tmp_path


@pytest.mark.large
def test_a_lifters_training_survives_its_workers(frames):
    whole = launched(lifter(frames, "whole"), frames)
    said = whole.communicate(timeout=200)[1]
    assert whole.returncode == 0, said
    end = arrays(frames, "whole")

    killed = launched(lifter(frames, "killed"), frames)
    said = disturbed(killed, frames, "killed", 21, 1, signal.SIGKILL)
    assert killed.returncode == 0, said
    assert "lost a worker (SIGKILL)" in said
    assert_same(end, arrays(frames, "killed"))

    told = launched(lifter(frames, "told"), frames)
    said = disturbed(told, frames, "told", 21, 1, signal.SIGTERM)
    assert told.returncode == 143, said
    assert 21 < progress(frames, "told") < 60
    again = launched(lifter(frames, "told", "--resume"), frames)
    said = again.communicate(timeout=200)[1]
    assert again.returncode == 0, said
    assert_same(end, arrays(frames, "told"))


@pytest.mark.large
def test_another_number_of_workers_goes_on_in_the_same_order(frames):
    told = launched(lifter(frames, "told"), frames)
    disturbed(told, frames, "told", 21, 0, signal.SIGTERM)
    for name, options in (("told", ["--resume"]), ("alone", [])):
        ended = subprocess.run(
            [sys.executable, "-m", "human_pose.main", *lifter(frames, name, *options)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-2000:]
    assert_same(arrays(frames, "alone"), arrays(frames, "told"), 1e-9)
