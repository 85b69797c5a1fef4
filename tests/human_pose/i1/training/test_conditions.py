import dataclasses
from types import SimpleNamespace

import pytest

from human_pose.files.errors import InputError
from human_pose.i1.config import ImageTrainingConfig
from human_pose.i1.training.conditions import conditions, continued
from human_pose.i1.training.plan import plan
from human_pose.i1.training.progress import Progress
from human_pose.runs.state import write_state

DATA = SimpleNamespace(identity="3 (checksum 0, pictures 0)")


@pytest.fixture
def config(tmp_path):
    values = {field.name: None for field in dataclasses.fields(ImageTrainingConfig)}
    for field in dataclasses.fields(ImageTrainingConfig):
        if field.default is not dataclasses.MISSING:
            values[field.name] = field.default
    values |= {
        "recipe": "modern", "preset": "tiny", "data_dir": tmp_path, "accumulate": 1,
        "mixed_precision": False, "jit": False, "remat": False, "seed": 0,
        "save_every": 1, "validation_samples": 0, "every": 1, "split": "corrected",
    }  # fmt: skip
    return ImageTrainingConfig(**values)


def saved(config, path, drop=()):
    held = conditions(config, plan(config), DATA)
    kept = {name: value for name, value in held.items() if name not in drop}
    write_state(path, Progress(), kept, {})
    return path


@pytest.mark.parametrize("name", ["jit", "remat"])
def test_steps_computed_otherwise_are_told(config, tmp_path, caplog, name):
    path = saved(config, tmp_path / "state.npz")
    other = dataclasses.replace(config, **{name: True})
    continued(other, plan(other), DATA, path)
    assert f"{name} was False, is True: steps are rounded otherwise" in caplog.text


def test_states_that_do_not_say_how_steps_were_computed_go_on(config, tmp_path, caplog):
    path = saved(config, tmp_path / "state.npz", drop=("jit", "remat"))
    other = dataclasses.replace(config, jit=True)
    continued(other, plan(other), DATA, path)
    assert "rounded" not in caplog.text


@pytest.mark.parametrize(
    "change", [{"accumulate": 2}, {"mixed_precision": True}, {"seed": 1}]
)
def test_other_conditions_are_refused(config, tmp_path, change):
    path = saved(config, tmp_path / "state.npz")
    other = dataclasses.replace(config, **change)
    with pytest.raises(InputError, match=f"other conditions: {next(iter(change))} was"):
        continued(other, plan(other), DATA, path)
