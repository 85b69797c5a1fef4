"""Where prepared sets lie: in folders as TFDS lays them out.

`<data_dir>/<name>/<config>/<version>`, or without the config. The folder of the version
holds the shards.
"""

import os
import re
from pathlib import Path
from typing import Final

from human_pose.files.errors import InputError

# `1.0.0`, as TFDS numbers what is in a set.
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
# Any shard, by its name.
_SHARDS: Final = "*-*.tfrecord-*-of-*[0-9]"


def is_prepared(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds shards of a prepared set."""
    return any(Path(folder).glob(_SHARDS))


def prepared_in(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The folders of shards of a set: this one, or its versions, of all its configs."""
    folder = Path(folder)
    if is_prepared(folder):
        return (folder,)
    versions = (
        path
        for pattern in ("*", "*/*")
        for path in folder.glob(pattern)
        if _VERSION.fullmatch(path.name) and is_prepared(path)
    )
    return tuple(sorted(versions))


def find_prepared(data_dir: str | os.PathLike[str], name: str) -> Path:
    """The folder of the shards of a set that is named as TFDS names it.

    Args:
      data_dir: that holds sets.
      name: `NAME`, which must have one config and version there, or `NAME/CONFIG`,
        `NAME:VERSION` or `NAME/CONFIG:VERSION`.

    Raises:
      InputError: naming the folder, if there is none of that name, or more than one.
    """
    words, _, version = name.partition(":")
    parts = words.split("/")
    if len(parts) > 2 or not all(map(_is_plain, parts)):
        rule = "must be NAME, NAME/CONFIG or NAME/CONFIG:VERSION"
        raise InputError("dataset", rule, name)
    data_dir = Path(data_dir)
    folder = data_dir / words
    found = [p for p in prepared_in(folder) if version in ("", p.name)]
    if len(found) == 1:
        return found[0]
    if found:
        rule = "must name one prepared set"
        raise InputError(f"dataset {rule}; {folder} holds {_names(data_dir, found)}")
    there = prepared_in(data_dir / parts[0])
    known = f"holds {_names(data_dir, there)}" if there else "is no prepared set"
    raise InputError(f"dataset {name} is not there; {data_dir / parts[0]} {known}")


def _is_plain(word: str) -> bool:
    return bool(word) and word not in (".", "..") and "\\" not in word


def _names(data_dir: Path, folders: list[Path] | tuple[Path, ...]) -> str:
    """How TFDS names them."""
    relative = (folder.relative_to(data_dir) for folder in folders)
    return ", ".join(f"{path.parent}:{path.name}" for path in relative)
