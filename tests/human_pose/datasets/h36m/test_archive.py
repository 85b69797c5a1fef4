import shutil
import zipfile
from types import SimpleNamespace

import pytest

from human_pose.datasets.h36m.archive import unpack
from human_pose.datasets.h36m.names import Recording
from human_pose.files.errors import InputError

# S1 has Sitting 1 and Sitting 2: renaming in the wrong order would lose one.
_FILES = [file for take in (0, 1) for file in Recording(1, "Sitting", take).files]


def _quietly(_):
    pass


def _contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_file_gets_its_uniform_name(archive, raw_tree, tmp_path):
    unpack(archive, tmp_path / "raw", _FILES, report=_quietly)
    expected = {file.uniform: raw_tree.path(file).read_bytes() for file in _FILES}
    expected["cameras.h5"] = (raw_tree.folder / "cameras.h5").read_bytes()
    assert _contents(tmp_path / "raw") == expected


def test_an_interrupted_unpacking_is_resumed(archive, tmp_path, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "raw"
    unpack(archive, whole, _FILES, report=_quietly)

    copied = []

    def copy_three(source, target):
        if len(copied) == 3:
            target.write(source.read(10))
            raise KeyboardInterrupt
        copied.append(target)
        target.write(source.read())

    monkeypatch.setattr(shutil, "copyfileobj", copy_three)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, folder, _FILES, report=_quietly)
    monkeypatch.undo()
    kept = _contents(folder)
    assert len(kept) == 3  # and nothing half-written
    reports = []
    unpack(archive, folder, _FILES, report=reports.append)
    assert reports == ["h36m.zip: unpacking 8 of 11 files"]
    assert _contents(folder) == _contents(whole)


def test_a_changed_file_is_unpacked_again(archive, tmp_path):
    folder = tmp_path / "raw"
    unpack(archive, folder, _FILES, report=_quietly)
    before = _contents(folder)
    victim = folder / _FILES[0].uniform
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1  # the same size
    victim.write_bytes(data)
    unpack(archive, folder, _FILES, report=_quietly)
    assert _contents(folder) == before


def test_nothing_else_leaves_the_archive(raw_tree, tmp_path):
    path = raw_tree.zip(tmp_path / "h36m.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../outside.h5", b"evil")
        archive.writestr("h36m/S1/notes.txt", b"other")
    unpack(path, tmp_path / "in/raw", _FILES, report=_quietly)
    assert len(_contents(tmp_path / "in")) == len(_FILES) + 1
    assert not list(tmp_path.rglob("outside*"))


def test_a_damaged_archive_is_refused(archive, tmp_path):
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as source:
        name = f"h36m/{_FILES[0].published}"
        offset = source.getinfo(name).header_offset + 30 + len(name)
    data[offset + 20] ^= 0xFF
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(data)
    with pytest.raises(InputError, match=r"damaged\.zip: cannot be unpacked"):
        unpack(damaged, tmp_path / "raw", _FILES, report=_quietly)
    assert not (tmp_path / "raw" / _FILES[0].uniform).exists()


def test_what_is_no_archive_is_refused(tmp_path):
    page = tmp_path / "h36m.zip"
    page.write_text("<html>not found</html>")
    with pytest.raises(InputError, match="must be a zip archive"):
        unpack(page, tmp_path / "raw", _FILES, report=_quietly)


def test_an_archive_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", b"")
    with pytest.raises(InputError, match=r"must hold h36m/cameras\.h5"):
        unpack(path, tmp_path / "raw", _FILES, report=_quietly)


def test_a_full_disk_is_noticed_before_unpacking(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(InputError, match=r"free disk to unpack .*h36m\.zip"):
        unpack(archive, tmp_path / "raw", _FILES, report=_quietly)
    assert not list((tmp_path / "raw").iterdir())
