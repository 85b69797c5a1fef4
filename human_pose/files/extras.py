"""Libraries of setup.cfg's extras, imported when they are first needed."""

from importlib import import_module
from typing import Any

from human_pose.files.errors import InputError


def needed(module: str, by: str, extra: str = "formats") -> Any:
    """A module of a library that an extra installs.

    Args:
      module: its name.
      by: what needs it, for the error: a file, or a kind of files.
      extra: the extra of setup.cfg that brings it.

    Raises:
      InputError: saying what to install, if it is not there.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{by}: needs the package {error.name}; "
            f"pip install 'wiberg-tf[{extra}]' installs it"
        ) from error
