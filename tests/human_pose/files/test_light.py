"""What a command imports before it knows what to do loads no large library."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "h5py", "numpy", "matplotlib", "PIL")


@pytest.mark.parametrize(
    "modules",
    [
        "human_pose.lifting.config, human_pose.i1.config",
        "human_pose.lifting, human_pose.i1, human_pose.files",
        "human_pose.files.errors, human_pose.files.paths, human_pose.files.faces",
    ],
)
def test_configurations_load_no_large_library(modules):
    program = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & set(HEAVY) == set()
