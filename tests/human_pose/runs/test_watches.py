"""What ends a process that cannot end itself."""

import signal
import subprocess
import sys


def test_nobody_waits_for_ever():
    """TensorFlow holds Python's lock while it waits, so that no thread could end it."""
    code = (
        "import ctypes, os\n"
        "from human_pose.runs.watches import killed_after\n"
        "with killed_after(60, 'no'):\n"
        "    pass\n"
        "with killed_after(0.5, 'it has taken 0.5 s'):\n"
        "    ctypes.PyDLL(None).sleep(50)\n"  # holds the lock
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stderr == "it has taken 0.5 s\n"
