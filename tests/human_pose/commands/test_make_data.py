"""The command behind `./set.sh data`: poses, or with `--images` pictures."""

import subprocess
import sys

import pytest
from absl import flags

from human_pose.commands import (
    make_data,
    make_pictures,
    make_poses,
    make_recording,
    shell,
)


@pytest.fixture
def asked(monkeypatch):
    """What the command is to do: which kind, and the values of its flags."""
    done = []

    def shell_run(work, define_flags):
        flag_values = flags.FlagValues()
        define_flags(flag_values)
        flag_values(sys.argv)
        done.append((work, flag_values))

    monkeypatch.setattr(shell, "run", shell_run)

    def ask(*arguments):
        monkeypatch.setattr(sys, "argv", ["human-pose-data", *arguments])
        make_data.run()
        return done.pop()

    return ask


def test_poses_by_default(asked):
    work, flag_values = asked("--seed=3", "--data_dir=mine")
    assert work == make_poses.work
    assert (flag_values.seed, flag_values.data_dir) == (3, "mine")
    assert asked("--noimages")[0] == make_poses.work


@pytest.mark.parametrize("images", ["--images", "--images=1", "-images"])
def test_pictures_on_request(asked, images):
    work, flag_values = asked("--count=200", images, "--overwrite")
    assert work == make_pictures.work
    assert (flag_values.count, flag_values.overwrite) == (200, True)


def test_a_recording_on_request(asked):
    work, flag_values = asked("--recording", "--seed=4")
    assert (work, flag_values.seed) == (make_recording.work, 4)


def test_a_recording_replaces_no_file_unasked(asked, tmp_path, capsys):
    own = tmp_path / "recording" / make_recording.CALIBRATION
    own.parent.mkdir()
    own.write_text("mine")
    words = "--recording", f"--data_dir={tmp_path}"
    assert shell.guarded(*asked(*words)) == 1
    said = f"{own} is there already, of the recording's 3 files; --overwrite replaces"
    assert said in capsys.readouterr().err
    assert [path.name for path in own.parent.iterdir()] == [own.name]
    assert own.read_text() == "mine"
    assert shell.guarded(*asked(*words, "--overwrite")) == 0
    assert own.read_text() != "mine"


def test_a_recording_that_cannot_be_written_is_one_line(asked, tmp_path, capsys):
    (tmp_path / "recording").touch()
    assert shell.guarded(*asked("--recording", f"--data_dir={tmp_path}")) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count=200"], "count"),
        (["--images", "--recording"], "At most one of"),
        (["--images=perhaps"], "images=perhaps"),
        (["--data_dir="], "data_dir"),
        (["images"], "unexpected argument 'images'"),
        (["--flagfile=none"], "Unable to open flagfile"),
        ([f"--flagfile={sys.executable}"], "cannot be read as text"),
    ],
)
def test_mistakes_are_one_line(arguments, said, tmp_path):
    command = [sys.executable, "-m", "human_pose.commands.make_data"]
    done = subprocess.run(
        [*command, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
