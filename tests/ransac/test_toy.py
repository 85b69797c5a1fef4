"""The command line of `toy.py`: what it writes, prints and refuses."""

import json
import subprocess
import sys

import numpy as np
import pytest
from absl import flags

from human_pose.commands import shell
from human_pose.files.paths import PROJECT_ROOT
from ransac import experiment, settings, toy
from ransac.problems import SETTINGS, DrawnStream

SCRIPT = PROJECT_ROOT / "ransac" / "toy.py"


@pytest.fixture(autouse=True)
def soon_drawn(monkeypatch, request):
    """Pictures take longer than short runs, and one test looks at them."""
    if request.function is not test_a_run_leaves_everything_that_shows_it:
        for name in ("draw_energies", "draw_learning"):
            monkeypatch.setattr(experiment.pictures, name, lambda *_: None)


def run(tmp_path, *arguments):
    """What the command does, in this process; the exit code."""
    flag_values = flags.FlagValues()
    settings.define_flags(flag_values)
    flag_values(["toy.py", f"--results_dir={tmp_path}", *map(str, arguments)])
    return shell.guarded(toy.main, flag_values)


def record(tmp_path, name="toy"):
    return dict(np.load(tmp_path / name / "toy_run.npz"))


def test_a_run_leaves_everything_that_shows_it(tmp_path, capsys):
    assert run(tmp_path, "--steps=501") == 0
    folder = tmp_path / "toy"
    assert sorted(p.name for p in folder.iterdir()) == [
        "energy.png",
        "energy_large.png",
        "learning.png",
        "logger",
        "settings.json",
        "toy_run.npz",
    ]
    arrays = record(tmp_path)
    assert sorted(arrays) == ["est", "grad", "loss", "outcome", "sigma"]
    assert all(array.shape == (501, 2) for array in arrays.values())
    np.testing.assert_array_equal(arrays["sigma"][0], 1)
    truth = DrawnStream(SETTINGS["code"], 0).take(501).inliers.mean(1, keepdims=True)
    np.testing.assert_allclose(arrays["loss"], (arrays["est"] - truth) ** 2)
    written = json.loads((folder / "settings.json").read_text())
    assert (written["steps"], written["seed"]) == (501, 0)
    assert {p.name for p in (folder / "logger").iterdir()} == {
        "implicit",
        "trust_region",
    }
    output = capsys.readouterr().out.split("\n")
    assert output[0].startswith("step    500; implicit: |sigma|")
    assert output[1].startswith("step    501;")
    assert output[2] == f"results: {folder}"


def test_a_drawn_stream_can_be_replayed(tmp_path):
    assert run(tmp_path, "--steps=20", "--seed=5") == 0
    problems = DrawnStream(SETTINGS["code"], 5).take(20)
    path = tmp_path / "stream.npz"
    np.savez(path, points=problems.inliers, outliers=problems.outliers)
    assert run(tmp_path, f"--stream={path}", "--name=again") == 0
    first, again = record(tmp_path), record(tmp_path, "again")
    for name, entry in first.items():
        np.testing.assert_array_equal(again[name], entry)


def test_a_folder_holds_the_results_of_its_settings_alone(tmp_path):
    folder = tmp_path / "toy"
    assert run(tmp_path, "--steps=3") == 0
    (folder / "notes.txt").touch()
    assert run(tmp_path, "--steps=4", "--multi_seed=2") == 0
    assert [path.name for path in sorted(folder.rglob("*")) if path.is_file()] == [
        "notes.txt",
        "settings.json",
        "table.md",
    ]
    assert run(tmp_path, "--steps=5") == 0
    assert not (folder / "table.md").exists()
    assert len(list(folder.glob("logger/implicit/events*"))) == 1


def test_a_run_does_not_replace_its_stream(tmp_path, capsys):
    path = tmp_path / "toy" / "toy_run.npz"
    path.parent.mkdir()
    np.savez(path, points=np.ones((2, 3)), outliers=np.ones((2, 4)))
    assert run(tmp_path, f"--stream={path}") == 1
    assert f"--stream must be another file than {path}" in capsys.readouterr().err
    assert "points" in record(tmp_path)


def test_full_writes_weights_and_shifts(tmp_path):
    assert run(tmp_path, "--steps=20", "--full", "--optimizer=adam", "--lr=0.01") == 0
    arrays = record(tmp_path)
    assert arrays["weights"].shape == arrays["shifts"].shape == (2, 110)
    assert np.all(arrays["weights"].std(1) > 0) and np.all(arrays["shifts"].std(1) > 0)


def test_lbfgs_searches_first(tmp_path):
    for flag in ("--lbfgs", "--nolbfgs"):
        assert run(tmp_path, "--steps=2", flag, f"--name={flag[2:]}") == 0
    searched, plain = record(tmp_path, "lbfgs"), record(tmp_path, "nolbfgs")
    assert np.all(searched["est"][0] != plain["est"][0])
    np.testing.assert_allclose(searched["est"][0], plain["est"][0], atol=1.0)


def test_the_table_of_several_streams(tmp_path, capsys):
    assert run(tmp_path, "--steps=12", "--multi_seed=2", "--setting=paper") == 0
    output = capsys.readouterr().out
    text = (tmp_path / "toy" / "table.md").read_text()
    assert output.endswith(text)
    names = [line.split(" | ")[0] for line in text.split("\n")]
    assert names[2:6] == [
        "| implicit, lr 0.5",
        "| trust region, lr 0.5",
        "| implicit, lr 0.5, gradient clipped at 10",
        "| trust region, lr 0.1",
    ]


@pytest.mark.large
def test_the_table_agrees_with_the_originals(tmp_path, capsys):
    """Ten streams of 10,000 steps: bounded gradients, and a lower loss in the end."""
    assert run(tmp_path, "--multi_seed=10") == 0
    rows = (tmp_path / "toy" / "table.md").read_text().split("\n")[2:4]
    cells = [[cell.strip() for cell in row.split("|")[2:-1]] for row in rows]
    gradient = [float(row[0].split("/")[0]) for row in cells]
    loss = [float(row[2].split()[0]) for row in cells]
    assert gradient[1] < 130 < gradient[0]
    assert 0.7 < loss[1] / loss[0] < 0.9


def test_a_short_stream_is_refused(tmp_path, capsys):
    path = tmp_path / "stream.npz"
    np.savez(path, points=np.ones((2, 3)), outliers=np.ones((2, 4)))
    assert run(tmp_path, f"--stream={path}", "--steps=3") == 1
    error = capsys.readouterr().err
    assert error.endswith(f"{path}: holds 2 problems; --steps=3 needs as many\n")


def test_a_missing_stream_is_refused(tmp_path, capsys):
    path = tmp_path / "none.npz"
    assert run(tmp_path, f"--stream={path}") == 1
    error = capsys.readouterr().err
    assert error.endswith(f"{path} not found; looked for {path}\n")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, capsys):
    (tmp_path / "toy").touch()
    assert run(tmp_path, "--steps=1") == 1
    assert "cannot be written" in capsys.readouterr().err


def test_the_script_runs_from_anywhere(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--steps=2", f"--results_dir={tmp_path}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "results: " in done.stdout


def test_mistakes_in_flags_are_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--lr=-1"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "toy.py: flag --lr=-1.0: must be positive, 1000 at most\n"


def test_help_loads_no_tensorflow(tmp_path):
    code = (
        "import sys; sys.argv = ['toy.py', '--help']\n"
        "from ransac import toy\n"
        "try: toy.run()\n"
        "finally: assert not {'tensorflow', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "--multi_seed" in done.stdout and "--stream" in done.stdout
