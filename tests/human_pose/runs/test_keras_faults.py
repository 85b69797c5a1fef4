"""What is worked around here because Keras cannot do it; mended, a test fails.

Then the workaround can go: it is named beside each.
"""

import subprocess
import sys
from pathlib import Path

import keras_faults
import pytest

from human_pose.runs.supervision import Supervisor

_HELPER = Path(keras_faults.__file__)


def read(path):
    return dict(line.split(" ", 1) for line in path.read_text().splitlines())


# They are noticed when Keras changes, not when this project does.
pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "mirrored"
    subprocess.run([sys.executable, _HELPER, "mirrored", path], check=True)
    return read(path)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "cluster"
    command = [sys.executable, str(_HELPER), "cluster", str(path)]
    assert Supervisor(command, command, 2, 0, print).run() == 0
    return read(path)


def test_replicas_train_on_plain_numbers(mirrored):
    assert mirrored["numbers"] == "works"


@pytest.mark.parametrize(
    ("case", "said"),
    [
        # `BuiltModel._maybe_symbolic_build`
        ("bool", "attr 'T' of bool"),
        # `optimizers.accumulation.Accumulating`
        ("accumulation", "merge_call"),
        # `distribution.most_steps_at_once`
        ("steps_at_once", "while/cond"),
    ],
)
def test_replicas_need(mirrored, case, said):
    assert said in mirrored[case]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        # `BuiltModel._maybe_symbolic_build`
        ("symbolic_build", "PerReplica"),
        # `BuiltModel._step_together`
        ("scalar_logs", "reduction dimension 0"),
    ],
)
def test_processes_need(cluster, case, said):
    assert said in cluster[case]
