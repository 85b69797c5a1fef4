import dataclasses

import pytest
from absl import flags

from human_pose.calibrated.training.config import CalibratedTrainingConfig
from human_pose.commands import flags as settings
from human_pose.commands import make_recording, shell
from human_pose.exchange import formats
from human_pose.main import main


def parse(*arguments):
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(["main.py", "--model=calibrated", *arguments])
    return flag_values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a recording, as `human-pose-data --recording` makes it."""
    folder = tmp_path_factory.mktemp("data")
    flag_values = flags.FlagValues()
    make_recording.define_flags(flag_values)
    flag_values(["make", f"--data_dir={folder}"])
    make_recording.work(flag_values)
    return folder / make_recording.FOLDER


def test_settings(folder, monkeypatch):
    monkeypatch.chdir(folder)
    chosen = settings.calibrated_settings(
        parse(
            "--recording=detections.npz", "--cameras=calibration.toml", "--person=2",
            "--frames=10:50", "--fps=30", "--units=mm", "--truth=truth.npz",
            "--temporal=0", "--name=x", "--film=mp4",
        )
    )  # fmt: skip
    read = chosen.task.recording
    assert read.path == folder / "detections.npz"
    assert read.cameras == folder / "calibration.toml"
    assert (read.frames, read.fps, read.units) == (slice(10, 50), 30, "mm")
    assert (read.person, read.truth) == (2, folder / "truth.npz")
    assert not chosen.task.config.temporal
    assert chosen.task.film == "mp4"
    assert (chosen.task.prior, chosen.task.checkpoint) == (None, None)
    assert chosen.task.training is None


def test_settings_of_a_training(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "results" / "first").mkdir(parents=True, exist_ok=True)
    given = ("--train=1", "--recording=detections.npz", "--truth=truth.npz")
    plain = settings.calibrated_settings(parse(*given)).task
    assert plain.training == CalibratedTrainingConfig()
    assert plain.config.temporal
    chosen = settings.calibrated_settings(
        parse(
            *given, "--epochs=3", "--wlr=0.2", "--seed=5", "--overwrite",
            "--check_path=first", f"--results_dir={folder / 'results'}",
        )
    ).task  # fmt: skip
    assert chosen.checkpoint == folder / "results" / "first"
    wanted = {"epochs": 3, "learning_rate": 0.2, "seed": 5, "overwrite": True}
    assert chosen.training == dataclasses.replace(plain.training, **wanted)
    with pytest.raises(flags.IllegalFlagValueError, match="--epochs needs --train=1"):
        parse("--recording=detections.npz", "--epochs=3")
    with pytest.raises(flags.IllegalFlagValueError, match="no effect beside --train=1"):
        parse(*given, "--notemporal")


@pytest.mark.large
def test_what_is_learned_lifts(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    given = (
        "--recording=detections.npz", "--cameras=calibration.toml", "--frames=70:170",
        "--truth=truth.npz", f"--results_dir={folder / 'learned'}",
    )  # fmt: skip
    assert shell.guarded(main, parse(*given, "--train", "--epochs=1", "--name=a")) == 0
    said = capsys.readouterr().out
    assert "sequence before" in said
    assert f"checkpoint: {folder / 'learned' / 'a' / 'lifter.npz'}" in said
    again = parse(*given, "--train", "--epochs=1", "--name=a")
    assert shell.guarded(main, again) == 1
    assert "already holds lifter.npz; --overwrite" in capsys.readouterr().err
    assert shell.guarded(main, parse(*given, "--check_path=a", "--name=b")) == 0
    assert (folder / "learned" / "b" / "poses.npz").is_file()


def test_the_embedded_recording_is_what_it_says(folder, capsys):
    recording = formats.read_recording(
        folder / "detections.npz", cameras=folder / "calibration.toml"
    )
    truth = formats.read_motion(folder / "truth.npz")
    off = [
        camera.project(truth.joints_3d_mm) - recording.joints_2d_px[:, view, 0]
        for view, camera in enumerate(recording.cameras)
    ]
    found = recording.seen[:, :, 0].mean()
    assert 0.8 < found < 0.9  # a tenth is lost, and joint 9
    hip = abs(off[0][:, 0])
    assert 2 < hip[hip < 20].mean() < 5  # 4 px in each coordinate: 3.2 in the mean
    flag_values = flags.FlagValues()
    make_recording.define_flags(flag_values)
    flag_values(["make", f"--data_dir={folder.parent}"])
    make_recording.work(flag_values)
    assert "already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--recording must name 2D detections"),
        (("--recording=none",), "none not found"),
        (("--recording=detections.npz", "--frames=5"), "--frames must be A:B"),
        (("--recording=detections.npz", "--fps=0"), "fps must be positive"),
        (("--recording=detections.npz", "--prior=none"), "none not found"),
        (("--recording=detections.npz",), "cameras must be given"),
        (("--recording=truth.npz",), "truth.npz"),
        (
            ("--recording=detections.npz", "--train"),
            "--truth must name the motion to learn from",
        ),
        (
            ("--recording=detections.npz", "--prior=truth.npz", "--check_path=x"),
            "--prior has no effect beside --check_path",
        ),
        (("--recording=detections.npz", "--check_path=none"), "none not found"),
        (
            (
                "--recording=detections.npz",
                "--cameras=calibration.toml",
                "--check_path=truth.npz",
            ),
            "truth.npz",
        ),
        (
            ("--recording=detections.npz", "--cameras=calibration.toml", "--person=3"),
            "--person must be 0",
        ),
    ],
)
def test_mistakes_are_one_line(folder, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(folder)
    flag_values = parse(*arguments, f"--results_dir={folder / 'results'}")
    assert shell.guarded(main, flag_values) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(folder.glob("results/*/*"))
