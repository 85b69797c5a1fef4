import numpy as np
import pytest
from absl import flags

from human_pose.calibrated.prior.embedded import embedded_motion
from human_pose.calibrated.prior.files import load_prior
from human_pose.commands import flags as settings
from human_pose.commands import shell
from human_pose.exchange.formats import write
from human_pose.main import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A current folder with files of motion in `mocap/`."""
    (tmp_path / "mocap").mkdir()
    monkeypatch.chdir(tmp_path)
    for number, motion in enumerate(embedded_motion((1,), 12)):
        if number < 6:
            write(tmp_path / "mocap" / f"take{number}.npz", motion)
    (tmp_path / "mocap" / "notes.txt").write_text("none")
    return tmp_path


def parse(*arguments):
    flag_values = flags.FlagValues()
    settings.define_main_flags(flag_values)
    flag_values(["main.py", "--model=prior", *arguments])
    return flag_values


def task(*arguments):
    return settings.prior_settings(parse(*arguments)).task


@pytest.mark.parametrize(
    "patterns", ["mocap/*.npz", "mocap", "mocap/take0.npz,mocap/*", "**/*.npz"]
)
def test_files_are_found(folder, patterns):
    if "/*" in patterns and not patterns.endswith("npz"):
        (folder / "mocap" / "notes.txt").unlink()
    names = [path.name for path in task(f"--motion={patterns}").files]
    assert names == [f"take{number}.npz" for number in range(6)]


def test_settings(folder):
    chosen = task(
        "--motion=mocap", "--components=2", "--covariance=ppca", "--rank=9",
        "--seed=3", "--fps=50", "--units=mm",
    )  # fmt: skip
    config = chosen.config
    assert (config.components, config.covariance, config.rank) == (2, "ppca", 9)
    assert (config.seed, chosen.fps, chosen.units, chosen.up) == (3, 50, "mm", None)
    (one, *_) = chosen.motions()
    assert one.fps == 25  # as the file says


def run(*arguments):
    return shell.guarded(main, parse(*arguments))


def test_the_command_leaves_a_prior_and_a_report(folder, capsys):
    arguments = ("--motion=mocap/*.npz", "--components=2", "--name=mine")
    made = folder / "results" / "mine"
    made.mkdir(parents=True)
    (made / "report.md").write_text("of a recording of that name")
    assert run(*arguments) == 0
    assert {path.name for path in made.iterdir()} == {
        "prior.npz", "prior.md", "mean_poses.png", "report.md",
    }  # fmt: skip
    assert len(load_prior(made).shares) == 2
    report = (made / "prior.md").read_text()
    assert "| all 6 |  | 6 | 72 | 0.0% | 60 |" in report
    table = capsys.readouterr().out.splitlines()
    assert table[-1] == f"report: {made / 'prior.md'}"
    assert [line.split()[1] for line in table[2:4]] == ["1", "2"]
    assert table[3] in report
    before = (made / "prior.npz").read_bytes()
    assert run(*arguments) == 1
    assert "already holds prior.npz; --overwrite replaces it" in capsys.readouterr().err
    assert run(*arguments, "--overwrite", "--components=1") == 0
    assert (made / "prior.npz").read_bytes() != before
    assert (made / "report.md").read_text() == "of a recording of that name"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--motion must name files of motion"),
        (("--motion=none/*.bvh",), "--motion must name files that there are; "),
        (("--motion=mocap", "--rank=3"), "--rank needs --covariance ppca"),
        (("--motion=mocap", "--fps=-1"), "fps must be positive"),
        (("--motion=mocap", "--up=y"), "--up has no effect: in "),
        (("--motion=mocap", "--units=ell"), "--units must be one of"),
        (("--motion=mocap/*.txt",), "is of no known format"),
        (("--motion=mocap/take0.npz",), "motion: must have 51 frames or more"),
        (("--motion=mocap/take0.npz,still.npz",), "--fps must be given: "),
    ],
)
def test_mistakes_are_told_in_one_line(folder, capsys, arguments, message):
    names = np.array(["left_hip", "right_hip"])
    np.savez("still.npz", joints_3d_mm=np.ones((3, 2, 3)), joint_names=names)
    assert run(*arguments, "--name=mine") == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (folder / "results").exists()


@pytest.mark.parametrize("given", ["mocap,", "mocap/take0.npz,,mocap", ",", ""])
def test_no_name_is_not_the_current_folder(folder, given):
    """All motion in it was taken, too."""
    with pytest.raises(flags.IllegalFlagValueError, match="must name a file or folder"):
        parse(f"--motion={given}")


@pytest.mark.parametrize("given", ["--train", "--metric=1", "--models=6"])
def test_flags_of_other_models_are_refused(folder, given):
    with pytest.raises(flags.Error, match="needs --model=lifter"):
        parse("--motion=mocap", given)
