"""The command line of `main.py`: golden training steps, resuming, and bad input."""

import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
from absl import flags

from human_pose import main
from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.datasets.pose_files import PoseSet, action_file_names, write_pose_file
from human_pose.files.paths import PROJECT_ROOT
from human_pose.lifting import (
    MixtureParameters,
    PPCALifter,
    read_cameras,
    read_mixture,
    write_checkpoint,
    write_mixtures,
)

GOLDEN = PROJECT_ROOT / "tests" / "golden"
SCRIPT = PROJECT_ROOT / "human_pose" / "main.py"
GOLDEN_STEPS = (
    "--train=1",
    "--shuffle=0",
    "--subsample=1",
    "--epochs=1",
    "--save_f=1",
    "--derivative=unrolled",
)


def run(*arguments):
    """What the command does with these arguments, in this process; the exit code."""
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(["main.py", *map(str, arguments)])
    return shell.guarded(main.main, flag_values)


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pose_set(joints_2d_px, joints_3d_mm):
    joints_2d_px = joints_2d_px.reshape(-1, 4, 17, 2)
    return PoseSet(
        joints_2d_px,
        joints_3d_mm.reshape(-1, 17, 3),
        np.tile(np.eye(3), (len(joints_2d_px), 4, 1, 1)),
    )


@pytest.fixture(scope="session")
def synthetic():
    return np.load(GOLDEN / "golden_synthetic.npz")


@pytest.fixture
def data_dir(tmp_path, synthetic):
    """A folder as `--data_dir` wants it, with invented frames and parameters."""
    folder = tmp_path / "data"
    train = pose_set(synthetic["train_poses_2d"], synthetic["train_poses_3d_gt"])
    write_pose_file(folder / "train_sh.h5", train)
    test = pose_set(synthetic["poses_2d"], synthetic["poses_3d_gt"])
    write_pose_file(folder / "testing" / action_file_names("Walking")[0], test)
    for name in ("model_parameters.h5", "avg_cameras.h5"):
        (folder / name).write_bytes((GOLDEN / name).read_bytes())
    return folder


@pytest.fixture
def places(tmp_path, data_dir):
    """The arguments that keep a run inside the test's folder."""
    return [f"--data_dir={data_dir}", f"--results_dir={tmp_path / 'results'}"]


@pytest.fixture
def checkpoint(tmp_path, data_dir):
    """What a training run of the default name has left behind."""
    path = tmp_path / "results" / "New_test" / "check" / "epoch_0.h5"
    mixture = read_mixture(data_dir / "model_parameters.h5", 3)
    cameras = read_cameras(data_dir / "avg_cameras.h5")
    write_checkpoint(path, PPCALifter(mixture, cameras), 0)
    return path


def read(path):
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


def assert_golden(checkpoint, golden, prefixes, tolerance):
    """Every parameter is within `tolerance` of one of the golden runs."""
    found = read(checkpoint)
    names = [key.split("/")[-1] for key in golden if key.startswith(prefixes[0] + "/")]
    assert len(names) >= 12
    for name in names:
        value = found["hl_params" if name == "hl_param" else name]
        differences = [
            np.max(np.abs(value - golden[f"{prefix}/{name}"])) for prefix in prefixes
        ]
        assert min(differences) < tolerance, (name, differences)


@pytest.mark.parametrize(
    "solver", ["huber", pytest.param("l2", marks=pytest.mark.large)]
)
def test_five_steps_end_at_the_originals_parameters(
    synthetic, places, tmp_path, solver
):
    assert run(*GOLDEN_STEPS, *places, f"--l2_solver={solver == 'l2'}") == 0
    check = tmp_path / "results" / "New_test" / "check"
    prefixes = [f"{solver}-default/f64adam_after5"]
    assert_golden(check / "epoch_0.h5", synthetic, prefixes, 5e-6)
    assert_golden(check / "partial_checkpoint.h5", synthetic, prefixes, 5e-6)


