"""Libraries of the extra `viewer`, imported when they are needed."""

from importlib import import_module
from typing import Any

from human_pose.files.errors import InputError


def needed(module: str, by: str) -> Any:
    """A module of a library that the extra installs.

    Args:
      module: its name.
      by: what needs it, for the error.

    Raises:
      InputError: saying what to install, if it is not there.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{by}: needs the package {error.name}; "
            "pip install 'wiberg-tf[viewer]' installs it"
        ) from error
