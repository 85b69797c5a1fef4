"""Unpacking the Human3.6M archive under uniform names."""

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from human_pose.datasets.disk import require_free_space
from human_pose.datasets.h36m.names import CAMERAS_FILE, RawFile
from human_pose.files.arrays import refusing
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic, check_is_file


def check_archive(path: str | os.PathLike[str]) -> None:
    """Refuses a file that is no zip archive, such as a server's "not found" page.

    Raises:
      InputError: if it is none.
    """
    path = Path(path)
    check_is_file(path)
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path}: must be a zip archive; received {path.stat().st_size} bytes "
            "that are none"
        )


def unpack(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    files: Iterable[RawFile],
    *,
    report: Callable[[str], None],
) -> None:
    """Unpacks files of the archive, giving them their uniform names.

    Files already there with the archive's size and checksum are kept, so an interrupted
    call is resumed by the next. Names in the archive never become paths: it is asked
    for the files we know, whatever else it holds. Files that it lacks are not reported
    here.

    Args:
      archive: a zip file with the folder that holds `cameras.h5`, wherever it is.
      folder: where to, made if need be.
      files: what to unpack, beside `cameras.h5`.
      report: called with a line of progress now and then.

    Raises:
      InputError: if the archive is no zip file, is damaged, or has no `cameras.h5`, or
        the disk is full.
    """
    archive, folder = Path(archive), Path(folder)
    check_archive(archive)
    with refusing(archive, "cannot be unpacked"):
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive) as source:
            members = _members(archive, source, files)
            pending = {
                name: member
                for name, member in members.items()
                if not _is_unpacked(member, folder / name)
            }
            size = sum(member.file_size for member in pending.values())
            require_free_space(folder, size, f"unpack {archive}")
            report(f"{archive.name}: unpacking {len(pending)} of {len(members)} files")
            for name, member in pending.items():
                with source.open(member) as packed, atomic(folder / name) as target:
                    with target.open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked)


def _members(
    archive: Path, source: zipfile.ZipFile, files: Iterable[RawFile]
) -> dict[str, zipfile.ZipInfo]:
    """Uniform name to the archive's entry, for the files that it holds."""
    entries = {entry.filename: entry for entry in source.infolist()}
    tops = [
        name.removesuffix(CAMERAS_FILE)
        for name in entries
        if name == CAMERAS_FILE or name.endswith(f"/{CAMERAS_FILE}")
    ]
    if not tops:
        raise InputError(f"{archive}: must hold h36m/{CAMERAS_FILE}; it does not")
    top = min(tops, key=len)
    wanted = [RawFile(CAMERAS_FILE, CAMERAS_FILE), *files]
    return {
        file.uniform: entries[top + file.published]
        for file in wanted
        if top + file.published in entries
    }


def _is_unpacked(member: zipfile.ZipInfo, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != member.file_size:
        return False
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum == member.CRC
