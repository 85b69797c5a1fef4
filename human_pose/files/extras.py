"""Libraries of setup.cfg's extras, imported when they are first needed."""

from importlib import import_module
from typing import Any

from human_pose.files.errors import InputError, one_line


def needed(module: str, by: str, extra: str = "formats") -> Any:
    """A module of a library that an extra installs.

    Args:
      module: its name.
      by: what needs it, for the error: a file, or a kind of files.
      extra: the extra of setup.cfg that brings it.

    Raises:
      InputError: saying what to install, if it is not there, or what keeps it from
        being loaded, as libraries of the system that it needs.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{by}: needs the package {error.name}; "
            f"pip install 'wiberg-tf[{extra}]' installs it"
        ) from error
    except ImportError as error:
        raise InputError(
            f"{by}: the package {module} cannot be loaded: {one_line(error)}"
        ) from error
