"""A training state: what was read, what differs, and what version 0.1 wrote."""

import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.i1.training.progress import Progress as ImageProgress
from human_pose.lifting.training.progress import Progress as LifterProgress
from human_pose.runs.state import (
    read_conditions,
    read_progress,
    restore_variables,
    write_state,
)

V0_1 = Path(__file__).parents[2] / "v0_1"


@dataclass
class Progress:
    stage: int = 0
    step: int = 0
    total: int = 0


CONDITIONS = {"seed": 3, "recipe": {"stages": [{"rate": 0.1, "loss": ["a", "b"]}]}}


@dataclass
class Epochs:
    epoch: int = 0
    error_mm: float = 0.0


class Variable:
    """Takes values as Keras's variables do."""

    def __init__(self, *shape):
        self.shape = shape
        self.value = None

    def assign(self, value):
        self.value = value


@pytest.mark.parametrize("name", ["state.npz", "state.h5"])
def test_reads_what_it_writes(tmp_path, name):
    path = str(tmp_path / name)
    write_state(path, Progress(1, 5, 12), CONDITIONS, [np.ones(2), np.float32(3)])
    assert read_progress(path, CONDITIONS, Progress) == Progress(1, 5, 12)
    variables = [Variable(2), Variable()]
    restore_variables(path, variables)
    assert [np.sum(variable.value) for variable in variables] == [2, 3]
    write_state(path, Epochs(2, 0.1), CONDITIONS, {"a/b": np.arange(3.0)})
    assert read_progress(path, CONDITIONS, Epochs) == Epochs(2, 0.1)
    variable = Variable(3)
    restore_variables(path, {"a/b": variable})
    assert variable.value.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["state.npz", "state.h5"])
def test_changes_no_variable_if_one_does_not_fit(tmp_path, name):
    path = tmp_path / name
    write_state(path, Progress(), CONDITIONS, [np.ones(2), np.ones(2)])
    for shapes in ((2,), (3,)), ((2,), (2,), (2,)):
        variables = [Variable(*shape) for shape in shapes]
        with pytest.raises(InputError, match=f"{name}: "):
            restore_variables(path, variables)
        assert not any(variable.value for variable in variables)


@pytest.mark.parametrize(
    ("path", "progress", "places"),
    [
        (
            "image/run/check/training_state.npz",
            ImageProgress(0, 1, 1),
            # The first layer's weights and, behind the network's, the step.
            {"0": (7, 7, 3, 2)},
        ),
        (
            "lifter/run/check/training_state.h5",
            LifterProgress(1, 1, pytest.approx(43.43605881793835, rel=1e-6)),
            {"parameters/mean_pose": (3, 3, 17), "parameters/ir_reg": (3,)},
        ),
    ],
)
def test_reads_the_states_of_version_0_1(path, progress, places):
    path = V0_1 / path
    conditions = read_conditions(path, type(progress))
    assert conditions["seed"] in (1, 3)
    assert read_progress(path, conditions, type(progress)) == progress
    with pytest.raises(InputError, match=r"other conditions: seed was \d, is 9$"):
        read_progress(path, conditions | {"seed": 9}, type(progress))
    variables = {name: Variable(*shape) for name, shape in places.items()}
    restore_variables(path, variables)
    for variable in variables.values():
        assert variable.value.shape == variable.shape
        assert np.abs(variable.value).max() > 0


@pytest.mark.parametrize(
    "conditions",
    [
        b"no JSON",
        b"\xff\xfe",
        b"[1]",
        b"7",
        b"[" * 100_000,
        b"9" * 5000,
        np.array([1.5, 300.0]),
    ],
)
def test_refuses_conditions_that_are_none(tmp_path, conditions):
    path = tmp_path / "state.h5"
    if isinstance(conditions, bytes):
        conditions = np.frombuffer(conditions, np.uint8)
    with h5py.File(path, "w") as file:
        file["conditions"] = conditions
        file["epoch"], file["error_mm"] = 0, 0.0
    with pytest.raises(InputError, match=r"state\.h5: is no training state"):
        read_progress(path, {"seed": 1}, Epochs)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (CONDITIONS | {"seed": 4}, "seed was 3, is 4"),
        (CONDITIONS | {"new": [1]}, "new was None, is list"),
        (
            CONDITIONS | {"recipe": {"stages": [{"rate": 0.2, "loss": ["a", "c"]}]}},
            "recipe.stages[0].rate was 0.1, is 0.2, recipe.stages[0].loss[1] was b, "
            "is c",
        ),
        (CONDITIONS | {"recipe": {"stages": []}}, "recipe.stages had 1 entries, has 0"),
        (
            dict.fromkeys("abcde", 1) | CONDITIONS,
            "a was None, is 1, b was None, is 1, c was None, is 1 and 2 more",
        ),
    ],
)
def test_names_only_what_differs(tmp_path, conditions, message):
    path = tmp_path / "state.npz"
    write_state(path, Progress(), CONDITIONS, [])
    with pytest.raises(InputError) as raised:
        read_progress(path, conditions, Progress)
    assert str(raised.value) == (
        f"{path}: the run to resume has other conditions: {message}"
    )


def test_what_is_free_may_differ_or_be_missing(tmp_path):
    path = tmp_path / "state.npz"
    reached = LifterProgress()
    write_state(path, reached, {"seed": 0, "free": 1, "old": 2}, {})
    for now in ({"seed": 0, "free": 3, "old": 2}, {"seed": 0, "new": 4}):
        found = read_progress(path, now, LifterProgress, free=("free", "old", "new"))
        assert found == reached
    with pytest.raises(InputError, match=r"conditions: seed was 0, is 1$"):
        read_progress(path, {"seed": 1}, LifterProgress, free=("free", "old"))


@pytest.mark.parametrize(
    "header",
    [
        "nothing",
        "[]",
        json.dumps({"progress": {}}),
        json.dumps({"conditions": {}, "progress": {"epoch": 1}}),
        json.dumps({"conditions": {}, "progress": [1]}),
    ],
)
def test_refuses_a_foreign_header(tmp_path, header):
    path = tmp_path / "state.npz"
    np.savez(path, header=np.array(header))
    with pytest.raises(InputError, match=r"state.npz: is no training state"):
        read_progress(path, {}, Progress)
