import pytest
from absl import flags

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
            "--temporal=0", "--name=x",
        )
    )  # fmt: skip
    read = chosen.task.recording
    assert read.path == folder / "detections.npz"
    assert read.cameras == folder / "calibration.toml"
    assert (read.frames, read.fps, read.units) == (slice(10, 50), 30, "mm")
    assert (read.person, read.truth) == (2, folder / "truth.npz")
    assert not chosen.task.config.temporal
    assert chosen.task.prior is None


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
