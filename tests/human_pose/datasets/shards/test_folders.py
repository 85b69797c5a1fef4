"""Where prepared sets are found, by their names."""

import pytest

from human_pose.datasets.shards.folders import find_prepared, is_prepared, prepared_in
from human_pose.files.errors import InputError
from human_pose.files.paths import atomic

SETS = ("a/one/1.0.0", "a/one/2.0.0", "a/two/1.0.0", "b/1.0.0", "c/only/1.0.0")


@pytest.fixture
def data_dir(tmp_path):
    for name in SETS:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "x-train.tfrecord-00000-of-00001").touch()
    (tmp_path / "d" / "1.0.0").mkdir(parents=True)
    (tmp_path / "a" / "one" / "incomplete.1.0.0").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("a/one:1.0.0", "a/one/1.0.0"),
        ("a/two", "a/two/1.0.0"),
        ("a:2.0.0", "a/one/2.0.0"),
        ("b", "b/1.0.0"),
        ("b:1.0.0", "b/1.0.0"),
        ("b/1.0.0", "b/1.0.0"),
        ("c", "c/only/1.0.0"),
    ],
)
def test_names_are_those_of_tfds(data_dir, name, folder):
    assert find_prepared(data_dir, name) == data_dir / folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a", r"^dataset must be one of a/one:1.0.0, a/one:2.0.0, a/two:1.0.0, whi"),
        ("a/one", r"^dataset must be one of a/one:1.0.0, a/one:2.0.0, which are in /"),
        ("a/two:3.0.0", r"one of a/one:1.0.0, a/one:2.0.0, a/two:1.0.0, .* 'a/two:3"),
        ("d", r"^dataset must be a prepared set; .* has none of that name; .* 'd'$"),
        ("e", r"^dataset must be a prepared set; .* has none of that name; .* 'e'$"),
        ("", r"dataset must be NAME"),
        ("a/one/2.0.0", r"dataset must be NAME, NAME/CONFIG or NAME/CONFIG:VERSION;"),
        ("../a", r"dataset must be NAME"),
        ("/a", r"dataset must be NAME"),
    ],
)
def test_what_is_meant_must_be_clear(data_dir, name, message):
    with pytest.raises(InputError, match=message):
        find_prepared(data_dir, name)


def test_folders_are_known_by_their_shards(data_dir):
    assert is_prepared(data_dir / "b" / "1.0.0")
    assert not is_prepared(data_dir / "b")
    assert not is_prepared(data_dir / "e")
    assert prepared_in(data_dir / "b") == prepared_in(data_dir / "b" / "1.0.0")
    assert [str(p.relative_to(data_dir)) for p in prepared_in(data_dir / "a")] == [
        *SETS[:3]
    ]


def test_a_preparation_that_wrote_no_shard_yet_is_no_set(data_dir):
    """Of two sets of a name the other one is meant then."""
    folder = data_dir / "c" / "other" / "1.0.0"
    folder.mkdir(parents=True)
    with atomic(folder / "x-train.tfrecord-00000-of-00001"):
        assert not is_prepared(folder)
        assert find_prepared(data_dir, "c") == data_dir / "c/only/1.0.0"
    assert is_prepared(folder)
