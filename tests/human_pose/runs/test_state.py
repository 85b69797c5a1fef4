"""The header of a training state: what was read, and what differs."""

import json

import numpy as np
import pytest

from human_pose.files.errors import InputError
from human_pose.i1.training.progress import Progress
from human_pose.runs.state import read_progress, write_state

CONDITIONS = {"seed": 3, "recipe": {"stages": [{"rate": 0.1, "loss": ["a", "b"]}]}}


def test_reads_what_it_writes(tmp_path):
    path = tmp_path / "state.npz"
    write_state(path, Progress(1, 5, 12), CONDITIONS, [np.ones(2)])
    assert read_progress(path, CONDITIONS, Progress) == Progress(1, 5, 12)


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