@pytest.mark.large
@pytest.mark.parametrize("solver", ["huber", "l2"])
def test_five_steps_with_the_published_parameters(shared, tmp_path, solver):
    golden = np.load(shared / "reference" / "train_dev.npz")
    poses = pose_set(golden["poses_2d"], golden["poses_3d_gt"])
    write_pose_file(tmp_path / "train_sh.h5", poses)
    process = start(
        *GOLDEN_STEPS,
        f"--data_dir={tmp_path}",
        f"--parameters_dir={shared / 'data' / 'tome'}",
        f"--results_dir={tmp_path / 'results'}",
        f"--l2_solver={solver == 'l2'}",
    )
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert_golden(
        tmp_path / "results" / "New_test" / "check" / "epoch_0.h5",
        golden,
        [f"{solver}-default/after5", f"{solver}-default/f64adam_after5"],
        5e-6,
    )


@pytest.mark.large
def test_killed_and_resumed_equals_uninterrupted(places, tmp_path):
    arguments = ["--train=1", "--subsample=1", "--epochs=3", "--save_f=2", *places]
    whole = start(*arguments, "--name=whole")
    killed = start(*arguments, "--name=parts")
    check = tmp_path / "results" / "parts" / "check"
    while not (check / "epoch_0.h5").exists():  # then somewhere in the second epoch
        assert killed.poll() is None, killed.communicate()[1]
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (check / "epoch_2.h5").exists(), "killed too late to prove anything"
    resumed = start(*arguments, "--name=parts", "--resume")
    for process in (whole, resumed):
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    expected = read(tmp_path / "results" / "whole" / "check" / "epoch_2.h5")
    found = read(check / "epoch_2.h5")
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-9, err_msg=name)


def test_evaluates_in_the_folder_of_a_training_run(
    places, checkpoint, synthetic, tmp_path
):
    before = checkpoint.read_bytes()
    assert run(*places, "--subsample=1", "--metric=0") == 0
    errors = np.load(tmp_path / "results" / "New_test" / "errors.npy")
    expected = synthetic["huber-default/errors"][:, 0]
    np.testing.assert_allclose(errors, expected, rtol=0, atol=1e-5)
    assert checkpoint.read_bytes() == before


def missing(path):
    path.unlink()


def truncated(path):
    path.write_bytes(path.read_bytes()[:1000])


def folder_instead(path):
    path.unlink()
    path.mkdir()


def no_hdf5(path):
    path.write_text("no HDF5\n")


def changed(path, change):
    values = read(path)
    name = next(iter(values))
    values[name] = change(values[name])
    with h5py.File(path, "w") as file:
        file.update(values)


def wrong_shape(path):
    changed(path, lambda array: array[..., :1])


def nan_holding(path):
    changed(
        path, lambda array: np.where(np.arange(array.shape[-1]) == 1, np.nan, array)
    )


def renamed(path):
    values = read(path)
    with h5py.File(path, "w") as file:
        file["other"] = next(iter(values.values()))


def assert_one_line(capsys, *words):
    lines = capsys.readouterr().err.splitlines()
    lines = [line for line in lines if not line.startswith("I")]  # the log
    assert len(lines) == 1, lines
    for word in words:
        assert str(word) in lines[0]


@pytest.mark.parametrize(
    "spoil",
    [missing, folder_instead, truncated, no_hdf5, wrong_shape, nan_holding, renamed],
)
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("train_sh.h5", ["--train=1"]),
        ("model_parameters.h5", []),
        ("avg_cameras.h5", ["--train=1"]),
        ("testing/Walking_sh.h5", []),
    ],
)
def test_bad_files(places, data_dir, tmp_path, capsys, name, arguments, spoil):
    spoil(data_dir / name)
    assert run(*places, *arguments) == 1
    word = "no" if name.startswith("testing") and spoil is missing else name
    assert_one_line(capsys, word)
    assert not (tmp_path / "results").exists()


