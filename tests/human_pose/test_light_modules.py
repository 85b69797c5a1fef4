"""Vocabularies and configurations are there at once: they load no TensorFlow."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "h5py", "matplotlib")


@pytest.mark.parametrize(
    "module",
    [
        "human_pose.i1",
        "human_pose.i1.config",
        "human_pose.i1.curriculum",
        "human_pose.i1.input",
        "human_pose.i1.viewpoint",
        "human_pose.lifting",
        "human_pose.lifting.config",
    ],
)
def test_loads_nothing_heavy(module):
    program = f"import sys, {module}; print(*sys.modules.keys() & {set(HEAVY)})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert not done.stdout.split()
