"""The list of samples that a training leaves out."""

import pytest
from absl import logging

from human_pose.datasets.images import open_dataset
from human_pose.i1.training.batches import list_skipped


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr(
        logging, "warning", lambda text, *values: lines.append(text % values)
    )
    return lines


def test_lists_every_sample_in_a_file_and_a_few_in_one_line(root, tmp_path, logged):
    bad = [0, 1, 2, 3]
    for index in bad:
        (root / "camera_all" / f"{index}.txt").write_text("nothing")
    dataset = open_dataset(root)
    path = tmp_path / "check" / "skipped.txt"
    list_skipped([dataset, None], path)
    lines = path.read_text().splitlines()
    for index, line in zip(bad, lines, strict=True):
        assert f"camera_all/{index}.txt" in line
    (line,) = logged
    assert f"left out 4 of {len(dataset)} samples, listed in {path}; the first" in line
    assert lines[2] in line
    assert lines[3] not in line


def test_leaves_no_list_when_all_are_good(root, tmp_path, logged):
    path = tmp_path / "skipped.txt"
    path.write_text("of an earlier call\n")
    list_skipped([open_dataset(root)], path)
    assert not logged
    assert not path.exists()


def test_as_many_other_samples_are_another_set(root):
    def without(number):
        return open_dataset(root, indices=set(whole.indices) - {number}).identity

    whole = open_dataset(root)
    assert without(1) == without(1)
    assert without(1) != without(2)
    before = whole.identity
    box = root / "bbx_all_new" / "1.txt"
    x1, *others = map(float, box.read_text().split())
    box.write_text(" ".join(map(str, [x1 - 1, *others])))
    assert open_dataset(root).identity != before


def test_other_pictures_of_the_same_bodies_are_another_set(root):
    dataset = open_dataset(root)
    before = dataset.identity
    picture = root / "images" / dataset.annotations.image[0].decode()
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert open_dataset(root).identity != before
