"""Room on the disk."""

import os
import shutil
from pathlib import Path

from human_pose.files.errors import InputError


def require_free_space(
    folder: str | os.PathLike[str], needed_bytes: int, purpose: str
) -> None:
    """Checks that a folder's disk has room.

    Args:
      folder: an existing folder.
      needed_bytes: how much is about to be written.
      purpose: what for, to complete "needs ... to".

    Raises:
      InputError: if less than `needed_bytes` are free.
    """
    free_bytes = shutil.disk_usage(Path(folder)).free
    if free_bytes < needed_bytes:
        raise InputError(
            f"{folder}: needs {megabytes(needed_bytes)} of free disk to {purpose}; "
            f"{megabytes(free_bytes)} are free"
        )


def megabytes(count_bytes: int) -> str:
    """A number of bytes for people: `12 MB`."""
    return f"{count_bytes / 1e6:,.0f} MB" if count_bytes >= 1e6 else "under 1 MB"
