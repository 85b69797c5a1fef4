"""Libraries of the extra `formats`, imported when a file first needs them."""

from importlib import import_module
from typing import Any, Final

from human_pose.files.errors import InputError

_EXTRA: Final = "formats"


def needed(module: str, by: str) -> Any:
    """A module of a library that the extra installs.

    Args:
      module: its name.
      by: what needs it, for the error: a file, or a kind of files.

    Raises:
      InputError: saying what to install, if it is not there.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{by}: needs the package {error.name}; "
            f"pip install 'wiberg-tf[{_EXTRA}]' installs it"
        ) from error
