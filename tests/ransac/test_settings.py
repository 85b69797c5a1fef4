import re
from pathlib import Path

import pytest
from absl import flags

from human_pose.files.errors import InputError
from human_pose.files.paths import PROJECT_ROOT
from ransac import settings
from ransac.optimizers import OPTIMIZERS
from ransac.problems import SETTINGS


def parse(*arguments):
    flag_values = flags.FlagValues()
    settings.define_flags(flag_values)
    flag_values(["toy.py", *arguments])
    return settings.toy_settings(flag_values)


def test_defaults_are_the_originals():
    assert parse() == settings.ToySettings(
        run_folder=Path.cwd() / "results" / "toy",
        steps=None,
        seed=0,
        learning_rate=0.5,
        damping=0.1,
        optimizer="asgd",
        setting="code",
        stream=None,
        streams=None,
        full=False,
        lbfgs=False,
    )


def test_every_flag_counts():
    chosen = parse(
        "--steps=3",
        "--seed=4",
        "--lr=0.1",
        "--damping=0.2",
        "--optimizer=adam",
        "--setting=paper",
        "--name=mine",
        "--results_dir=/elsewhere",
        "--multi_seed=5",
        "--full",
        "--lbfgs",
    )
    assert chosen == settings.ToySettings(
        run_folder=Path("/elsewhere/mine"),
        steps=3,
        seed=4,
        learning_rate=0.1,
        damping=0.2,
        optimizer="adam",
        setting="paper",
        stream=None,
        streams=5,
        full=True,
        lbfgs=True,
    )


def test_the_stream_is_found_as_every_file_is(tmp_path, monkeypatch):
    (tmp_path / "some.npz").touch()
    monkeypatch.chdir(tmp_path)
    assert parse("--stream=some.npz").stream == tmp_path / "some.npz"
    found = parse("--stream=data/sample.h5").stream  # relative to the project
    assert found == PROJECT_ROOT / "data" / "sample.h5"
    with pytest.raises(InputError, match=r"^none\.npz not found; looked for "):
        parse("--stream=none.npz")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_has_a_flag(name):
    assert parse(f"--optimizer={name}").optimizer == name


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_has_a_flag(name):
    assert parse(f"--setting={name}").setting == name


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--steps=0"], "positive integer"),
        (["--seed=-1"], "seed"),
        (["--lr=0"], "lr=0.0: must be positive"),
        (["--lr=nan"], "must be positive"),
        (["--lr=1e30"], "lr=1e+30: must be positive, 1000 at most"),
        (["--damping=-1"], "damping=-1.0: must be 0 or more"),
        (["--optimizer=lion"], "one of <asgd|adam|sgd>"),
        (["--setting=mine"], "one of <code|paper>"),
        (["--name=a/b"], "must be a plain folder name"),
        (["--multi_seed=1"], "integer >= 2"),
        (["--results_dir="], "must name a file or folder"),
        (["--stream="], "must name a file or folder"),
        (["--stream=a.npz", "--setting=paper"], "--stream replays given ones"),
        (["--stream=a.npz", "--multi_seed=3"], "--stream replays given ones"),
    ],
)
def test_bad_flags_are_refused(arguments, message):
    with pytest.raises(flags.Error, match=re.escape(message)):
        parse(*arguments)
