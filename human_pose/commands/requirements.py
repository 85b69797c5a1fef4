"""What the commands need to have installed: of TensorFlow's packages, and `[pose]`.

Imports nothing but the standard library: it speaks when all else is missing.
"""

import sys
from importlib.util import find_spec
from typing import Final

from human_pose.files.paths import IN_CHECKOUT, PROJECT_ROOT

# Of each distribution in setup.cfg the package to import.
PACKAGES: Final = {
    "absl-py": "absl",
    "dill": "dill",
    "filelock": "filelock",
    "h5py": "h5py",
    "importlib_resources": "importlib_resources",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "mlcroissant": "mlcroissant",
    "numpy": "numpy",
    "pillow": "PIL",
    "scipy": "scipy",
    "tensorboard": "tensorboard",
    "tensorflow": "tensorflow",
    "tensorflow-datasets": "tensorflow_datasets",
    "tqdm": "tqdm",
}


def insist() -> None:
    """Leaves the process, in one line, if a package is missing. Imports none."""
    missing = [name for name, package in PACKAGES.items() if not _is_there(package)]
    if missing:
        sys.exit(f"human_pose's commands need {', '.join(missing)}: {_remedy()}")


def _is_there(package: str) -> bool:
    return package in sys.modules or find_spec(package) is not None


def _remedy() -> str:
    if IN_CHECKOUT:
        return (
            f"{PROJECT_ROOT}/set.sh env installs them in {PROJECT_ROOT}/.venv; or "
            "pip install 'wiberg-tf[pose]'"
        )
    return "pip install 'wiberg-tf[pose]'"