def files_under(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("spoil", [missing, truncated, wrong_shape, nan_holding])
def test_bad_checkpoints(places, checkpoint, tmp_path, capsys, spoil):
    spoil(checkpoint)
    arguments = [*places, "--name=other", "--check_path=New_test/check/epoch_0.h5"]
    assert run(*arguments) == 1
    assert_one_line(capsys, "epoch_0.h5")
    assert files_under(tmp_path / "results" / "other") == []


def test_checkpoint_of_another_number_of_models(
    places, data_dir, checkpoint, tmp_path, capsys
):
    three = read_mixture(data_dir / "model_parameters.h5", 3)
    six = MixtureParameters(
        *(np.concatenate([part, part]) for part in vars(three).values())
    )
    write_mixtures(data_dir / "model_parameters.h5", {3: three, 6: six})
    check_path = "--check_path=New_test/check/epoch_0.h5"
    assert run("--models=6", "--name=other", check_path, *places) == 1
    assert_one_line(capsys, "epoch_0.h5", "3 models", "--models is 6")
    assert not (tmp_path / "results" / "other").exists()


@pytest.mark.parametrize("arguments", [["--train=1"], []])
def test_results_dir_that_cannot_be_written(data_dir, tmp_path, capsys, arguments):
    (tmp_path / "file").touch()
    places = [f"--data_dir={data_dir}", f"--results_dir={tmp_path / 'file'}"]
    assert run(*arguments, *places) == 1
    assert_one_line(capsys, tmp_path / "file", "not a folder")


def test_existing_run_is_not_overwritten(places, checkpoint, tmp_path, capsys):
    before = checkpoint.read_bytes()
    assert run("--train", "--subsample=10", "--epochs=1", *places) == 1
    assert_one_line(capsys, "New_test", "epoch_0.h5", "--overwrite")
    assert files_under(tmp_path / "results") == [checkpoint]
    assert checkpoint.read_bytes() == before


def test_interrupt_is_one_line(places, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "evaluate", interrupt)
    assert run(*places) == 130
    assert_one_line(capsys, "interrupted")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--batch_size=0"], "--batch_size=0"),
        (["--models=4"], "must be 3, 6 or 10"),
        (["--train", "True"], "unexpected argument 'True'"),
        (["--no_such_flag"], "no_such_flag"),
        (["--check_path=absent.h5"], "absent.h5 not found"),
    ],
)
def test_mistakes_in_the_flags_are_one_line(places, arguments, word, tmp_path):
    process = start(*arguments, *places)
    output, errors = process.communicate()
    assert process.returncode == 1
    assert output == ""
    assert len(errors.splitlines()) == 1
    assert errors.startswith("main.py: ")
    assert word in errors
    assert not (tmp_path / "results").exists()


def test_lifts_detections_without_truth(places, data_dir, tmp_path, capsys):
    """A file of nothing but detections gives what the lifter gives, NaN for nothing."""
    arrays = read(data_dir / "testing" / action_file_names("Walking")[0])
    joints = arrays["joint_2d"][:5]
    joints[2] = 0
    joints[4, 1, 3] = np.nan
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["joint_2d"] = joints
    lift = ("--lift", tmp_path / "mine.h5", "--subsample=2", "--name=lifted")
    assert run(*places, *lift) == 0
    with np.load(tmp_path / "results" / "lifted" / "poses.npz") as found:
        assert (found["units"], found["frames"].tolist()) == ("unit-free", [0, 2, 4])
        poses, used = found["joints_3d"], found["views_used"]
    lifter = PPCALifter(
        read_mixture(data_dir / "model_parameters.h5", 3),
        read_cameras(data_dir / "avg_cameras.h5"),
    )
    expected = lifter.lift(joints[::4]).poses
    np.testing.assert_allclose(poses[[0, 2]], expected, rtol=0, atol=1e-11)
    assert np.isnan(poses[1]).all()
    assert not used[2, 1, 3]
    assert "unit-free" in capsys.readouterr().out


def test_help_to_a_reader_that_has_gone_is_silent():
    with start("--help") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_help_shows_every_flag_without_tensorflow():
    code = (
        "import sys, runpy\n"
        f"sys.path.insert(0, {str(SCRIPT.parent)!r})\n"  # as for a script
        f"sys.argv = [{str(SCRIPT)!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'h5py', 'numpy', 'matplotlib', 'datasets'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        f"assert {str(SCRIPT.parent)!r} not in sys.path\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    for name in flag_values:
        assert name in shown
