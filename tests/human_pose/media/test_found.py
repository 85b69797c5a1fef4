"""Which pictures words name."""

import os

from human_pose.media.found import find_pictures


def made(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names_in(folder, found):
    return [path.relative_to(folder).as_posix() for path in found.files]


def test_links_to_folders_are_folders(tmp_path):
    """Pictures are often on another disk than the project."""
    made(tmp_path / "disk", "cam2/1.png", "cam2/2.png")
    made(tmp_path / "set", "cam1/1.png", "cam1/notes.txt")
    os.symlink(tmp_path / "disk" / "cam2", tmp_path / "set" / "cam2")
    found = find_pictures([str(tmp_path / "set")])
    expected = ["cam1/1.png", "cam2/1.png", "cam2/2.png"]
    assert names_in(tmp_path / "set", found) == expected
    assert names_in(tmp_path / "set", find_pictures([str(tmp_path / "set/*")])) == (
        expected
    )
    assert [path.name for path in found.passed_over] == ["notes.txt"]


def test_links_lead_nowhere_twice(tmp_path):
    """In circles, to what is there itself, and to the folder of the results."""
    folder = tmp_path / "set"
    made(folder, "cam/1.png", "out/1.png", "cam/.hidden/2.png")
    for name, target in (
        ("cam/up", folder),
        ("cam/far_up", tmp_path),
        ("same", folder / "cam"),
        ("results", folder / "out"),
    ):
        os.symlink(target, folder / name)
    found = find_pictures([str(folder)], results=folder / "out")
    assert names_in(folder, found) == ["cam/1.png"]


def test_a_list_may_be_longer_than_a_name(tmp_path, monkeypatch):
    """Of 60 pictures in one word; that was looked for as one file, whose name it is."""
    monkeypatch.chdir(tmp_path)
    names = [f"picture{number}.jpg" for number in range(60)]
    made(tmp_path, *names)
    assert names_in(tmp_path, find_pictures([",".join(names)])) == names
    for word in ("x" * 300, "x" * 300 + "*"):
        ((missing, _),) = find_pictures([word]).missing
        assert missing == word
