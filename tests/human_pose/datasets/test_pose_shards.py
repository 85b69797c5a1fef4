"""Prepared sets for the lifter: the frames of the pose files, bit for bit."""

import dataclasses
import shutil

import numpy as np
import pytest
from made_up_lifting import write_lifting_shards

from human_pose.datasets.lifting_sets.pose_tree import tree_source
from human_pose.datasets.pose_files import PoseSet, read_people
from human_pose.datasets.pose_shards import read_prepared
from human_pose.datasets.shards.preparation import prepare
from human_pose.datasets.shards.records import Field
from human_pose.datasets.shards.sidecar import read_sidecar, sidecar_path, text_of
from human_pose.datasets.shards.writing import Good, shard_name, write_shard
from human_pose.datasets.synthetic import Recipe, generate
from human_pose.files.errors import InputError


def frames(count, scale=1.0):
    rng = np.random.default_rng(3)
    return PoseSet(
        rng.uniform(1, 900, (count, 4, 17, 2)),
        scale * rng.uniform(-500, 500, (count, 17, 3)),
        rng.uniform(-1, 1, (count, 4, 3, 3)),
    )


def assert_equal(one, other):
    for name, values in vars(one).items():
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, vars(other)[name], name)


def test_gives_the_frames_of_the_whole_sets_files(tmp_path):
    generate(tmp_path, Recipe(train_frames=1, test_frames=2))
    folder = prepare(tree_source(tmp_path, 5).plan(7), tmp_path / "prepared")
    for part in ("train", "test"):
        found = read_prepared(folder, part)
        whole = read_people(tmp_path / f"{part}_sh.h5")
        assert_equal(found.poses, whole[::5])
        np.testing.assert_array_equal(found.indices, np.arange(0, len(whole), 5))
        assert set(found.actions) <= set(range(15))
        assert set(found.subjects) == {-1}


def test_they_are_in_the_order_of_indices_wherever_they_lie(tmp_path):
    poses = frames(1100)  # more than are parsed together
    folder = write_lifting_shards(tmp_path, poses, shards=3)
    found = read_prepared(folder, "train")
    assert_equal(found.poses, poses)
    assert found.indices.tolist() == list(range(1100))


def test_samples_left_out_are_told(tmp_path, caplog):
    poses = frames(6)
    found = read_prepared(write_lifting_shards(tmp_path, poses, bad=[1, 4]), "train")
    assert found.indices.tolist() == [0, 2, 3, 5]
    assert_equal(found.poses, poses[np.array([0, 2, 3, 5])])
    assert "2 samples of the train part were left out" in caplog.text


def remove_shard(folder):
    next(folder.glob("*-00001-of-00002")).unlink()


def remove_sidecar(folder):
    sidecar_path(next(folder.glob("*-00001-of-00002"))).unlink()


def build_by_tfds_alone(folder):
    for shard in folder.glob("*-of-00002"):
        sidecar_path(shard).unlink()


def flip_bit(folder):
    path = next(folder.glob("*-00001-of-00002"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_off(folder):
    path = next(folder.glob("*-00001-of-00002"))
    path.write_bytes(path.read_bytes()[:-9])


def renumber(folder):
    shard = next(folder.glob("*-00001-of-00002"))
    sidecar = read_sidecar(shard)
    other = dataclasses.replace(sidecar, indices=[99, *sidecar.indices[1:]])
    sidecar_path(shard).write_text(text_of(other))


def write_others(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    name = shard_name("other", "train", 0, 1)
    write_shard(folder / name, [Good(0, {"x": 1.0})], {"x": Field()}, "other")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_shard, r"must hold 2 shards of the train part; it has 1"),
        (remove_sidecar, r"00001-of-00002\.json: no such file$"),
        (build_by_tfds_alone, r"set: holds shards alone, as TFDS builds them; `human"),
        (flip_bit, r"00001-of-00002: must have the checksum \w+, .* makes this shard"),
        (cut_off, r"00001-of-00002: must have \d+ bytes, .* makes this shard anew"),
        (renumber, r"records of the train part are not as indexed$"),
        (write_others, r"other-train.*: holds no frames of four views with their pos"),
        (shutil.rmtree, r"holds no shards of the train part$"),
    ],
)
def test_what_is_not_whole_is_named_in_one_line(tmp_path, damage, message):
    folder = write_lifting_shards(tmp_path / "set", frames(6))
    damage(folder)
    with pytest.raises(InputError, match=message) as error:
        read_prepared(folder, "train")
    assert "\n" not in str(error.value)


def test_frames_that_nobody_can_be_are_refused(tmp_path):
    metres = write_lifting_shards(tmp_path / "metres", frames(6, 1e-3))
    with pytest.raises(InputError, match=r"metres: joint_3d must be millimetres"):
        read_prepared(metres, "train")
    poses = frames(6)
    poses.joints_2d_px[2, 1] = np.nan
    lost = write_lifting_shards(tmp_path / "lost", poses)
    with pytest.raises(InputError, match=r"lost: joint_2d "):
        read_prepared(lost, "train")
    none = write_lifting_shards(tmp_path / "none", frames(2), bad=[0, 1])
    with pytest.raises(InputError, match=r"none: must hold at least one frame"):
        read_prepared(none, "train")
