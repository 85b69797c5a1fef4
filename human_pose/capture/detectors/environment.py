"""The Python environment of a detector that cannot be loaded beside TensorFlow.

It lies within the environment that runs this project, so that it is found without being
named, and goes with it.
"""

import sys
from pathlib import Path
from typing import Final

from human_pose.files.errors import InputError

# What makes it, also where one is there that does not work.
MAKERS: Final = "`./set.sh detector` or `human-pose-detector`"
FOLDER: Final = Path(sys.prefix) / "blazepose"


def is_made() -> bool:
    """Whether the environment is there."""
    return _python().is_file()


def python() -> Path:
    """The environment's Python.

    Raises:
      InputError: saying how it is made, if it is not there.
    """
    if not is_made():
        raise InputError(
            "detector: blazepose needs an environment of its own, which is not there; "
            f"{MAKERS} makes it"
        )
    return _python()


def version() -> str:
    """The name and the version of what is in the environment; errors as of `python`."""
    python()
    packages = "Lib" if sys.platform == "win32" else "lib/python*"
    found = sorted(FOLDER.glob(f"{packages}/site-packages/mediapipe*.dist-info"))
    names = [path.stem.replace("_", "-").replace("-", " ") for path in found]
    return " ".join(names) or "mediapipe"


def _python() -> Path:
    windows = sys.platform == "win32"
    return FOLDER / ("Scripts/python.exe" if windows else "bin/python")
