"""What the table of formats holds: for each its reader, its writer, its marks."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Format:
    """One format of files or folders.

    Attributes:
      name: as users say it.
      kind: what a file of it holds: "recording", "cameras" or "motion".
      title: a few words for people.
      suffixes: endings by which a writer is chosen, with the dot; the readers are
        chosen by what the files hold.
      recognises: whether a file or folder is of this format, by its content; it raises
        nothing, and reads little.
      read: a path and `options` -> `Recording`, tuple of `Camera` or `Motion`.
      write: a path and such a value; None if the format is only read.
      options: names of what `read` takes beside the path, of "skeleton", "fps",
        "units", "frames" and "cameras", which may be None; of motion "up", if its axis
        may be told, and "fps", if files do not say it.
    """

    name: str
    kind: str
    title: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Path], bool]
    read: Callable[..., Any] | None
    write: Callable[..., None] | None = None
    options: tuple[str, ...] = ()
