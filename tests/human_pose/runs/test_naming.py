"""Results of inputs of one name: unique, and replaced by their own input alone."""

import pytest
from matplotlib.figure import Figure
from PIL import Image

from human_pose.files.errors import InputError
from human_pose.runs import naming


@pytest.fixture
def saved(tmp_path):
    def save(source, name="0001"):
        figure = Figure(figsize=(1, 1))
        return naming.save(figure, tmp_path / "out" / f"{name}.png", tmp_path / source)

    return save


def names(folder):
    return sorted(path.name for path in (folder / "out").iterdir())


def test_inputs_of_one_name_have_results_of_their_own(saved, tmp_path):
    assert saved("cam1/0001.png").name == "0001.png"
    second = saved("cam2/0001.png")
    assert second.name.startswith("0001_cam2_")
    third = saved("other/cam2/0001.png")
    fourth = saved("cam1/0001.jpg")
    assert len({second, third, fourth}) == 3
    assert len(names(tmp_path)) == 4


def test_an_identical_call_replaces_its_own(saved, tmp_path):
    for source in ("cam1/0001.png", "cam2/0001.png"):
        first = saved(source)
        before = first.stat().st_ino
        assert saved(source) == first
        assert first.stat().st_ino != before
    assert len(names(tmp_path)) == 2


def test_a_name_may_be_written_otherwise(saved, tmp_path):
    assert saved("cam1/0001.png") == saved("cam2/../cam1/0001.png")


def test_links_are_inputs_of_their_own_names(saved, tmp_path):
    """Data sets of links to numbers that nobody chose; and two links to one file."""
    (tmp_path / "cam").mkdir()
    (tmp_path / "stored").mkdir()
    (tmp_path / "stored" / "5f3e").touch()
    links = [tmp_path / "cam" / name for name in ("0001.png", "0002.png")]
    for link in links:
        link.symlink_to("../stored/5f3e")
    found = naming.Names(tmp_path / "none", {})
    assert [found.of(link) for link in links] == ["0001", "0002"]
    assert saved("cam/0001.png") == saved("cam/0001.png")
    assert saved("cam/0001.png") != saved("cam/0002.png")
    (tmp_path / "again").symlink_to("cam")
    assert saved("again/0001.png") == saved("cam/0001.png")


def test_two_pose_files_have_frames_of_their_own(saved):
    assert saved("data/sample.h5", "frame_0").name == "frame_0.png"
    name = saved("data/testing/Walking_sh.h5", "frame_0").name
    assert name.startswith("frame_0_testing_Walking_sh_")


@pytest.mark.parametrize("content", [b"", b"somebody's", b"\x89PNG\r\n\x1a\n"])
def test_what_was_not_made_here_is_kept(saved, tmp_path, content):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0001.png").write_bytes(content)
    assert saved("0001.png").name != "0001.png"
    assert (tmp_path / "out" / "0001.png").read_bytes() == content


def test_the_table_of_a_picture_that_was_moved_away_is_kept(saved, tmp_path):
    first = saved("cam1/0001.png")
    first.with_suffix(".csv").write_text("of cam1")
    first.rename(tmp_path / "elsewhere.png")
    second = saved("cam2/0001.png")
    assert second.name.startswith("0001_cam2_")
    assert not second.with_suffix(".csv").exists()
    assert (tmp_path / "out" / "0001.csv").read_text() == "of cam1"


@pytest.mark.parametrize("letter", ["a", "中", "\udcff", "$"])
def test_names_may_be_anything(saved, letter):
    name = letter * (250 // len(letter.encode("utf-8", "surrogateescape")))
    for _ in range(2):
        with Image.open(saved(f"cam/{name}.png", name)) as picture:
            assert picture.format == "PNG"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(InputError, match=r"out/x_"):
        naming.save(Figure(), tmp_path / "out" / "x.png", tmp_path / "x.png")
