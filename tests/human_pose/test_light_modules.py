"""What a command imports before it knows what to do is there at once."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "h5py", "matplotlib", "PIL", "numpy")


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (
            "human_pose.files, human_pose.files.errors, human_pose.files.faces, "
            "human_pose.files.paths, human_pose.i1, human_pose.i1.config, "
            "human_pose.i1.curriculum, human_pose.lifting, human_pose.lifting.config",
            HEAVY,
        ),
        ("human_pose.i1.input, human_pose.i1.viewpoint", set(HEAVY) - {"numpy"}),
    ],
)
def test_loads_nothing_heavy(modules, heavy):
    """All in one process: whichever loaded something, it would be found."""
    program = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert set(done.stdout.split()) & set(heavy) == set()
