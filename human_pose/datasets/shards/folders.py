"""Where prepared sets lie: in folders as TFDS lays them out.

`<data_dir>/<name>/<config>/<version>`, or without the config. The folder of the version
holds the shards.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from human_pose.files.errors import InputError

# `1.0.0`, as TFDS numbers what is in a set.
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+")
# Any shard, by its name; those that are being written begin with a dot.
_SHARDS: Final = "[!.]*-*.tfrecord-*-of-*[0-9]"


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
    found = [p for p in prepared_in(data_dir / words) if version in ("", p.name)]
    if len(found) == 1:
        return found[0]
    if there := found or prepared_in(data_dir / parts[0]):
        rule = f"must be one of {names_in(data_dir, there)}, which are in {data_dir}"
    else:
        rule = f"must be a prepared set; {data_dir} has none of that name"
    raise InputError("dataset", rule, name)


def names_in(
    data_dir: str | os.PathLike[str], folders: Iterable[str | os.PathLike[str]]
) -> str:
    """What sets are called that lie in a folder, as TFDS names them."""
    relative = (Path(folder).relative_to(data_dir) for folder in folders)
    return ", ".join(f"{path.parent}:{path.name}" for path in relative)


def _is_plain(word: str) -> bool:
    return bool(word) and word not in (".", "..") and "\\" not in word
