"""What ends a process that cannot end itself."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import human_pose


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


def test_a_users_files_do_not_end_the_watch(tmp_path):
    """They may be called as modules are that the watch needs."""
    for name in ("signal", "select"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('somebody else')")
    code = (
        "import sys\n"
        "sys.path.remove('')\n"  # so that the files are in nobody's way here
        "import time\n"
        "from human_pose.runs.watches import killed_after\n"
        "with killed_after(0.5, 'it has taken 0.5 s'):\n"
        "    time.sleep(5)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(human_pose.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stderr == "it has taken 0.5 s\n"
